"""Local history: the recorded readings of a local fleet, out of its archive and of what drivers remember."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from dsmilctl.client.cursor import Cursor, asked, cursor_of
from dsmilctl.client.past import MAKERS, PastWanted, past_readings
from dsmilctl.drivers.managed import Managed
from dsmilctl.errors import (
    DSMILError,
    InvalidParameter,
    NotFound,
    OperationTimeout,
    nearest,
)
from dsmilctl.fleet.fleet import Fleet
from dsmilctl.model.device import show_id
from dsmilctl.model.history import (
    AGGREGATES,
    MOST,
    DeniedDevice,
    ReadingsPage,
    ReadingsQuery,
    RecordedReading,
)
from dsmilctl.model.identity import Identity

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from dsmilctl.archive.history import Asked, HistoryPages

AT_ONCE = 2
"""Questions that a process works on at once; others wait."""

DEADLINE = 25.0
"""Seconds that one page may take, waiting included."""

HINT = "dsmilctl record run --name NAME records; a server records with serve --record"


def require_right(query: ReadingsQuery) -> None:
    """Raise InvalidParameter for a query that cannot be answered whatever was recorded."""
    if query.aggregate not in AGGREGATES:
        hint = nearest(query.aggregate, AGGREGATES) or f"one of {', '.join(AGGREGATES)}"
        raise InvalidParameter(f"no aggregate {query.aggregate!r}", hint=hint, target="aggregate")
    if not 1 <= query.limit <= MOST:
        raise InvalidParameter(f"a page has 1 to {MOST} readings", hint="follow the cursor", target="limit")
    if query.every < 0:
        raise InvalidParameter("a stretch cannot be negative", hint="1m", target="every")
    if query.since is not None and query.until is not None and query.until < query.since:
        raise InvalidParameter("until is before since", hint="from since up to until", target="until")


class LocalHistory:
    """The readings history of one identity on one fleet; its archive is in a folder."""

    def __init__(self, fleet: Fleet, identity: Identity, folder: Path, context: str) -> None:
        self._fleet = fleet
        self._identity = identity
        self._folder = folder
        self._context = context

    async def targets(self, query: ReadingsQuery) -> list[Managed]:
        """The devices that a query means; raises DeviceNotFound.  Whether they may be read the guard says.

        Without ids: every device that the identity may see, but quarantined ones.
        """
        if query.device_ids:
            return [await self._fleet.managed(device_id) for device_id in dict.fromkeys(query.device_ids)]
        everything = (await self._fleet.all()).values()
        found = [item for item in everything if not item.device.quarantined]
        return [item for item in found if self._identity.may_see(item.device.device_id)]

    async def page(
        self, query: ReadingsQuery, devices: Sequence[Managed], denied: dict[str, DSMILError]
    ) -> ReadingsPage:
        """One page, worked out in a thread that ends early when nobody waits for it any more."""
        question = _Question(query, devices, self._folder, self._context)
        found, cursor = await _answered(question)
        kept = tuple(
            DeniedDevice(_id_of(query, shown), error.code, error.message) for shown, error in denied.items()
        )
        return ReadingsPage(readings=tuple(found), denied=kept, cursor=cursor)


@cache
def _workers() -> ThreadPoolExecutor:
    """Threads of their own: a long question must not hold up whoever looks into the journal."""
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(AT_ONCE, thread_name_prefix="readings")


async def _answered(question: _Question) -> tuple[list[RecordedReading], str]:
    """The answer, which is broken off when nobody waits for it any more; raises OperationTimeout."""
    work = asyncio.get_running_loop().run_in_executor(_workers(), question.answer)
    try:
        async with asyncio.timeout(DEADLINE):
            return await asyncio.shield(work)
    except TimeoutError:
        question.cancel()
        message = f"the readings were not found within {DEADLINE:g} s"
        raise OperationTimeout(message, hint="ask for fewer devices, or less time, at once") from None
    finally:
        if not work.done():
            question.cancel()
            work.cancel()
            work.add_done_callback(_forgotten)


def _forgotten(work: asyncio.Future[Any]) -> None:
    if not work.cancelled():
        work.exception()  # it was broken off: nobody wants to know with what


class _BrokenOff(Exception):
    """Nobody waits for the answer any more."""


def _id_of(query: ReadingsQuery, shown: str) -> int | str:
    return next(device_id for device_id in query.device_ids if show_id(device_id) == shown)


class _Question:
    """One page being worked out, in a thread."""

    def __init__(self, query: ReadingsQuery, devices: Sequence[Managed], folder: Path, context: str) -> None:
        self._cursor = cursor_of(query)
        if self._cursor is not None:
            query = msgspec.structs.replace(query, since=self._cursor.since, until=self._cursor.until)
        self._query = query
        self._devices = devices
        self._folder = folder
        self._context = context
        self._cancelled = False
        self._pages: HistoryPages | None = None

    def cancel(self) -> None:
        """Break the answer off."""
        self._cancelled = True
        if self._pages is not None:
            self._pages.interrupt()

    def _require_wanted(self) -> None:
        if self._cancelled:
            raise _BrokenOff

    def answer(self) -> tuple[list[RecordedReading], str]:
        """The readings and the cursor of the next page."""
        if (self._folder / "archive.db").is_file():
            return self._with_archive()
        self._require_past()
        return self._page(self._past(None, self._registers(set())), ())

    def _with_archive(self) -> tuple[list[RecordedReading], str]:
        from dsmilctl.archive.extra import require_archive

        require_archive()
        from dsmilctl.archive.history import HistoryPages
        from dsmilctl.archive.places import Places

        pages = HistoryPages(Places(self._folder))
        with pages:
            self._pages = pages
            try:
                registers = self._registers(pages.registers())
                past = self._past(pages.first(self._context), registers)
                return self._page(past, pages.page(self._asked(registers)) if self._devices else ())
            finally:
                self._pages = None

    def _require_past(self) -> None:
        if self._devices and all(item.driver.past_end is None for item in self._devices):
            raise NotFound("no readings were recorded here", hint=HINT, target=self._context)

    def _registers(self, recorded: set[str]) -> tuple[str, ...]:
        """The registers asked for, by their right names; raises InvalidParameter for an unknown one."""
        known = {name.casefold(): name for name in sorted(recorded)}
        for managed in self._devices:
            known |= {item.name.casefold(): item.name for item in managed.device.registers}
        for name in self._query.registers if self._devices else ():
            if name.casefold() not in known:
                hint = nearest(name, known.values()) or f"registers: {', '.join(list(known.values())[:12])}"
                raise InvalidParameter(f"no register {name!r}", hint=hint, target=name)
        return tuple(known[name.casefold()] for name in self._query.registers if name.casefold() in known)

    def _past(self, recorded: int | None, registers: tuple[str, ...]) -> Iterator[RecordedReading]:
        """What drivers remember, up to the first recording."""
        query, cursor = self._query, self._cursor
        wanted = PastWanted(
            registers=registers, since=query.since, until=query.until, end=recorded, every=query.every,
            aggregate=query.aggregate, start=cursor.key if cursor else None,
            require_wanted=self._require_wanted,
        )  # fmt: skip
        return past_readings(self._devices, wanted)

    def _asked(self, registers: tuple[str, ...]) -> Asked:
        from dsmilctl.archive.history import Asked

        query, cursor = self._query, self._cursor
        return Asked(
            devices={item.device.shown_id: item.device.device_id for item in self._devices},
            context=self._context, registers=registers, since=query.since, until=query.until,
            every=query.every, aggregate=query.aggregate, start=cursor.key if cursor else None,
            limit=query.limit + 1 + (cursor.shown if cursor else 0),
        )  # fmt: skip

    def _page(
        self, past: Iterable[RecordedReading], recorded: Iterable[RecordedReading]
    ) -> tuple[list[RecordedReading], str]:
        query, shown = self._query, self._cursor.shown if self._cursor else 0
        merged: Iterator[RecordedReading] = heapq.merge(past, recorded, key=lambda item: item.key)
        if query.every:
            merged = _united(merged, query.aggregate)
        start = self._cursor.key if self._cursor else None
        found = list(islice(self._while_wanted(merged, start), shown, shown + query.limit + 1))
        if len(found) <= query.limit:
            return found, ""
        page = found[: query.limit]
        last = page[-1].key
        told = sum(item.key == last for item in page) + (shown if last == start else 0)
        cursor = Cursor(asked(query), query.since, query.until, last, told)
        return page, cursor.text()

    def _while_wanted(
        self, readings: Iterable[RecordedReading], start: tuple[str, str, int, int, str] | None
    ) -> Iterator[RecordedReading]:
        for reading in readings:
            self._require_wanted()
            if start is None or reading.key >= start:
                yield reading


def _united(readings: Iterable[RecordedReading], aggregate: str) -> Iterator[RecordedReading]:
    """Stretches whose beginning a driver remembers and whose end was recorded, as one."""
    for _, group in groupby(readings, lambda item: item.key):
        parts = list(group)
        yield parts[0] if len(parts) == 1 else _sum(parts, aggregate)


def _sum(parts: Sequence[RecordedReading], aggregate: str) -> RecordedReading:
    """One stretch of several parts; the remembered one comes first."""
    count = sum(part.readings for part in parts)
    numbers = [part.value for part in parts if isinstance(part.value, (int, float))]
    if aggregate == "mean":
        value: float = sum(float(part.value or 0) * part.readings for part in parts) / count
    elif aggregate in ("median", "stddev"):
        raise InvalidParameter(
            f"no {aggregate} of a stretch that was recorded in part only",
            hint="choose mean, or begin at the recording: since",
            target="aggregate",
        )
    else:
        value = MAKERS[aggregate if aggregate != "count" else "sum"](numbers)
    return msgspec.structs.replace(parts[0], value=value, readings=count)
