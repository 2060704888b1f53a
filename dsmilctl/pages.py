"""Pages: one thing as lines of name and value, with what is nested in it below its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dsmilctl.inert import inert
from dsmilctl.tables import Column, Row, columns_taken, lay_out, plain, shorten

INDENT = "  "
NOTHING = "-"
"""What stands where a thing has no value."""


def page(data: Row, columns: Sequence[Column] = (), width: int | None = None) -> list[str]:
    """The lines of a page; a column of the same field says how a value is shown."""
    known = {column.field: column for column in columns}
    values = {
        name: known[name].cell(data) if name in known and known[name].text else value
        for name, value in data.items()
    }
    lines = _block(values, width)
    return lines if width is None else [shorten(line, width) for line in lines]


def _block(values: Row, width: int | None) -> list[str]:
    flat = [name for name, value in values.items() if not _nested(value)]
    margin = max((columns_taken(inert(name)) for name in flat), default=0) + len(INDENT)
    lines = []
    for name, value in values.items():
        shown = inert(name)
        if _nested(value):
            inner = None if width is None else width - len(INDENT)
            lines += [shown, *(f"{INDENT}{line}" for line in _inside(value, inner))]
        else:
            text = plain(value).rstrip("\n") or NOTHING
            first, *more = [inert(line) for line in text.split("\n")]
            lines.append(f"{shown}{' ' * (margin - columns_taken(shown))}{first}".rstrip())
            lines += [f"{' ' * margin}{line}".rstrip() for line in more]  # never where a name would stand
    return lines


def _nested(value: Any) -> bool:
    """Whether a value needs lines of its own."""
    if isinstance(value, Mapping):
        return bool(value)
    return isinstance(value, Sequence) and bool(value) and all(isinstance(item, Mapping) for item in value)


def _inside(value: Any, width: int | None) -> list[str]:
    """Rows as a table, things of one kind by name as a table, anything else as a page in the page."""
    if not isinstance(value, Mapping):
        return _table(list(value), width)
    if len(value) > 1 and all(isinstance(item, Mapping) and item for item in value.values()):
        return _table([{"": name, **item} for name, item in value.items()], width)
    return _block(value, width)


def _table(rows: list[Row], width: int | None) -> list[str]:
    fields = dict.fromkeys(field for row in rows for field in row)
    columns = [Column(field, field.replace("_", " ").upper() or " ", flexible=True) for field in fields]
    return lay_out(rows, columns, width)
