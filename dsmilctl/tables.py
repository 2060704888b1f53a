"""Tables: rows of text laid out in columns, for a terminal or a pipe, without a library to load."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from dsmilctl.inert import inert

Row = Mapping[str, Any]
GAP = "  "
NARROWEST = 6


class Column(msgspec.Struct, frozen=True):
    """One column: the field of the row, its heading, and how its text is made where `str` is not enough.

    `wide` columns show with `-o wide` only; `right` ones are aligned to the right; `flexible` ones are cut
    first when a terminal is too narrow; `sparse` ones are left out where no row has anything in them.
    """

    field: str
    heading: str = ""
    text: Callable[[Row], str] | None = None
    wide: bool = False
    right: bool = False
    flexible: bool = False
    sparse: bool = False

    @property
    def title(self) -> str:
        """What stands above the column."""
        return self.heading or self.field.upper().replace("_", " ")

    def cell(self, row: Row) -> str:
        """The harmless text of one cell."""
        return inert(self.text(row) if self.text else plain(row.get(self.field)))


def plain(value: Any) -> str:
    """A value as text: nothing for None, `yes` and `no` for truths, commas between the items of a list."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(plain(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}={plain(item)}" for key, item in value.items())
    return str(value)


class Table:
    """A table whose columns only ever grow, so that the rows of a stream stand below each other.

    Where there is a `width`, columns are cut so that lines fit into it, flexible ones first; without one
    nothing is ever cut.
    """

    def __init__(self, columns: Sequence[Column], width: int | None = None) -> None:
        self.columns = columns
        self._width = width
        self._widths = [columns_taken(column.title) for column in columns]

    def head(self) -> str:
        """The line of headings."""
        return self.line([column.title for column in self.columns])

    def fit(self, rows: Sequence[Row]) -> list[list[str]]:
        """The cells of the rows, for whose texts the columns have become wide enough."""
        cells = [[column.cell(row) for column in self.columns] for row in rows]
        for index, known in enumerate(self._widths):
            self._widths[index] = max([known, *(columns_taken(line[index]) for line in cells)])
        return cells

    def lines(self, rows: Sequence[Row]) -> list[str]:
        """One line per row."""
        return [self.line(cells) for cells in self.fit(rows)]

    def line(self, cells: Sequence[str]) -> str:
        """Cells, each in its column."""
        widths = self._widths if self._width is None else squeezed(self._widths, self.columns, self._width)
        parts = []
        for cell, width, column in zip(cells, widths, self.columns, strict=True):
            text = shorten(cell, width)
            padding = " " * (width - columns_taken(text))
            parts.append(padding + text if column.right else text + padding)
        line = GAP.join(parts).rstrip()
        return line if self._width is None else shorten(line, self._width)


def lay_out(rows: Sequence[Row], columns: Sequence[Column], width: int | None = None) -> list[str]:
    """The lines of a table with its headings; sparse columns without content are left out."""
    table = Table(filled(rows, columns), width)
    cells = table.fit(rows)
    return [table.head(), *(table.line(line) for line in cells)]


def filled(rows: Sequence[Row], columns: Sequence[Column]) -> list[Column]:
    """The columns without the sparse ones that have nothing to show."""
    return [column for column in columns if not column.sparse or any(column.cell(row) for row in rows)]


def squeezed(widths: Sequence[int], columns: Sequence[Column], width: int) -> list[int]:
    """Widths of columns that fit into `width` together, as far as columns can be cut."""
    cut = list(widths)
    excess = sum(cut) + len(GAP) * (len(cut) - 1) - width
    order = sorted(range(len(cut)), key=lambda index: (not columns[index].flexible, -cut[index]))
    for index in order:
        if excess <= 0:
            break
        taken = min(excess, max(0, cut[index] - NARROWEST))
        cut[index] -= taken
        excess -= taken
    return cut


def shorten(text: str, width: int) -> str:
    """The text in at most `width` columns, with an ellipsis where it was cut."""
    if columns_taken(text) <= width:
        return text
    kept, taken = "", 0
    for character in text:
        taken += columns_taken(character)
        if taken > width - 1:
            break
        kept += character
    return f"{kept}…"


def columns_taken(text: str) -> int:
    """How many columns of a terminal the text takes.  Source: Unicode Standard Annex 11."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )
