"""Files layer: every segment is there with every bit of it, and nothing is there that nobody knows."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator

from dsmilctl.archive.checks.beside import check_beside
from dsmilctl.archive.closing import file_digest
from dsmilctl.archive.finding import Finding
from dsmilctl.archive.places import Places
from dsmilctl.archive.segments import leftovers
from dsmilctl.clock import rfc3339

KNOWN = re.compile(
    r"archive\.(db(-wal|-shm)?|schema-\d+)|recorder\.(lock|gate)|closing\.json|segments|damaged|beside"
)
ASIDE = "record check --repair sets it aside and notes the gap; dsmilctl backup restore brings it back"


def check_files(places: Places, connection: sqlite3.Connection, *, recording_now: bool) -> Iterator[Finding]:
    """Findings about the files of an archive; a recorder that is at work may have more than it has named."""
    query = "SELECT file, sha256, bytes, first_timestamp, last_timestamp, readings FROM segments ORDER BY 1"
    for name, digest, size, first, last, readings in connection.execute(query):
        problem = _problem(places, name, digest, size)
        if problem:
            span = f"{readings} readings from {rfc3339(first)} to {rfc3339(last)}"
            yield Finding(layer="files", where=f"segments/{name}", what=f"{problem} ({span})", mend=ASIDE)
    for path in [] if recording_now else leftovers(places, connection):
        yield Finding(
            layer="files",
            where=f"segments/{path.name}",
            what="no row of the archive names this file",
            mend="record check --repair moves it into the folder damaged",
        )
    yield from check_beside(places, connection, recording_now=recording_now)
    for path in sorted(places.folder.iterdir()):
        if not KNOWN.fullmatch(path.name) and not recording_now:
            yield Finding(
                layer="files", where=path.name, what="this file is none of an archive's", mend="move it away"
            )


def _problem(places: Places, name: str, digest: str, size: int) -> str:
    path = places.segment(name)
    try:
        found = path.stat().st_size
        if found != size:
            return f"it has {found} bytes and should have {size}"
        return "" if file_digest(path) == digest else "bits of it have changed: its SHA-256 differs"
    except FileNotFoundError:
        return "it is missing"
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
