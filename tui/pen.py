"""Pen: turns an update of the screen into the fewest bytes, for slow lines.

The framework writes every changed line from its widget's left edge and spells out both colours around every
piece of text.  This writes the changed cells alone, and a colour only when it is another one than before.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate

RESET = "\x1b[0m"


@lru_cache(maxsize=4096)
def codes_of(style: Style | None, system: ColorSystem) -> str:
    """The sequence that begins a style, from a clean pen."""
    if style is None:
        return RESET
    begun = style.render("x", color_system=system).partition("x")[0]
    return f"\x1b[0;{begun[2:]}" if begun.startswith("\x1b[") else RESET


class Pen:
    """Collects text and sequences, and knows the colour it writes in."""

    def __init__(self, system: ColorSystem) -> None:
        self._system = system
        self._codes = ""
        self._pieces: list[str] = []

    def move_to(self, x: int, y: int) -> None:
        """Go to a cell; `x` and `y` count from 0."""
        self._pieces.append(f"\x1b[{y + 1};{x + 1}H")

    def write(self, segments: Iterable[Segment]) -> None:
        """Write pieces of text in their styles."""
        for text, style, control in segments:
            if control or not text:
                continue
            codes = codes_of(style, self._system)
            if codes != self._codes:
                self._pieces.append(codes)
                self._codes = codes
            self._pieces.append(text)

    def text(self) -> str:
        """All of it, with a clean pen at the end."""
        return "".join([*self._pieces, RESET])


class SpansUpdate(ChopsUpdate):
    """Changed spans of lines."""

    def render_segments(self, console: Console) -> str:
        """The bytes for the terminal."""
        pen = Pen(console._color_system or ColorSystem.TRUECOLOR)
        for y, first, last in self.spans:
            for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                if strip is None or x >= last or end <= first:
                    continue
                begin = max(first, x)
                pen.move_to(begin, y)
                pen.write(strip.crop(begin - x, min(end, last) - x))
        return pen.text()


class WholeUpdate(LayoutUpdate):
    """The whole screen."""

    def render_segments(self, console: Console) -> str:
        """The bytes for the terminal."""
        pen = Pen(console._color_system or ColorSystem.TRUECOLOR)
        for y, line in enumerate(self.strips, self.region.y):
            pen.move_to(self.region.x, y)
            for strip in line:
                pen.write(strip)
        return pen.text()


def sparing(update: object) -> object:
    """The same update in fewer bytes, where it is one of those that this module knows."""
    if type(update) is ChopsUpdate:
        return SpansUpdate(update.chops, update.spans, update.chop_ends)
    if type(update) is LayoutUpdate:
        return WholeUpdate(update.strips, update.region)
    return update
