"""Intake: puts an imported recording into an archive, as sealed segments."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from dsmilctl.archive import recording as recordings
from dsmilctl.archive.blocks import GENESIS
from dsmilctl.archive.closing import file_digest
from dsmilctl.archive.database import connect
from dsmilctl.archive.description import restore_rows
from dsmilctl.archive.hot import TABLE
from dsmilctl.archive.importing import as_recording, read_file
from dsmilctl.archive.places import Places
from dsmilctl.archive.recording import Recording
from dsmilctl.archive.segments import LARGEST, SEGMENT_ROW, write_parquet
from dsmilctl.clock import SYSTEM, Clock

SERIES = "INSERT OR IGNORE INTO series (device, register, unit) VALUES (?, ?, ?)"


def take_in(
    places: Places,
    path: Path,
    format: str,
    *,
    name: str = "",
    progress: Callable[[int], None],
    clock: Clock = SYSTEM,
) -> tuple[Recording, int]:
    """Import a file into an archive that this process holds; the recording and how many readings it has.

    All or nothing: what a failure leaves behind are files that no row names.  Raises InvalidParameter.
    """
    description, batches = read_file(path, format)
    connection = connect(places.database)
    written: list[Path] = []
    try:
        taken = {item.recording_id for item in recordings.recordings(connection)}
        recording = as_recording(description, name or ("" if description else path.stem), clock.now(), taken)
        if recording.status == "running":
            recording = msgspec.structs.replace(recording, status="completed", ended=clock.now())
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        recordings.insert(connection, recording, clock.now())
        if description is not None:
            restore_rows(connection, recording.recording_id, description)
        count = 0
        for table in _stretches(batches):
            count += table.num_rows
            written.append(_path(places, recording, len(written) + 1))
            connection.execute(SEGMENT_ROW, _sealed(written[-1], recording, table, clock))
            _name_series(connection, table)
            progress(count)
        connection.execute("COMMIT")
    except BaseException:
        for file in written:
            file.unlink(missing_ok=True)
        raise
    finally:
        connection.close()
    return recording, count


def _stretches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The batches, gathered into as much as one segment takes."""
    gathered: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        gathered.append(batch)
        count += batch.num_rows
        if count >= LARGEST:
            yield pa.Table.from_batches(gathered)
            gathered, count = [], 0
    if count:
        yield pa.Table.from_batches(gathered)


def _path(places: Places, recording: Recording, number: int) -> Path:
    places.segments.mkdir(mode=0o700, exist_ok=True)
    return places.segment(f"{recording.recording_id}-import-{number:06d}.parquet")


def _sealed(path: Path, recording: Recording, table: pa.Table, clock: Clock) -> tuple[Any, ...]:
    """Write one segment; the row that names it."""
    words = pa.array([recording.recording_id] * table.num_rows, pa.string())
    full = table.append_column("recording", words).select(TABLE.names).cast(TABLE)
    write_parquet(path, full)
    times = pc.min_max(full.column("time").cast(pa.int64())).as_py()
    return (
        recording.recording_id, path.name, "raw", file_digest(path), path.stat().st_size, table.num_rows,
        times["min"], times["max"], 0, 0, GENESIS, clock.now(),
    )  # fmt: skip


def _name_series(connection: sqlite3.Connection, table: pa.Table) -> None:
    names = (
        table.select(["device", "register", "unit"]).group_by(["device", "register", "unit"]).aggregate([])
    )
    connection.executemany(SERIES, [tuple(row.values()) for row in names.to_pylist()])
