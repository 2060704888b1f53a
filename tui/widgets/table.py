"""Table: many rows, of which only the visible ones are ever built, and only the changed cells rewritten."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from textwrap import wrap
from typing import ClassVar, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from dsmilctl.tui.command import Command
from dsmilctl.tui.inert import fit, fit_ending, inert
from dsmilctl.tui.widgets.ink import Inked, ink
from dsmilctl.tui.widgets.line import difference

GAP = 2
AIR = 4
"""Cells by which every column may be wider than it needs to be, on a screen that has room to spare."""


class Column(NamedTuple):
    """One column: `width` in cells (the least one when it `grows`); the highest `drop` gives way first.

    `most` is the width beyond which it does not grow, 0 for none; `ending` keeps the number at the end of a
    text that has to be cut, by which `Interface 07` differs from `Interface 08`.
    """

    key: str
    title: str
    width: int
    right: bool = False
    grows: bool = False
    drop: int = 0
    most: int = 0
    ending: bool = False

    def fit(self, text: str, width: int) -> str:
        """The text in `width` cells."""
        return fit_ending(text, width) if self.ending else fit(text, width, self.right)


class Cell(NamedTuple):
    """What a column shows in a row."""

    text: str
    ink: str = "plain"


class Table(Inked, ScrollView, can_focus=True):
    """A table over rows that are made when they are looked at.

    A subclass says which columns there are, how many rows, and the cells of one row in the order of
    `columns`.  The first line is the head.
    """

    HEAD: ClassVar[int] = 1
    """Lines of the head: 1, or 0 for a table without one."""

    QUIET: bool = False
    """Whether the cursor is only there while the table has the focus."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Command("up,k", "move(-1)", "up", show=False, summary="One row up"),
        Command("down,j", "move(1)", "down", show=False, summary="One row down"),
        Command("pageup,ctrl+b", "page(-1)", "page up", show=False, summary="One page up"),
        Command("pagedown,ctrl+f", "page(1)", "page down", show=False, summary="One page down"),
        Command("home,g", "first", "first", show=False, summary="The first row"),
        Command("end,G", "last", "last", show=False, summary="The last row"),
        Command("enter", "choose", "open", show=False, summary="Open the row under the cursor"),
    ]

    cursor: reactive[int] = reactive(0, repaint=False)
    """The row under the cursor."""

    class Chosen(Message):
        """A row was opened."""

        def __init__(self, table: Table, index: int) -> None:
            super().__init__()
            self.table = table
            self.index = index

        @property
        def control(self) -> Table:
            """The table."""
            return self.table

    class Moved(Message):
        """The cursor is on another row."""

        def __init__(self, table: Table, index: int) -> None:
            super().__init__()
            self.table = table
            self.index = index

        @property
        def control(self) -> Table:
            """The table."""
            return self.table

        def can_replace(self, message: Message) -> bool:
            """Only the last move counts."""
            return isinstance(message, Table.Moved) and message.table is self.table

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._shown: list[tuple[Column, int, int]] = []
        self._painted: dict[int, tuple[int, tuple[Cell, ...]]] = {}
        self._said = ""

    def columns(self) -> Sequence[Column]:
        """The columns, in order."""
        raise NotImplementedError

    def row_count(self) -> int:
        """How many rows there are."""
        raise NotImplementedError

    def cells(self, index: int) -> Sequence[Cell]:
        """The cells of one row, one per column."""
        raise NotImplementedError

    def nothing(self) -> str:
        """What stands in a table without rows: what would appear there, and what to do next."""
        return ""

    def head(self, column: Column) -> str:
        """The title of a column; a subclass may add the mark of the order."""
        return column.title

    def mark(self, index: int) -> str:
        """The sign before a row."""
        del index
        return " "

    def rebuild(self) -> None:
        """The columns or the rows are others: lay out and paint everything."""
        self._lay_out()
        self.virtual_size = Size(self.size.width, self.row_count() + self.HEAD)
        self.cursor = max(0, min(self.cursor, self.row_count() - 1))
        self._painted.clear()
        self.refresh()

    def repaint_changed(self, moved: Callable[[int], bool] | None = None) -> None:
        """Paint the cells on the screen that differ from what was painted last.

        `moved` says of a row whether anything about it can have changed; without it every row is looked at.
        """
        offset = self.scroll_offset.y
        if not self.row_count() and self.nothing() != self._said:
            self.refresh()
        for y in range(self.HEAD, self.size.height):
            index = offset + y - self.HEAD
            painted = self._painted.get(y)
            if index >= self.row_count():
                if painted is not None:
                    self.refresh(Region(0, y, self.size.width, 1))
            elif painted is None or painted[0] != index:
                self.refresh(Region(0, y, self.size.width, 1))
            elif moved is None or moved(index):
                self._refresh_difference(y, painted[1], tuple(self.cells(index)))

    def _refresh_difference(self, y: int, before: tuple[Cell, ...], after: tuple[Cell, ...]) -> None:
        if before == after:
            return
        x = GAP
        for column, width, place in self._shown:
            old, new = before[place], after[place]
            if old != new:
                first, last = 0, width
                if old.ink == new.ink:
                    texts = (column.fit(cell.text, width) for cell in (old, new))
                    first, last = difference(*texts)
                self.refresh(Region(x + first, y, last - first, 1))
            x += width + GAP

    def _lay_out(self) -> None:
        room = self.size.width - GAP - 1
        columns = self.columns()
        places = {column.key: place for place, column in enumerate(columns)}
        kept = _kept(columns, room)
        self._shown = []
        for column, wanted in zip(kept, _widths(kept, room), strict=True):
            if room <= 0:
                break
            width = min(wanted, room)  # a number that the edge of the screen cut off would look like another
            self._shown.append((column, width, places[column.key]))
            room -= width + GAP

    def render_line(self, y: int) -> Strip:
        """The head, a row, or a blank line below the last row."""
        width = self.size.width
        if y < self.HEAD:
            return self._render_head(width)
        index = self.scroll_offset.y + y - self.HEAD
        if index >= self.row_count():
            self._painted.pop(y, None)
            return self._render_nothing(y - self.HEAD, width)
        cells = tuple(self.cells(index))
        self._painted[y] = (index, cells)
        return self._render_row(index, cells, width)

    def _render_nothing(self, line: int, width: int) -> Strip:
        self._said = "" if self.row_count() else self.nothing()
        lines = wrap(self._said, max(8, width - 2 * GAP))
        text = " " * GAP + lines[line] if line < len(lines) else ""
        return Strip([Segment(fit(text, width), ink(self, "dim"))], width)

    def _render_head(self, width: int) -> Strip:
        style = ink(self, "head")
        segments = [Segment(" " * GAP, style)]
        for column, column_width, _ in self._shown:
            text = fit(inert(self.head(column)), column_width, column.right)
            action = Style(meta={"@click": f"sort_by('{column.key}')"})
            segments += [Segment(text, style + action), Segment(" " * GAP, style)]
        return Strip(segments).adjust_cell_length(width, style)

    def _render_row(self, index: int, cells: tuple[Cell, ...], width: int) -> Strip:
        here = index == self.cursor and (self.has_focus or not self.QUIET)
        ground = ink(self, "plain", cursor=here)
        sign = "▸" if here else " "
        segments = [Segment(sign + self.mark(index), ink(self, "accent", cursor=here))]
        for column, column_width, place in self._shown:
            cell = cells[place]
            text = column.fit(cell.text, column_width) + " " * GAP
            segments.append(Segment(text, ink(self, cell.ink, cursor=here)))
        return Strip(segments).adjust_cell_length(width, ground)

    def on_focus(self) -> None:
        """The cursor comes."""
        self.refresh()

    def on_blur(self) -> None:
        """The cursor of a quiet table goes."""
        self.refresh()

    def on_resize(self) -> None:
        """Columns that no longer fit give way."""
        self.rebuild()
        self.show_cursor()

    def watch_cursor(self, before: int, after: int) -> None:
        """Paint the two rows, and tell the screen."""
        for index in (before, after):
            y = index - self.scroll_offset.y + self.HEAD
            if self.HEAD <= y < self.size.height:
                self.refresh(Region(0, y, self.size.width, 1))
        self.show_cursor()
        if before != after:
            self.post_message(self.Moved(self, after))

    def show_cursor(self) -> None:
        """Scroll until the row under the cursor is on the screen."""
        room = max(1, self.size.height - self.HEAD)
        top = self.scroll_offset.y
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, immediate=True)
        elif self.cursor >= top + room:
            self.scroll_to(y=self.cursor - room + 1, animate=False, immediate=True)

    def action_move(self, rows: int) -> None:
        """Move the cursor."""
        self.cursor = max(0, min(self.row_count() - 1, self.cursor + rows))

    def action_page(self, pages: int) -> None:
        """Move the cursor by a screenful."""
        self.action_move(pages * max(1, self.size.height - self.HEAD - 1))

    def action_first(self) -> None:
        """To the first row."""
        self.cursor = 0

    def action_last(self) -> None:
        """To the last row."""
        self.cursor = max(0, self.row_count() - 1)

    def action_choose(self) -> None:
        """Open the row under the cursor."""
        if self.row_count():
            self.post_message(self.Chosen(self, self.cursor))

    def action_sort_by(self, key: str) -> None:
        """A click on a head; tables that can be sorted do it."""

    def on_click(self, event: events.Click) -> None:
        """A click puts the cursor on a row; a second one opens it."""
        index = self.scroll_offset.y + event.y - self.HEAD
        if event.y >= self.HEAD and index < self.row_count():
            again = index == self.cursor and event.chain > 1
            self.cursor = index
            if again:
                self.action_choose()


