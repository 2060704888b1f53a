"""Reading: one value of one register of one device at one time, and how far to trust it."""

from __future__ import annotations

import math
from enum import StrEnum

import msgspec

from dsmilctl.model.device import DeviceId
from dsmilctl.model.register import Register, Value


class Quality(StrEnum):
    """How far a value can be trusted."""

    GOOD = "good"
    STALE = "stale"
    BAD = "bad"


class Span(msgspec.Struct, frozen=True, gc=False):
    """A part of a register's block: `offset` and `length` in bytes."""

    offset: int = 0
    length: int = 4


class Reading(msgspec.Struct, frozen=True, gc=False):
    """One value of one register.

    `value` is in the register's unit and None when the read failed; `raw` is what the device sent when it
    differs; `timestamp` is in nanoseconds UTC; `sequence` rises by one per reading of a fleet; `latency_ms`
    is the time from the request to the answer; `error` says why the quality is not good and `error_code` is
    its stable code.
    """

    device_id: DeviceId
    register: str
    value: Value | None
    timestamp: int
    unit: str = ""
    quality: Quality = Quality.GOOD
    raw: int | str | None = None
    latency_ms: float | None = None
    error: str = ""
    error_code: str = ""
    sequence: int = 0

    @property
    def good(self) -> bool:
        """Whether the value can be trusted now."""
        return self.quality is Quality.GOOD


class Batch(msgspec.Struct, frozen=True, gc=False):
    """What one tick of a stream brought.

    `readings` holds what changed (or everything where the stream was asked for everything); every device of
    the stream that is neither in `failed` nor in `pending` was reached at `timestamp`, so an unchanged value
    is as fresh as that.  `pending` devices are being asked on their own: their answers follow.
    A `partial` batch speaks only of the devices in its `readings` and `failed`: those that had to be asked
    on their own and answered later than the others.
    """

    sequence: int
    timestamp: int
    readings: tuple[Reading, ...]
    failed: tuple[DeviceId, ...] = ()
    latency_ms: float = 0.0
    partial: bool = False
    pending: tuple[DeviceId, ...] = ()


class Gap(msgspec.Struct, frozen=True, gc=False):
    """`missed` readings or events did not reach this listener, because it was slower than they came."""

    missed: int


GOOD = (Quality.GOOD, "")


def judge(register: Register, value: Value) -> tuple[Quality, str]:
    """Quality of a value by plausibility and why: bad outside the register's `minimum` and `maximum`.

    What can be written is a wish, not a measurement, and always good.
    """
    if register.access != "ro" or isinstance(value, (str, bool)):
        return GOOD
    if isinstance(value, float) and not math.isfinite(value):
        return Quality.BAD, f"{value} is no measurement"
    if register.minimum is not None and value < register.minimum:
        return Quality.BAD, f"below {register.format(register.minimum)}, the least that can be"
    if register.maximum is not None and value > register.maximum:
        return Quality.BAD, f"above {register.format(register.maximum)}, the most that can be"
    return GOOD
