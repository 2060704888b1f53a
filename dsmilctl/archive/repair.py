"""Repair: mends what can be mended without guessing, and says what it did."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import msgspec

from dsmilctl.archive.check import check_archive
from dsmilctl.archive.checks.data import recount
from dsmilctl.archive.database import connect
from dsmilctl.archive.finding import Checked, Finding
from dsmilctl.archive.places import Places
from dsmilctl.archive.store import Store
from dsmilctl.clock import SYSTEM

GAP = (
    "INSERT INTO gaps (session_id, timestamp, missed, reason) SELECT session_id, first_timestamp, readings, ?"
)


def repair_archive(places: Places, backups: Path) -> Checked:
    """Check, mend, and tell both; what is damaged is moved into a folder of that name, never thrown away.

    Raises Conflict while a recorder is at work.  A database whose own pages are damaged is left as it is.
    """
    before = check_archive(places, backups)
    if any(_beyond(places, item) for item in before.findings):
        return before
    with Store(places) as store:
        connection = connect(places.database)
        try:
            connection.execute("PRAGMA synchronous = FULL")
            mended = tuple(_mend(store, connection, item) for item in before.findings)
        finally:
            connection.close()
    return msgspec.structs.replace(before, findings=mended)


def _beyond(places: Places, finding: Finding) -> bool:
    """Whether the database itself is damaged, so that writing to it could make things worse."""
    if finding.layer == "database" and finding.where == "closing.json":
        return False
    damaged = finding.layer == "database" and finding.severity == "error"
    return damaged or (finding.layer in ("files", "data") and finding.where == "archive.db")


def _mend(store: Store, connection: sqlite3.Connection, finding: Finding) -> Finding:
    done = ""
    if finding.layer == "database":
        done = "it is ended in order now"
    elif match := re.fullmatch(r"chunk (\d+)", finding.where):
        done = _set_chunk_aside(store.places, connection, int(match[1]))
    elif finding.where.startswith("beside/"):
        done = _write_again(store.places, connection, finding.where.removeprefix("beside/"))
    elif finding.where.startswith("segments/"):
        done = _set_segment_aside(store.places, connection, finding.where.removeprefix("segments/"))
    elif "counts are not" in finding.what:
        recount(connection)
        done = "counted again"
    elif "without a word" in finding.what:
        done = "marked aborted"  # by the store, when it was opened
    return msgspec.structs.replace(finding, mended=done)


def _write_again(places: Places, connection: sqlite3.Connection, name: str) -> str:
    """One of the files beside; those that were not finished are since the store was opened."""
    from dsmilctl.archive.beside import mend

    if name.endswith(".live"):
        return "finished"
    return "written again out of the archive" if mend(places, connection, name) else ""


def _aside(places: Places) -> Path:
    folder = places.folder / "damaged"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _set_chunk_aside(places: Places, connection: sqlite3.Connection, number: int) -> str:
    row = connection.execute("SELECT block FROM chunks WHERE chunk_id = ?", (number,)).fetchone()
    if row is None:
        return ""
    copy = _aside(places) / f"chunk-{number:08d}-{SYSTEM.now()}.bin"
    copy.write_bytes(row[0])
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(f"{GAP} FROM chunks WHERE chunk_id = ?", (f"chunk {number} was damaged", number))
    connection.execute("DELETE FROM chunks WHERE chunk_id = ?", (number,))
    connection.execute("COMMIT")
    return f"moved to damaged/{copy.name}, the gap is noted"


def _set_segment_aside(places: Places, connection: sqlite3.Connection, name: str) -> str:
    path = places.segment(name)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        f"{GAP} FROM segments WHERE file = ? AND tier = 'raw'", (f"segment {name} was damaged", name)
    )
    noted = connection.execute("DELETE FROM segments WHERE file = ?", (name,)).rowcount
    connection.execute("COMMIT")
    if not path.exists():
        return "the gap is noted" if noted else "removed: its readings are hot still"
    target = _aside(places) / f"{SYSTEM.now()}-{name.lstrip('.')}"
    path.rename(target)
    return f"moved to damaged/{target.name}{', the gap is noted' if noted else ''}"
