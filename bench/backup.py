"""Backup: an archive of 100,000 operations copied, read back and copied again, beside SQLite's own backup."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from bench.machine import version_of_gh
from bench.row import Row
from dsmilctl.archive.backup.creating import create
from dsmilctl.archive.backup.folder import Folder
from dsmilctl.archive.backup.repository import Repository
from dsmilctl.archive.backup.verifying import verify
from dsmilctl.archive.places import Places
from dsmilctl.archive.recording import new_recording
from dsmilctl.archive.rows import operation_row
from dsmilctl.archive.store import Store
from dsmilctl.model.audit import AuditRecord

START = 1_763_000_000_000_000_000
OPERATIONS = 100_000
MORE = 1000
ROUNDS = 3


def operations(first: int, count: int) -> Iterable[AuditRecord]:
    """Records as a journal has them, no two the same."""
    for number in range(first, first + count):
        yield AuditRecord(
            sequence=number, time=START + number * 1_000_000, user="ada", host="ward", context="sim",
            action="device.write", target=f"0x{0x8000 + number % 84:04X}",
            parameters={"register": "CONFIG", "value": number % 251, "justification": f"step {number}"},
            outcome="SUCCESS", operation_id=f"op-{number:08d}", previous=f"{number:064x}",
            hash=f"{number * 7919:064x}",
        )  # fmt: skip


def record(places: Places, first: int, count: int) -> None:
    """One more recording with so many operations."""
    with Store(places) as store:
        writer = store.begin(new_recording("bench", START + first))
        rows = [operation_row(writer.recording_id, item) for item in operations(first, count)]
        for start in range(0, count, 10_000):
            writer.rows("operations", rows[start : start + 10_000])
            writer.flush()
        store.end(writer, "completed")


class Took(NamedTuple):
    """Seconds by the clock, and of a processor."""

    wall: float
    processor: float


def timed(work: Callable[[], object]) -> Took:
    """What it takes."""
    begun, before = time.perf_counter(), time.process_time()
    work()
    return Took(time.perf_counter() - begun, time.process_time() - before)


def best(taken: Iterable[Took]) -> tuple[float, float]:
    """The least of both, in milliseconds."""
    walls, processors = zip(*taken, strict=True)
    return 1000 * min(walls), 1000 * min(processors)


def sqlite_backup(database: Path, copy: Path) -> None:
    """SQLite's own backup, on the medium as ours is; it proves nothing."""
    source, target = sqlite3.connect(database), sqlite3.connect(copy)
    source.backup(target)
    target.close()
    source.close()


def sqlite_check(database: Path) -> None:
    """SQLite's own check, which finds four of ten flipped bits."""
    connection = sqlite3.connect(database)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


class Times(NamedTuple):
    """What one round took, and where its backup is."""

    made: Took
    checked: Took
    theirs: Took
    proved: Took
    repository: Repository


def measured(places: Places, folder: Path) -> Times:
    """One round: ours, read back, and SQLite's own, each on the medium."""
    repository = Repository(Folder(folder / "backups"))
    made = timed(lambda: create(places, repository, name="first", scratch=folder))
    checked = timed(lambda: verify(repository, repository.manifest("first"), scratch=folder))
    theirs = timed(lambda: sqlite_backup(places.database, folder / "copy.db"))
    proved = timed(lambda: sqlite_check(folder / "copy.db"))
    return Times(made, checked, theirs, proved, repository)


def rows() -> Iterable[Row]:
    """Creating, verifying, and the second backup when 1 % is new; the best of some rounds."""
    with tempfile.TemporaryDirectory(prefix="dsmilctl-bench-", dir=".") as name:
        places = Places(Path(name) / "archive")
        record(places, 0, OPERATIONS)
        rounds = []
        for number in range(ROUNDS):
            (folder := Path(name) / str(number)).mkdir()
            rounds.append(measured(places, folder))
        first = rounds[-1].repository.manifest("first")
        gh = version_of_gh()
        made, worked = best(item.made for item in rounds)
        theirs, copied = best(item.theirs for item in rounds)
        what = f"backup: {OPERATIONS:,} operations, {first.size / 1e6:.0f} MB"
        yield Row(what, made, "ms", 500, "SQLite's backup", theirs, absolute=True, gh=gh)
        yield Row("backup: processor time of it", worked, "ms", 0, "SQLite's backup", copied)
        checked, worked = best(item.checked for item in rounds)
        proved, looked = best(item.proved for item in rounds)
        what = "backup: read back, every byte"
        yield Row(what, checked, "ms", 1000, "SQLite's check", proved, absolute=True, gh=gh)
        yield Row("backup: processor time of reading back", worked, "ms", 0, "SQLite's check", looked)
        size = places.database.stat().st_size / 1e6
        yield Row("backup: bytes of the first", first.stored / 1e6, "MB", 0, "SQLite's backup", size)
        record(places, OPERATIONS, MORE)
        again = timed(lambda: create(places, rounds[-1].repository, name="second", scratch=Path(name)))
        second = rounds[-1].repository.manifest("second")
        share = 100 * second.stored / first.stored
        yield Row(f"backup: bytes of the second, {MORE:,} operations more", share, "% of the first", 20)
        yield Row("backup: time of the second", again.wall * 1000, "ms", 0, "the first", made)
