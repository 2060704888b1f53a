"""Chart: one live series, drawn in braille by plotext into lines of which only the changed cells are sent."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip

from dsmilctl.tui.inert import fit
from dsmilctl.tui.plot import PLOT
from dsmilctl.tui.scale import label, steady_range
from dsmilctl.tui.series import Series
from dsmilctl.tui.widgets.ink import Inked, ink

AXIS = 10
"""Cells of the labels on the left."""


class Chart(Inked):
    """The last seconds of one register, with its alarm limits."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.series = Series()
        self.title = ""
        self.unit = ""
        self.limits: tuple[float | None, float | None] = (None, None)
        self.seconds = 60.0
        self.vacancy = ""
        self._range: tuple[float, float, float] | None = None
        self._lines: list[str] = []
        self._columns: list[tuple[float, float] | None] = []
        self._labels: dict[int, str] = {}
        self._marks: dict[int, str] = {}

    def begin(self, title: str, unit: str, limits: tuple[float | None, float | None]) -> None:
        """Show another register."""
        self.series.clear()
        self.title, self.unit, self.limits = title, unit, limits
        self.vacancy = f"The samples of {title} appear here."
        self._range = None
        self._lines = []
        self.refresh()

    def say(self, text: str) -> None:
        """Say why there is no chart."""
        self.vacancy = text
        self.refresh()

    def retitle(self, unit: str) -> None:
        """Say something else beside the title."""
        self.unit = unit
        self._columns = []
        self.refresh()

    def draw(self, now: float) -> None:
        """Draw the series as it is now and send what changed."""
        self.draw_columns(self.series.columns(now, self.seconds, max(1, self.size.width - AXIS)))

    def draw_columns(self, columns: list[tuple[float, float] | None]) -> None:
        """Draw the least and greatest value of each column, DOTS of them in a cell, and send what changed."""
        width, height = self.size.width - AXIS, self.size.height - 2
        if width < 4 or height < 1:
            return
        known = [span for span in columns if span is not None]
        if not known or (columns == self._columns and len(self._lines) == height):
            return
        self._columns = columns
        low, high = min(span[0] for span in known), max(span[1] for span in known)
        before = self._range
        self._range = steady_range(self._range, low, high)
        drawn = PLOT.lines(columns, self._range[:2], width, height)
        whole = before != self._range or [*map(len, drawn)] != [*map(len, self._lines)]
        old, self._lines = self._lines, drawn
        if whole:
            self._label(height)
            self.refresh()
        else:
            self._refresh_changes(old, drawn)

    def _refresh_changes(self, before: Sequence[str], after: Sequence[str]) -> None:
        for y, (old, new) in enumerate(zip(before, after, strict=True)):
            if old != new:
                places = [
                    place for place, pair in enumerate(zip(old, new, strict=True)) if pair[0] != pair[1]
                ]
                first, last = places[0], places[-1] + 1
                self.refresh(Region(AXIS + first, y + 1, last - first, 1))

    def _label(self, height: int) -> None:
        assert self._range is not None
        bottom, top, step = self._range
        self._labels, self._marks = {}, {}
        value = bottom
        while value <= top + step / 2:
            self._labels[self._line_of(value, height)] = label(value, step)
            value += step
        for limit, sign in zip(self.limits, ("▼", "▲"), strict=True):
            if limit is not None and bottom <= limit <= top:
                self._marks[self._line_of(limit, height)] = f"{sign} {label(limit, step)}"

    def _line_of(self, value: float, height: int) -> int:
        assert self._range is not None
        bottom, top, _ = self._range
        return round((top - value) / (top - bottom) * (height - 1))

    def render_line(self, y: int) -> Strip:
        """The title, a line of the chart with its label, or the time below it."""
        width, height = self.size
        plain, dim = ink(self, "plain"), ink(self, "dim")
        if y and not self._lines:
            return Strip([Segment(fit(f"  {self.vacancy}" if y == 1 else "", width), dim)], width)
        if y == 0:
            return Strip(
                [Segment(f" {self.title}", ink(self, "strong")), Segment(f"  {self.unit}", dim)]
            ).adjust_cell_length(width, plain)
        if y == height - 1:
            return self._render_time(width)
        line = self._lines[y - 1] if y - 1 < len(self._lines) else ""
        mark = self._marks.get(y - 1)
        text = mark or self._labels.get(y - 1, "")
        style = ink(self, "warn") if mark else dim
        segments = [
            Segment(fit(text, AXIS - 2, right=True) + " ", style),
            Segment("┤" if text else "│", ink(self, "faint")),
            Segment(line, ink(self, "accent")),
        ]
        return Strip(segments).adjust_cell_length(width, plain)

    def _render_time(self, width: int) -> Strip:
        room = max(0, width - AXIS - 8)
        left = f"-{self.seconds:g} s"
        axis = f"{left}{'now':>{max(0, room - len(left) + 8)}}"
        text = " " * (AXIS - 1) + "└" + axis
        return Strip([Segment(fit(text, width), ink(self, "faint"))]).adjust_cell_length(width)
