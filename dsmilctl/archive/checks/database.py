"""Database layer: whether SQLite, the schema and every bit of the hot store are as they were."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from dsmilctl.archive.checks.log import check_log
from dsmilctl.archive.closing import file_digest, read_closing
from dsmilctl.archive.database import migrations, version_of
from dsmilctl.archive.finding import HINT, Finding
from dsmilctl.archive.lock import holder
from dsmilctl.archive.places import Places
from dsmilctl.clock import rfc3339

RESTORE = "restore the last backup: dsmilctl backup restore"
MOST = 100
"""Lines of SQLite's own check that are looked at."""


def _found(where: str, what: str, mend: str = RESTORE, severity: str = "error") -> Finding:
    return Finding(layer="database", severity=severity, where=where, what=what, mend=mend)


def check_database(places: Places, connection: sqlite3.Connection) -> Iterator[Finding]:
    """Findings about the database file itself; raises sqlite3.Error where it cannot even be read."""
    for (line,) in connection.execute(f"PRAGMA integrity_check({MOST})"):
        if line != "ok":
            yield _found("archive.db", f"integrity_check: {line}")
    for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check"):
        yield _found(f"{table} row {row}", f"it belongs to a row of {parent} that is not there")
    yield from _check_schema(connection)
    if not holder(places.lock):
        yield from check_closing(places)
        yield from check_log(places.database.with_name(f"{places.database.name}-wal"))


def _check_schema(connection: sqlite3.Connection) -> Iterator[Finding]:
    found, known = version_of(connection), len(migrations())
    if found != known:
        yield _found(
            "archive.db", f"its schema is {found}, this program's is {known}", "use a fitting dsmilctl"
        )
        return
    fresh = sqlite3.connect(":memory:")
    try:
        for step in migrations():
            fresh.executescript(step.read_text())
        expected, there = _objects(fresh), _objects(connection)
    finally:
        fresh.close()
    for name in sorted(expected.keys() | there.keys()):
        if expected.get(name) != there.get(name):
            what = "is missing" if name not in there else "is not of the schema"
            yield _found(
                name, f"{name} {what}{' as it should be' if name in expected and name in there else ''}"
            )


def _objects(connection: sqlite3.Connection) -> dict[str, str]:
    query = (
        "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    )
    rows = connection.execute(query)
    return dict(rows.fetchall())


def check_closing(places: Places) -> Iterator[Finding]:
    """Whether the database is, bit by bit, what its last recorder left."""
    try:
        closing = read_closing(places)
    except ValueError as error:
        yield _found("closing.json", f"it is damaged: {error}", "record check --repair writes it anew")
        return
    if closing is None:
        mend = "record check --repair, or the next recording, ends it in order"
        yield _found("archive.db", "its last recorder did not end in order", mend, HINT)
        return
    since = f"since it was closed at {rfc3339(closing.closed_at)}"
    if places.database.stat().st_size != closing.bytes or file_digest(places.database) != closing.sha256:
        yield _found("archive.db", f"bits of it have changed {since}")
    wal = places.database.with_name(f"{places.database.name}-wal")
    if wal.exists() and wal.stat().st_size:
        yield _found(wal.name, f"something was written {since}")
