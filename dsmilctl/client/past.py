"""Past: pages of what drivers know of the time before they were opened, in the order of an archive."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any

import msgspec

from dsmilctl.drivers.contract import Answer
from dsmilctl.drivers.managed import Managed
from dsmilctl.errors import DSMILError
from dsmilctl.model.history import Key, RecordedReading
from dsmilctl.model.reading import Quality
from dsmilctl.model.register import Register

MAKERS: dict[str, Callable[[list[Any]], Any]] = {
    "mean": statistics.fmean,
    "min": lambda values: float(min(values)),
    "max": lambda values: float(max(values)),
    "sum": lambda values: float(sum(values)),
    "count": len,
    "first": lambda values: float(values[0]),
    "last": lambda values: float(values[-1]),
    "median": lambda values: float(statistics.median(values)),
    "stddev": lambda values: statistics.stdev(values) if len(values) > 1 else None,
}
"""The aggregates of an archive, over numbers."""


class PastWanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which readings, of a past that ends before `end` (nanoseconds UTC) at the latest.

    `require_wanted` raises when nobody waits for them any more.
    """

    registers: tuple[str, ...] = ()
    since: int | None = None
    until: int | None = None
    end: int | None = None
    every: int = 0
    aggregate: str = "mean"
    start: Key | None = None
    require_wanted: Callable[[], None]


def past_readings(devices: Iterable[Managed], wanted: PastWanted) -> Iterator[RecordedReading]:
    """What the drivers of some devices know of the past, by device, register and time."""
    for managed in sorted(devices, key=lambda item: item.device.shown_id):
        if managed.driver.past_end is None:
            continue
        for register in sorted(managed.device.registers, key=lambda item: item.name):
            wanted.require_wanted()
            if register.readable and (not wanted.registers or register.name in wanted.registers):
                yield from _of_register(managed, register, wanted)


def _of_register(managed: Managed, register: Register, wanted: PastWanted) -> Iterator[RecordedReading]:
    shown, since, start = managed.device.shown_id, wanted.since, wanted.start
    if start is not None:
        if (shown, register.name) < start[:2]:
            return
        if (shown, register.name) == start[:2]:
            since = start[2] if since is None else max(start[2], since)
    until = _least(wanted.until, None if wanted.end is None else wanted.end - 1)
    values = managed.driver.past(managed.device, register, since, until)
    if wanted.every:
        yield from _stretches(managed, register, values, wanted)
        return
    for time, answer in values:
        yield _reading(managed, register, time, answer)


def _least(one: int | None, other: int | None) -> int | None:
    known = [moment for moment in (one, other) if moment is not None]
    return min(known, default=None)


def _reading(managed: Managed, register: Register, time: int, answer: Answer) -> RecordedReading:
    device_id, name = managed.device.device_id, register.name
    if isinstance(answer, DSMILError):
        return RecordedReading(
            device_id=device_id, register=name, timestamp=time, value=None, unit=register.unit,
            quality=Quality.BAD, error=answer.message, error_code=answer.code,
        )  # fmt: skip
    return RecordedReading(
        device_id=device_id, register=name, timestamp=time, value=answer, unit=register.unit
    )


def _stretches(
    managed: Managed, register: Register, values: Iterable[tuple[int, Answer]], wanted: PastWanted
) -> Iterator[RecordedReading]:
    """One value for each stretch that has a good reading."""
    every, made = wanted.every, MAKERS[wanted.aggregate]
    for stretch, inside in groupby(values, lambda item: item[0] // every):
        good = [answer for _, answer in inside if isinstance(answer, (int, float))]
        if good:
            yield RecordedReading(
                device_id=managed.device.device_id, register=register.name, timestamp=stretch * every,
                value=made(good), unit=register.unit, readings=len(good),
            )  # fmt: skip
