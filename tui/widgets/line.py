"""Line: one row of coloured text that rewrites only the cells that changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip

from dsmilctl.tui.inert import fit
from dsmilctl.tui.widgets.ink import Inked, ink


class Part(NamedTuple):
    """A piece of a line: its text, its ink, and the action that a click on it runs.

    What says nothing when it is cut is shown `whole` or not at all.
    """

    text: str
    ink: str = "plain"
    action: str = ""
    whole: bool = False


class Line(Inked):
    """One row: parts from the left, parts from the right; the left ones give way."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._left: tuple[Part, ...] = ()
        self._right: tuple[Part, ...] = ()
        self._painted = ""

    def show(self, left: Sequence[Part], right: Sequence[Part] = ()) -> None:
        """Show these parts; only what differs from before is painted."""
        if (tuple(left), tuple(right)) == (self._left, self._right):
            return
        same_inks = [part[1:] for part in (*left, *right)] == [
            part[1:] for part in (*self._left, *self._right)
        ]
        self._left, self._right = tuple(left), tuple(right)
        if not self.size.width:
            return
        text = "".join(part.text for part in self._arrange(self.size.width))
        first, last = difference(self._painted, text) if same_inks else (0, self.size.width)
        if last > first:
            self.refresh(Region(first, 0, last - first, 1))

    @property
    def text(self) -> str:
        """What the line says."""
        return "".join(part.text for part in self._arrange(self.size.width)).rstrip()

    def _arrange(self, width: int) -> list[Part]:
        right_width = sum(cell_len(part.text) for part in self._right)
        if right_width >= width:
            return _cut(self._right, width)
        left = _cut(self._left, width - right_width - 1)
        taken = sum(cell_len(part.text) for part in left)
        return [*left, Part(" " * (width - right_width - taken)), *self._right]

    def render_line(self, y: int) -> Strip:
        """The line itself; rows below it are blank."""
        width = self.size.width
        if y:
            return Strip.blank(width, ink(self, "plain"))
        parts = self._arrange(width)
        self._painted = "".join(part.text for part in parts)
        return Strip([Segment(part.text, self._style(part)) for part in parts if part.text], width)

    def _style(self, part: Part) -> Style:
        style = ink(self, part.ink)
        return style + Style(meta={"@click": part.action}) if part.action else style


def _cut(parts: Sequence[Part], width: int) -> list[Part]:
    kept: list[Part] = []
    for part in parts:
        taken = cell_len(part.text)
        if taken > width:
            if width > 1 and not part.whole:
                kept.append(part._replace(text=fit(part.text, width)))
            break
        kept.append(part)
        width -= taken
    return kept


def difference(before: str, after: str) -> tuple[int, int]:
    """The cells from the first to the last that differ; all of them when the lengths do."""
    if len(before) != len(after):
        return 0, max(cell_len(before), cell_len(after))
    places = [place for place, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]]
    if not places:
        return 0, 0
    first, last = places[0], places[-1] + 1
    if before.isascii() and after.isascii():
        return first, last
    if cell_len(before) != cell_len(after):
        return 0, max(cell_len(before), cell_len(after))
    return cell_len(after[:first]), max(cell_len(before[:last]), cell_len(after[:last]))
