"""Belongings: token tests of a recording and all that is tied to them, as they travel with it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

import msgspec

from dsmilctl.errors import InvalidParameter

TEST = "test_id"
TABLES = (
    "token_tests", "system_metrics", "thermal_readings", "kernel_messages", "dsmil_responses",
    "discovery_log",
)  # fmt: skip
"""What belongs to a recording beside readings, operations and events; the tests first, as rows name them."""


class Table(msgspec.Struct, frozen=True):
    """Rows of one table, without the recording's id; only tests have a number, the others name one."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


def belongings(connection: sqlite3.Connection, recording_id: str) -> dict[str, Table]:
    """The tables of a recording that are not empty."""
    found = {}
    for name in TABLES:
        columns = _columns(connection, name)
        query = f"SELECT {', '.join(columns)} FROM {name} WHERE session_id = ? ORDER BY rowid"
        rows = tuple(connection.execute(query, (recording_id,)))
        if rows:
            found[name] = Table(columns, rows)
    return found


def restore_belongings(
    connection: sqlite3.Connection, recording_id: str, tables: Mapping[str, Table]
) -> None:
    """Put tables into a recording; the tests get numbers of their own here, and what names them follows.

    Raises InvalidParameter for columns or values that there cannot be.
    """
    numbers: dict[Any, int] = {}
    if strange := set(tables) - set(TABLES):
        raise InvalidParameter(f"no table {min(strange)!r} travels with a recording")
    for name in TABLES:
        if name in tables:
            _restore(connection, recording_id, name, tables[name], numbers)


def _restore(
    connection: sqlite3.Connection, recording_id: str, name: str, table: Table, numbers: dict[Any, int]
) -> None:
    if strange := set(table.columns) - set(_columns(connection, name)):
        raise InvalidParameter(f"{name} has no column {min(strange)!r}")
    columns = ["session_id", *(column for column in table.columns if (name, column) != (TABLES[0], TEST))]
    statement = f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    for row in table.rows:
        if len(row) != len(table.columns):
            raise InvalidParameter(f"a row of {name} has {len(row)} values, not {len(table.columns)}")
        values = dict(zip(table.columns, row, strict=True))
        test = values.pop(TEST, None)
        if name != TABLES[0] and TEST in table.columns:
            values[TEST] = numbers.get(test)
        try:
            given = [values[column] for column in columns[1:]]
            number = connection.execute(statement, (recording_id, *given)).lastrowid
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError, OverflowError) as error:
            raise InvalidParameter(f"a row of {name} cannot be: {error}") from error
        if name == TABLES[0]:
            numbers[test] = number or 0


def _columns(connection: sqlite3.Connection, table: str) -> tuple[str, ...]:
    """The columns that travel: all but the recording's, and the number of what is no test."""
    found = connection.execute("SELECT name, pk FROM pragma_table_info(?)", (table,)).fetchall()
    left = {"session_id", *(name for name, key in found if key and name != TEST)}
    return tuple(name for name, _ in found if name not in left)