def _kept(columns: Sequence[Column], room: int) -> list[Column]:
    """The columns for which there is room."""
    kept = list(columns)
    while len(kept) > 1 and _needed(kept) > room:
        victim = max(kept, key=lambda column: column.drop)
        if victim.drop == 0:
            break
        kept.remove(victim)
    for column in sorted(columns, key=lambda column: column.drop):
        if column not in kept and _needed([*kept, column]) <= room:
            kept.append(column)  # a wide one that had to go has made room for it
    return [column for column in columns if column in kept]


def _widths(columns: Sequence[Column], room: int) -> list[int]:
    """Growing columns share what is to spare; when they have enough, every column gets some air."""
    widths = [column.width for column in columns]
    spare = room - _needed(columns)
    growing = [place for place, column in enumerate(columns) if column.grows]
    while spare > 0 and growing:
        share = max(1, spare // len(growing))
        for place in tuple(growing):
            most = columns[place].most or room
            more = max(0, min(share, spare, most - widths[place]))
            widths[place] += more
            spare -= more
            if widths[place] >= most:
                growing.remove(place)
    air = max(0, min(AIR, spare // len(columns)))
    return [max(1, width + air) for width in widths]


def _needed(columns: Sequence[Column]) -> int:
    return sum(column.width for column in columns) + GAP * max(0, len(columns) - 1)
