"""Files beside: every format that was recorded beside the archive is whole and holds as much as it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

from dsmilctl.archive.closing import file_digest
from dsmilctl.archive.finding import Finding
from dsmilctl.archive.places import Places
from dsmilctl.archive.recording import counts

AGAIN = "record check --repair writes it again out of the archive"
NEXT_START = "the next start of a recorder finishes it"


def check_beside(places: Places, connection: sqlite3.Connection, *, recording_now: bool) -> Iterator[Finding]:
    """Findings about the files of other formats; those that grow just now are left alone."""
    if not _known(connection):
        return
    names = set()
    query = "SELECT session_id, format, readings, bytes, sha256 FROM sinks ORDER BY 1, 2"
    for identity, name, readings, size, digest in connection.execute(query).fetchall():
        names |= {f"{identity}.{name}", f"{identity}.{name}.live"}
        kept = counts(connection, identity)["readings"]
        if readings < kept:
            yield _finding(f"{identity}.{name}", f"it holds {readings} readings, the archive {kept}", AGAIN)
        elif digest is not None:
            yield from _damage(places, f"{identity}.{name}", size, digest)
        elif not recording_now:
            yield _finding(f"{identity}.{name}.live", "it was not finished", NEXT_START)
    if places.beside.is_dir() and not recording_now:
        for path in sorted(places.beside.iterdir()):
            if path.name not in names:
                yield _finding(path.name, "no row of the archive names this file", "move it away")


def _known(connection: sqlite3.Connection) -> bool:
    """Whether the schema is new enough to have such files."""
    return connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'sinks'").fetchone() is not None


def _damage(places: Places, name: str, size: int, digest: str) -> Iterator[Finding]:
    path = places.beside / name
    try:
        found = path.stat().st_size
        if found != size:
            yield _finding(name, f"it has {found} bytes and should have {size}", AGAIN)
        elif file_digest(path) != digest:
            yield _finding(name, "bits of it have changed: its SHA-256 differs", AGAIN)
    except FileNotFoundError:
        yield _finding(name, "it is missing", AGAIN)
    except OSError as error:
        yield _finding(name, f"it cannot be read: {error.strerror}", AGAIN)


def _finding(name: str, what: str, mend: str) -> Finding:
    fields: dict[str, Any] = {"where": f"beside/{name}", "what": what, "mend": mend}
    return Finding(layer="files", **fields)
