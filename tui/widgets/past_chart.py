"""Past chart: one recorded register over a stretch of time that does not move."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from textual.strip import Strip

from dsmilctl.clock import rfc3339
from dsmilctl.tui.inert import fit
from dsmilctl.tui.recordings import Span
from dsmilctl.tui.series import DOTS
from dsmilctl.tui.widgets.chart import AXIS, Chart
from dsmilctl.tui.widgets.ink import ink


class PastChart(Chart):
    """A recorded register between two moments."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._spans: Sequence[Span] = ()
        self._ends = (0, 0)

    def take(self, spans: Sequence[Span], times: tuple[int, int]) -> None:
        """Show these parts of the time between two moments in nanoseconds UTC."""
        self._spans, self._ends = spans, times
        self._draw()

    def on_resize(self) -> None:
        """Fewer or more columns."""
        self._draw()

    def _draw(self) -> None:
        if self._spans:
            self.draw_columns(gathered(self._spans, max(1, (self.size.width - AXIS) * DOTS)))

    def _render_time(self, width: int) -> Strip:
        first, last = (rfc3339(moment)[:19].replace("T", " ") for moment in self._ends)
        room = max(0, width - AXIS - len(first))
        text = " " * (AXIS - 1) + "└" + (first + f"{last:>{room}}" if room > len(last) else first)
        return Strip([Segment(fit(text, width), ink(self, "faint"))]).adjust_cell_length(width)


def gathered(spans: Sequence[Span], count: int) -> list[Span]:
    """As many parts as there are columns: several become one, or one is drawn over several."""
    found: list[Span] = []
    for column in range(count):
        first = column * len(spans) // count
        last = max(first + 1, (column + 1) * len(spans) // count)
        known = [span for span in spans[first:last] if span is not None]
        found.append((min(low for low, _ in known), max(high for _, high in known)) if known else None)
    return found
