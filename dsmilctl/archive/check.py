"""Check: goes through an archive layer by layer and says what is wrong, where, and how to mend it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from dsmilctl.archive.checks.data import check_data
from dsmilctl.archive.checks.database import RESTORE, check_database
from dsmilctl.archive.checks.files import check_files
from dsmilctl.archive.checks.surroundings import check_backups, check_health
from dsmilctl.archive.database import DAMAGED, connect
from dsmilctl.archive.finding import Checked, Finding
from dsmilctl.archive.lock import holder
from dsmilctl.archive.places import Places
from dsmilctl.errors import StateUnavailable

__all__ = ["Checked", "check_archive"]


def check_archive(places: Places, backups: Path) -> Checked:
    """Read everything of an archive back; a recorder may be at work meanwhile."""
    try:
        connection = connect(places.database, read_only=True)
    except StateUnavailable as error:
        unreadable = Finding(layer="database", where="archive.db", what=error.message, mend=RESTORE)
        return Checked(findings=(unreadable,))
    try:
        connection.execute("BEGIN")
        findings = tuple(_findings(places, backups, connection))
        return Checked(findings=findings, **_counts(connection))
    finally:
        connection.close()


def _findings(places: Places, backups: Path, connection: sqlite3.Connection) -> Iterator[Finding]:
    """What each layer finds; one that SQLite cannot read for ends with that, the others go on."""
    recording_now = bool(holder(places.lock))
    layers = (
        ("database", check_database(places, connection)),
        ("files", check_files(places, connection, recording_now=recording_now)),
        ("data", check_data(connection, recording_now=recording_now)),
        ("backups", check_backups(backups)),
        ("health", check_health(places, connection)),
    )
    for name, layer in layers:
        try:
            yield from layer
        except (sqlite3.Error, TypeError, ValueError) as error:
            yield Finding(layer=name, where="archive.db", what=f"it cannot be read: {error}", mend=RESTORE)


def _counts(connection: sqlite3.Connection) -> dict[str, int]:
    try:
        query = "SELECT count(*), total(readings) FROM segments WHERE tier = 'raw'"
        segments, sealed = connection.execute(query).fetchone()
        chunks, hot = connection.execute("SELECT count(*), total(readings) FROM chunks").fetchone()
    except DAMAGED:
        return {}
    return {"segments": segments, "chunks": chunks, "readings": int(sealed + hot)}
