"""Description: everything of a recording but its readings, as it travels inside an exported file."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from dsmilctl.archive.belongings import Table, belongings, restore_belongings
from dsmilctl.archive.recording import Recording
from dsmilctl.archive.rows import EVENT_COLUMNS, OPERATION_COLUMNS, checksum_of, insert_of

KEY = b"dsmilctl.recording"
"""Where an Arrow or Parquet file keeps it: in the metadata of its schema."""

FORMAT = "dsmilctl/recording/1"


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """One recording: itself, its operations and events as rows without the recording's id, and its gaps.

    `tables` are its token tests and what else belongs to it, those that are not empty.
    """

    format: str = FORMAT
    recording: Recording
    operations: tuple[tuple[Any, ...], ...] = ()
    events: tuple[tuple[Any, ...], ...] = ()
    gaps: tuple[tuple[int, int, str], ...] = ()
    tables: dict[str, Table] = {}


def describe(connection: sqlite3.Connection, recording: Recording) -> Description:
    """The description of a recording."""

    def rows(table: str, columns: tuple[str, ...]) -> tuple[tuple[Any, ...], ...]:
        query = f"SELECT {', '.join(columns)} FROM {table} WHERE session_id = ? ORDER BY rowid"
        return tuple(connection.execute(query, (recording.recording_id,)))

    return Description(
        recording=recording,
        operations=rows("operations", OPERATION_COLUMNS[1:]),
        events=rows("events", EVENT_COLUMNS[1:]),
        gaps=rows("gaps", ("timestamp", "missed", "reason")),
        tables=belongings(connection, recording.recording_id),
    )


def restore_rows(connection: sqlite3.Connection, recording_id: str, description: Description) -> None:
    """Put what a description holds into a recording; raises InvalidParameter for what cannot be."""
    restore_belongings(connection, recording_id, description.tables)
    for table, rows in (("operations", description.operations), ("events", description.events)):
        full = [(recording_id, *row) for row in rows]
        connection.executemany(insert_of(table), [(*row, checksum_of(row)) for row in full])
    connection.executemany(
        "INSERT INTO gaps (session_id, timestamp, missed, reason) VALUES (?, ?, ?, ?)",
        [(recording_id, *row) for row in description.gaps],
    )
