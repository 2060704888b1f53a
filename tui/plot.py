"""Plot: a live series as lines of braille, drawn by plotext."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dsmilctl.tui.inert import fit
from dsmilctl.tui.series import DOTS


class Plot:
    """A plotext figure without axes; the figure is plotext's own and there is one per process.

    The figure keeps a copy of what is drawn on it.  `draw` asks every point for its colour, which costs more
    than the picture: so one signal is drawn once, and its copy takes the new points of each frame.
    """

    def __init__(self) -> None:
        self._figure: Any = None
        self._signal: Any = None

    def _ready(self) -> Any:
        if self._figure is None:
            import plotext

            plotext.terminal.limit(False, False)
            self._figure = plotext.figure
            self._figure.clear()
            self._figure.theme("colorless")
            self._figure.axes(False)
            self._figure.ruler("both", "both").frequency(0)
            self._figure.ruler("both", "both").alignment(lim="edge")
            self._figure.draw(self._figure.signal([0], [0], marker="braille"))
            self._signal = self._figure._signals.get(0)
        return self._figure

    def lines(
        self,
        columns: Sequence[tuple[float, float] | None],
        limits: tuple[float, float],
        width: int,
        height: int,
    ) -> list[str]:
        """The columns as lines of braille; a column without a value breaks the line."""
        figure = self._ready()
        figure.plot_size(width, height)
        figure.ruler("x", "lower").lim(0, len(columns))
        figure.ruler("y", "left").lim(*limits)
        x, y, breaks = _path(columns)
        signal = figure.signal(x, y, marker="braille").lines(True)
        for index in breaks:
            signal.line(index, False)
        self._signal.clone(signal)
        text: str = figure.build().string(colorless=True)
        return [fit(line, width) for line in text.rstrip("\n").split("\n")][:height]


PLOT = Plot()
"""The one there is: a second one would wipe what the first drew."""


def _path(columns: Sequence[tuple[float, float] | None]) -> tuple[list[float], list[float], list[int]]:
    """The points of the line, without those inside a level run, and the points before which it is broken."""
    x: list[float] = []
    y: list[float] = []
    breaks: list[int] = []
    broken = True
    for place, span in enumerate(columns):
        if span is None:
            broken = True
            continue
        if broken and x:
            breaks.append(len(x))
        low, high = span
        rising = bool(y) and abs(y[-1] - low) <= abs(y[-1] - high)
        for value in (low,) if low == high else (low, high) if rising else (high, low):
            level = not broken and len(y) > 1 and y[-1] == y[-2] == value and len(x) - 1 not in breaks[-1:]
            if level:
                x[-1] = place + 1 / DOTS
            else:
                x.append(place + 1 / DOTS)
                y.append(value)
        broken = False
    return x, y, breaks
