"""Snapshot: one moment of an archive, taken while a recorder goes on."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec

from dsmilctl.archive.database import DAMAGED, connect, unusable, version_of
from dsmilctl.archive.places import Places
from dsmilctl.errors import NotFound

UNCOUNTED = ("token_definitions", "device_definitions", "series", "segments", "chunks", "test_sessions")
"""Tables that are not what was recorded, or are counted otherwise."""


class Sealed(msgspec.Struct, frozen=True):
    """A file that the database names, by its path in the archive: SHA-256 and bytes when it was closed."""

    file: str
    sha256: str
    bytes: int


class Snapshot(msgspec.Struct, frozen=True):
    """A copy of the database, the sealed files that belong to it, and how many rows there are."""

    database: Path
    sealed: tuple[Sealed, ...]
    recordings: int
    tables: dict[str, int]


def take(places: Places, copy: Path) -> Snapshot:
    """Copy the database as it is at one moment, with all that is committed by then.

    Raises NotFound for an archive without a recording, StateUnavailable for one that cannot be read.
    """
    try:
        source = connect(places.database, read_only=True)
        try:
            target = sqlite3.connect(copy)
            try:
                target.execute("PRAGMA synchronous = OFF")  # a copy that is read at once and then removed
                source.backup(target)
            finally:
                target.close()
        finally:
            source.close()
        found = look_at(copy)
    except DAMAGED as error:
        raise unusable(places.database, error) from error
    if not found.recordings:
        hint = "dsmilctl record run --name NAME --for 10s"
        raise NotFound(f"nothing was recorded in {places.folder} yet", hint=hint, target=str(places.folder))
    return found


def look_at(database: Path) -> Snapshot:
    """What a copy of a database holds; raises sqlite3.Error where it is damaged."""
    connection = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        version_of(connection)
        sealed = tuple(Sealed(*row) for row in connection.execute(_named(connection)))
        recordings = connection.execute("SELECT count(*) FROM test_sessions").fetchone()[0]
        return Snapshot(database, sealed, recordings, _tables(connection))
    finally:
        connection.close()


def _named(connection: sqlite3.Connection) -> str:
    """What asks for the files that a database names; what is not finished beside it is made anew."""
    segments = "SELECT 'segments/' || file, sha256, bytes FROM segments"
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'sinks'").fetchone():
        return f"{segments} ORDER BY 1"
    beside = (
        "SELECT 'beside/' || session_id || '.' || format, sha256, bytes FROM sinks WHERE sha256 IS NOT NULL"
    )
    return f"{segments} UNION ALL {beside} ORDER BY 1"


def _tables(connection: sqlite3.Connection) -> dict[str, int]:
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    names = sorted({row[0] for row in connection.execute(query)} - set(UNCOUNTED))
    counted = {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}
    readings = connection.execute(
        """SELECT (SELECT coalesce(sum(readings), 0) FROM chunks)
             + (SELECT coalesce(sum(readings), 0) FROM segments WHERE tier = 'raw')"""
    ).fetchone()[0]
    return counted | {"readings": readings}
