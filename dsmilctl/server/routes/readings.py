"""`/readings`: what was recorded of the devices (an extension of ours)."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from dsmilctl.clock import NANOSECONDS, rfc3339
from dsmilctl.errors import InvalidParameter, MissingExtraError, NotFound, OperationTimeout
from dsmilctl.model.history import MOST, ReadingsPage, ReadingsQuery, RecordedReading
from dsmilctl.model.identity import Clearance
from dsmilctl.server.endpoint import Call, Endpoint
from dsmilctl.times import duration, moment
from dsmilctl.wire.readings import DeniedInfo, RecordedInfo, RecordedReadings
from dsmilctl.wire.values import device_id_of

T = TypeVar("T")
Aggregate = Literal["mean", "min", "max", "sum", "count", "first", "last", "median", "stddev"]
LONGEST_STRETCH = 366 * 86_400
EARLIEST, LATEST = -(2**63), 2**63 - 1
"""Moments that 64 bits hold, in nanoseconds."""


class ReadingsParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which readings are wanted.

    `device_ids` and `registers` are comma lists, without them all; `since` and `until` are moments or
    durations ago; with `every` (a duration) one value for each register and stretch, made by `aggregate`;
    `cursor` is the `next_cursor` of the page before.
    """

    device_ids: str = ""
    registers: str = ""
    since: str = ""
    until: str = ""
    every: str = ""
    aggregate: Aggregate = "mean"
    cursor: str = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST)] = 1000


async def readings(call: Call) -> RecordedReadings:
    """A page of recorded readings; the question ends when the client goes away."""
    given: ReadingsParameters = call.query
    query = ReadingsQuery(
        device_ids=tuple(device_id_of(text) for text in _listed(given.device_ids)),
        registers=tuple(_listed(given.registers)),
        since=_moment("since", given.since),
        until=_moment("until", given.until),
        every=_stretch(given.every),
        aggregate=given.aggregate,
        cursor=given.cursor,
        limit=given.limit,
    )
    try:
        return _page(await _while_wanted(call, call.client.readings(query)))
    except MissingExtraError as error:
        message = "this server keeps no readings: what an archive needs is not installed there"
        raise NotFound(message, hint=error.hint, target="readings") from None


def _listed(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _moment(name: str, text: str) -> int | None:
    try:
        found = moment(text)
    except (OverflowError, ValueError):
        found = LATEST + 1
    if found is not None and not EARLIEST <= found <= LATEST:
        raise InvalidParameter(f"{name} is beyond every calendar", hint="2026-11-20T10:00:00Z", target=name)
    return found


def _stretch(text: str) -> int:
    seconds = duration(text) if text else 0.0
    if text and not 0.001 <= seconds <= LONGEST_STRETCH:
        raise InvalidParameter(f"every cannot be {text}", hint="1s, 1m, 1h, 1d", target="every")
    return round(seconds * NANOSECONDS)


async def _while_wanted(call: Call, work: Coroutine[Any, Any, T]) -> T:
    """What comes of the work, which is broken off when the client goes away."""
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(_left(call))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise OperationTimeout("the client went away")
        return working.result()
    finally:
        leaving.cancel()
        working.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _left(call: Call) -> None:
    """Return when the client is gone."""
    while call.heard is not None and (await call.heard())["type"] != "http.disconnect":
        pass


def _page(page: ReadingsPage) -> RecordedReadings:
    found = [_info(reading) for reading in page.readings]
    denied = [
        DeniedInfo(device_id=item.device_id, code=item.code, message=item.message) for item in page.denied
    ]
    return RecordedReadings(
        readings=found, denied=denied, returned=len(found), next_cursor=page.cursor or None
    )


def _info(reading: RecordedReading) -> RecordedInfo:
    return RecordedInfo(
        device_id=reading.device_id, register=reading.register, timestamp=rfc3339(reading.timestamp, 9),
        value=reading.value, unit=reading.unit, quality=reading.quality, readings=reading.readings,
        raw=reading.raw, latency_ms=reading.latency_ms, error=reading.error, error_code=reading.error_code,
        sequence=reading.sequence, recording=reading.recording,
    )  # fmt: skip


ENDPOINTS = (
    Endpoint(
        method="GET", path="/readings", handler=readings, query=ReadingsParameters, answer=RecordedReadings,
        summary="What was recorded", clearance=Clearance.CONFIDENTIAL, operation=True,
        errors=("DEVICE_NOT_FOUND", "NOT_FOUND"),
    ),
)  # fmt: skip
