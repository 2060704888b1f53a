"""Drawing: charts of a series as SVG, without any package: a band from least to most, and the mean in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import msgspec

from dsmilctl.archive.report.contents import Series
from dsmilctl.archive.report.findings import number

Values = Sequence[float | None]


class Frame(msgspec.Struct, frozen=True):
    """Where places and values are drawn: `count` places from `left` to `right`, `low` below `high`."""

    left: float
    right: float
    top: float
    bottom: float
    count: int
    low: float
    high: float

    def x(self, place: int) -> float:
        """From left to right."""
        return self.left + place * (self.right - self.left) / max(1, self.count - 1)

    def y(self, value: float) -> float:
        """From top to bottom."""
        return self.bottom - (value - self.low) * (self.bottom - self.top) / (self.high - self.low)


def bounds(lows: Values, highs: Values) -> tuple[float, float]:
    """The least and the greatest value, never the same."""
    low = min((value for value in lows if value is not None), default=0.0)
    high = max((value for value in highs if value is not None), default=1.0)
    room = abs(low) * 0.01 or 0.5
    return (low, high) if high > low else (low - room, low + room)


def runs(values: Values) -> Iterator[range]:
    """The places of values that follow each other; a single one in between nothing is one, too.

    Places without a value are left over only where they are many: a slow register has one now and then.
    """
    places = [place for place, value in enumerate(values) if value is not None]
    usual = sorted(after - before for before, after in pairwise(places))
    most = 3 * usual[len(usual) // 2] if usual else 1
    start = 0
    for index in range(1, len(places) + 1):
        if index == len(places) or places[index] - places[index - 1] > most:
            if places[start:index]:
                yield range(start, index)
            start = index


def chart(series: Series) -> str:
    """A chart with its scale at the right; where nothing came, nothing is drawn."""
    low, high = bounds(series.low, series.high)
    frame = Frame(4, 310, 10, 122, len(series.mean), low, high)
    rules = "".join(_rule(frame, value) for value in (low, (low + high) / 2, high))
    return f'<svg viewBox="0 0 360 130" role="img">{rules}{_shape(series, frame, band=True)}</svg>'


def spark(series: Series) -> str:
    """The same as a line in a table."""
    frame = Frame(2, 118, 3, 19, len(series.mean), *bounds(series.mean, series.mean))
    return f'<svg class="spark" viewBox="0 0 120 22">{_shape(series, frame, band=False)}</svg>'


def _rule(frame: Frame, value: float) -> str:
    y = frame.y(value)
    line = f'<line class="rule" x1="{frame.left}" x2="{frame.right}" y1="{y:.1f}" y2="{y:.1f}"/>'
    return f'{line}<text x="{frame.right + 8}" y="{y + 3.5:.1f}">{number(value)}</text>'


def _shape(series: Series, frame: Frame, *, band: bool) -> str:
    places = [place for place, value in enumerate(series.mean) if value is not None]
    drawn = []
    for run in runs(series.mean):
        chosen = [places[index] for index in run]
        if band:
            edge = [*_points(frame, series.high, chosen), *reversed(_points(frame, series.low, chosen))]
            drawn.append(f'<polygon class="band" points="{" ".join(edge)}"/>')
        points = _points(frame, series.mean, chosen)
        if len(points) == 1:
            x, _, y = points[0].partition(",")
            drawn.append(f'<circle class="dot" cx="{x}" cy="{y}" r="1.8"/>')
        else:
            drawn.append(f'<polyline class="line" points="{" ".join(points)}"/>')
    return "".join(drawn)


def _points(frame: Frame, values: Values, places: Sequence[int]) -> list[str]:
    found = ((place, values[place]) for place in places)
    return [f"{frame.x(place):.1f},{frame.y(value):.1f}" for place, value in found if value is not None]
