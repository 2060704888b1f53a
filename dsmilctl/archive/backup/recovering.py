"""Recovering: one recording out of a backup becomes one of the archive again; the others stay as they are."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

from dsmilctl.archive import recording as recordings
from dsmilctl.archive.backup.creating import ARCHIVE
from dsmilctl.archive.backup.manifest import Manifest
from dsmilctl.archive.backup.repository import Repository
from dsmilctl.archive.backup.restoring import of_archive, write_entries
from dsmilctl.archive.blocks import GENESIS
from dsmilctl.archive.closing import sync_folder
from dsmilctl.archive.database import connect
from dsmilctl.archive.places import Places
from dsmilctl.archive.recording import Recording
from dsmilctl.archive.segments import Work, seal_all
from dsmilctl.archive.store import Store
from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.errors import Conflict

OTHERWISE = ("test_sessions", "chunks", "segments", "sinks")
"""Tables with a recording's id in them that are not copied row by row."""

ORIGIN = {"first_chunk": "0", "last_chunk": "0", "last_digest": f"x'{GENESIS.hex()}'"}
"""What stands in a segment that did not come out of this archive's own chunks."""


def recover(
    repository: Repository, manifest: Manifest, wanted: str, places: Places, *, clock: Clock = SYSTEM
) -> Recording:
    """Put one recording of a verified backup, by id or name, into the archive: all of it or nothing.

    Raises NotFound where the backup has none of that name, Conflict where the archive has it still, or while
    a recorder is at work.
    """
    places.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".recovering-", dir=places.folder.parent) as work:
        write_entries(repository, of_archive(repository, manifest), Path(work), clock=clock)
        source = Places(Path(work) / ARCHIVE)
        with Store(source, clock=clock), Store(places, clock=clock):
            found = _sealed(source, wanted)
            _take_over(source, places, found)
    return found


def _sealed(source: Places, wanted: str) -> Recording:
    """The recording in what was brought out, with nothing of it in chunks any more."""
    connection = connect(source.database)

    def commit(work: Work) -> Future[None]:
        done: Future[None] = Future()
        connection.execute("BEGIN IMMEDIATE")
        work(connection)
        connection.execute("COMMIT")
        done.set_result(None)
        return done

    try:
        found = recordings.find(connection, wanted)
        seal_all(source, found.recording_id, commit)
        return found
    finally:
        connection.close()


def _take_over(source: Places, places: Places, found: Recording) -> None:
    """Copy the sealed files, then every row in one transaction."""
    connection = connect(places.database)
    copied: list[Path] = []
    try:
        there = connection.execute("SELECT 1 FROM test_sessions WHERE session_id = ?", (found.recording_id,))
        if there.fetchone():
            message = f"recording {found.recording_id} is in the archive still"
            raise Conflict(message, hint="restore --to brings the backup out elsewhere", target=found.name)
        connection.execute("ATTACH ? AS backup", (str(source.database),))
        for name in _files(connection, found.recording_id):
            copied.append(_copied(source.segment(name), places.segment(name)))
        if copied:
            sync_folder(places.segments)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("PRAGMA defer_foreign_keys = ON")
        _copy_rows(connection, found.recording_id)
        connection.execute("COMMIT")
    except BaseException:
        for path in copied:
            path.unlink(missing_ok=True)
        raise
    finally:
        connection.close()


def _files(connection: sqlite3.Connection, recording_id: str) -> list[str]:
    query = "SELECT file FROM backup.segments WHERE session_id = ? ORDER BY file"
    return [row[0] for row in connection.execute(query, (recording_id,))]


def _copied(source: Path, target: Path) -> Path:
    target.parent.mkdir(mode=0o700, exist_ok=True)
    with source.open("rb") as read, target.open("xb") as written:
        shutil.copyfileobj(read, written)
        written.flush()
        os.fsync(written.fileno())
    target.chmod(0o600)
    return target


def _copy_rows(connection: sqlite3.Connection, recording_id: str) -> None:
    """Every row of a recording; the recording itself comes last, so that no trigger counts its tests anew."""
    offset = connection.execute("SELECT coalesce(max(test_id), 0) FROM main.token_tests").fetchone()[0]
    names = "device, register, unit"
    connection.execute(f"INSERT OR IGNORE INTO main.series ({names}) SELECT {names} FROM backup.series")
    for table in (*_tables(connection), "segments", "test_sessions"):
        columns = dict(_columns(connection, table, offset))
        names = ", ".join(f'"{name}"' for name in columns)
        connection.execute(
            f"""INSERT INTO main."{table}" ({names}) SELECT {", ".join(columns.values())}
                FROM backup."{table}" WHERE session_id = ? ORDER BY rowid""",
            (recording_id,),
        )


def _tables(connection: sqlite3.Connection) -> list[str]:
    """The tables whose rows belong to a recording, tests first, as others name them."""
    query = """SELECT m.name FROM backup.sqlite_master m JOIN pragma_table_info(m.name, 'backup') c
      WHERE m.type = 'table' AND c.name = 'session_id'"""
    names = {row[0] for row in connection.execute(query)} - set(OTHERWISE)
    return sorted(names, key=lambda name: (name != "token_tests", name))


def _columns(connection: sqlite3.Connection, table: str, offset: int) -> Iterator[tuple[str, str]]:
    """The columns of a table with what is put into each; numbers of tests move behind those there are."""
    for name, kind, key in connection.execute(
        "SELECT name, type, pk FROM pragma_table_info(?, 'backup')", (table,)
    ).fetchall():
        if name == "test_id":
            yield name, f"test_id + {offset:d}"
        elif table == "segments" and name in ORIGIN:
            yield name, ORIGIN[name]
        elif not (key and kind == "INTEGER"):
            yield name, f'"{name}"'
