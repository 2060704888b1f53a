"""Thresholds: from which value on a register is in alarm, and behind which it no longer is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from dsmilctl.model.alarm import Condition
from dsmilctl.model.device import Device
from dsmilctl.model.register import FLOATS, INTEGER_RANGES, Register, Value

CRITICAL = ".critical"
DEAD_BAND = 0.02
"""The part of a register's span by which a value must come back behind its limit before the alarm is over.
Source: ANSI/ISA-18.2-2016, recommended dead-bands: 5 % for flow and level, 2 % for pressure, 1 % for heat."""


class Threshold(msgspec.Struct, frozen=True):
    """One limit: the condition begins beyond `limit` and ends `dead_band` behind it, both in the unit."""

    condition: Condition
    limit: float
    dead_band: float

    def holds(self, value: float, *, before: bool) -> bool:
        """Whether the condition holds; `before` is whether it held until now."""
        band = self.dead_band if before else 0.0
        if self.condition is Condition.LOW:
            return value < self.limit + band
        if self.condition is Condition.HIGH:
            return value > self.limit - band
        return value >= self.limit - band


def thresholds_of(register: Register, critical: float | None = None) -> tuple[Threshold, ...]:
    """The limits of a register: its own `low` and `high`, and the critical one that its device names."""
    if not register.readable or not (register.type in FLOATS or register.type in INTEGER_RANGES):
        return ()
    limits = ((Condition.LOW, register.low), (Condition.HIGH, register.high), (Condition.HIGH_HIGH, critical))
    return tuple(
        Threshold(condition, limit, DEAD_BAND * _span(register, limit))
        for condition, limit in limits
        if limit is not None
    )


def critical_limits(device: Device) -> dict[str, float]:
    """The critical limits among the facts of a device, by register: `temp1.critical`."""
    named = {name.removesuffix(CRITICAL): text for name, text in device.facts if name.endswith(CRITICAL)}
    return {name: limit for name, text in named.items() if (limit := _number(text)) is not None}


def calm(thresholds: Sequence[Threshold]) -> tuple[float, float]:
    """The least value that touches no limit, and the least above it that does."""
    lows = [item.limit for item in thresholds if item.condition is Condition.LOW]
    highs = [item.limit for item in thresholds if item.condition is not Condition.LOW]
    return max(lows, default=-math.inf), min(highs, default=math.inf)


def number_of(value: Value | None) -> float | None:
    """A value as a number that can be held against a limit, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) else None


def _span(register: Register, limit: float) -> float:
    """What the register covers: between its limits, or the values that it can have, or the limit itself."""
    for low, high in ((register.low, register.high), (register.minimum, register.maximum)):
        if low is not None and high is not None and low < high:
            return high - low
    return abs(limit)


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) else None
