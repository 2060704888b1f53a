"""Series: one register over time, reduced to the least and greatest value per column of a chart."""

from __future__ import annotations

import math
from collections import deque

SAMPLES = 16_384
DOTS = 2
"""Columns of dots in one cell of braille."""


class Series:
    """Samples as they come, and their bins: columns of equal time, aligned to the clock.

    Aligned bins keep their content while the window moves on, so a chart moves by whole columns and a peak
    never flickers.  Times are monotonic seconds.
    """

    def __init__(self) -> None:
        self._arrived: deque[tuple[float, float]] = deque(maxlen=SAMPLES)
        self._samples: deque[tuple[float, float]] = deque(maxlen=SAMPLES)
        self._bins: dict[int, tuple[float, float]] = {}
        self._width = 0.0

    def add(self, time: float, value: float) -> None:
        """Add a sample; NaN is a gap.  May be called from another thread than the rest."""
        self._arrived.append((time, value))

    def _take_arrived(self) -> None:
        while self._arrived:
            time, value = self._arrived.popleft()
            self._samples.append((time, value))
            if self._width:
                self._sort_in(time, value)

    def _sort_in(self, time: float, value: float) -> None:
        if math.isnan(value):
            return
        number = int(time // self._width)
        low, high = self._bins.get(number, (value, value))
        self._bins[number] = (min(low, value), max(high, value))

    def clear(self) -> None:
        """Forget everything."""
        self._arrived.clear()
        self._samples.clear()
        self._bins.clear()

    def columns(self, now: float, seconds: float, cells: int) -> list[tuple[float, float] | None]:
        """The last `seconds` in `cells` cells of DOTS columns: least and greatest value, None for a gap."""
        self._take_arrived()
        count = max(1, cells * DOTS)
        width = seconds / count
        if width != self._width:
            self._rebuild(width)
        last = int(now // width)
        self._forget(last - 4 * count)
        return [self._bins.get(number) for number in range(last - count + 1, last + 1)]

    def _rebuild(self, width: float) -> None:
        self._width = width
        self._bins = {}
        for time, value in self._samples:
            self._sort_in(time, value)

    def _forget(self, before: int) -> None:
        if self._bins and len(self._bins) > 2048:
            self._bins = {number: span for number, span in self._bins.items() if number >= before}
