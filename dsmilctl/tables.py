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
    first when a terminal is too narrow.
    """

    field: str
    heading: str = ""
    text: Callable[[Row], str] | None = None
    wide: bool = False
    right: bool = False
    flexible: bool = False

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


def lay_out(rows: Sequence[Row], columns: Sequence[Column], width: int | None = None) -> list[str]:
    """Lines of a table; with a `width` flexible columns are cut so that lines fit, without it nothing is."""
    cells = [[column.cell(row) for column in columns] for row in rows]
    titles = [column.title for column in columns]
    widths = [
        max(map(columns_taken, [title, *(line[index] for line in cells)]))
        for index, title in enumerate(titles)
    ]
    if width is not None:
        widths = _squeezed(widths, columns, width)
    return [_line(line, widths, columns) for line in [titles, *cells]]


def _squeezed(widths: list[int], columns: Sequence[Column], width: int) -> list[int]:
    widths = list(widths)
    excess = sum(widths) + len(GAP) * (len(widths) - 1) - width
    order = sorted(range(len(widths)), key=lambda index: (not columns[index].flexible, -widths[index]))
    for index in order:
        if excess <= 0:
            break
        cut = min(excess, max(0, widths[index] - NARROWEST))
        widths[index] -= cut
        excess -= cut
    return widths


def _line(cells: Sequence[str], widths: Sequence[int], columns: Sequence[Column]) -> str:
    parts = []
    for cell, width, column in zip(cells, widths, columns, strict=True):
        text = shorten(cell, width)
        padding = " " * (width - columns_taken(text))
        parts.append(padding + text if column.right else text + padding)
    return GAP.join(parts).rstrip()


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
