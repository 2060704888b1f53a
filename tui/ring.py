"""Ring: the last 60 seconds of one register, one number per second, and the line of blocks drawn from it."""

from __future__ import annotations

import math
from array import array

SECONDS = 60
BLOCKS = "▁▂▃▄▅▆▇█"
GAP = "·"
_EMPTY = array("f", [math.nan] * SECONDS)
FLAT_PART = 0.04
"""A line is drawn over at least this part of its own size, so that noise does not look like a storm."""


class Ring:
    """The last 60 seconds.  A second without a value is NaN; `second` is a whole monotonic second."""

    __slots__ = ("_last", "_values")

    def __init__(self) -> None:
        self._values = _EMPTY[:]
        self._last = -1

    def put(self, second: int, value: float, *, held_until: int | None = None) -> None:
        """Note the value of a second.

        The value before it is held until `held_until` (up to this second when None): the device was
        reached and had not changed.  Seconds after that are a gap.
        """
        if self._last >= 0:
            self.hold(second - 1 if held_until is None else min(held_until, second - 1))
            self._fill(self._last + 1, second - 1, math.nan)
        self._values[second % SECONDS] = value
        self._last = max(second, self._last)

    def hold(self, second: int) -> None:
        """The last value is known to have held until this second."""
        if self._last >= 0 and second > self._last:
            self._fill(self._last + 1, second, self._values[self._last % SECONDS])
            self._last = second

    def _fill(self, first: int, last: int, value: float) -> None:
        count = min(last - first + 1, SECONDS)
        if count <= 0:
            return
        start = (last - count + 1) % SECONDS
        fitting = min(count, SECONDS - start)
        self._values[start : start + fitting] = array("f", (value,)) * fitting
        if fitting < count:
            self._values[: count - fitting] = array("f", (value,)) * (count - fitting)

    def window(self, second: int) -> list[float]:
        """The 60 values that end with `second`, oldest first."""
        if self._last < 0 or second - self._last >= SECONDS:
            return [math.nan] * SECONDS
        start = (second + 1) % SECONDS
        values = list(self._values[start:]) + list(self._values[:start])
        for offset in range(max(0, second - self._last)):
            values[SECONDS - 1 - offset] = math.nan
        return values


def blocks(ring: Ring | None, second: int, cells: int) -> str:
    """The last minute as `cells` blocks in one colour.

    Cells are aligned to the clock, so that a line moves by a whole cell and not by a part of one.
    """
    if ring is None or cells <= 0:
        return GAP * max(cells, 0)
    per_cell = max(1, SECONDS // cells)
    aligned = second - second % per_cell + per_cell - 1
    values = ring.window(min(aligned, second))
    lead = aligned - second
    values = values[lead:] + [math.nan] * lead if lead > 0 else values
    means = [_mean(values[index : index + per_cell]) for index in range(0, per_cell * cells, per_cell)]
    return _draw(means)


def _mean(values: list[float]) -> float:
    total = sum(values)
    if not math.isnan(total):
        return total / len(values)
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def _draw(means: list[float]) -> str:
    known = [mean for mean in means if not math.isnan(mean)]
    if not known:
        return GAP * len(means)
    low, high = min(known), max(known)
    span = max(high - low, FLAT_PART * max(abs(low), abs(high)), 1e-9)
    floor = (low + high - span) / 2
    top = len(BLOCKS) - 1
    return "".join(GAP if math.isnan(mean) else BLOCKS[round((mean - floor) / span * top)] for mean in means)
