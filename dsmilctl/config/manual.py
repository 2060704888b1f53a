"""Manual: every setting with its meaning, what it takes, its default and its variable, from the schema."""

from __future__ import annotations

from typing import Any

import msgspec

from dsmilctl.config.sources import PREFIX
from dsmilctl.config.wording import entries, expected, field_of


class Entry(msgspec.Struct, frozen=True):
    """One setting: `key` as `config set` takes it, `takes` in words with unit and limits."""

    key: str
    takes: str
    default: Any
    variable: str
    description: str


def manual() -> list[Entry]:
    """Every setting in the order of the schema; a table whose names are free is one entry."""
    return [_entry(tuple(str(part) for part in path)) for path in entries()]


def _entry(path: tuple[str, ...]) -> Entry:
    field = field_of(path)
    return Entry(
        key=".".join(path),
        takes=expected(path),
        default=field.get_default(call_default_factory=True) if field else None,
        variable=PREFIX + "__".join(path).upper(),
        description=" ".join((field.description or "").split()) if field else "",
    )
