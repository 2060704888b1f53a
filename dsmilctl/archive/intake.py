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
from dsmilctl.archive.database import connect
from dsmilctl.archive.description import restore_rows
from dsmilctl.archive.hot import TABLE
from dsmilctl.archive.importing import as_recording, read_file
from dsmilctl.archive.places import Places
from dsmilctl.archive.recording import Recording
from dsmilctl.archive.rollup import SEALED, tier_file
from dsmilctl.archive.segments import LARGEST, SEGMENT_ROW, Origin, write_segment
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
        called = name or ("" if description else path.name.partition(".")[0])
        recording = as_recording(description, called, clock.now(), taken)
        if recording.status == "running":
            recording = msgspec.structs.replace(recording, status="completed", ended=clock.now())
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        recordings.insert(connection, recording, clock.now())
        if description is not None:
            restore_rows(connection, recording.recording_id, description)
        count = 0
        for number, table in enumerate(_stretches(batches), 1):
            count += table.num_rows
            name = f"{recording.recording_id}-import-{number:06d}.parquet"
            written += [places.segment(name), places.segment(tier_file(name, SEALED))]
            connection.executemany(SEGMENT_ROW, _sealed(places, name, recording, table, clock))
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


def _sealed(
    places: Places, name: str, recording: Recording, table: pa.Table, clock: Clock
) -> list[tuple[Any, ...]]:
    """Write one segment; the rows that name its files."""
    words = pa.array([recording.recording_id] * table.num_rows, pa.string())
    full = table.append_column("recording", words).select(TABLE.names).cast(TABLE)
    times = pc.min_max(full.column("time").cast(pa.int64())).as_py()
    origin = Origin(recording.recording_id, times["min"], times["max"], 0, 0, GENESIS)
    return write_segment(places, name, full, origin, clock)


def _name_series(connection: sqlite3.Connection, table: pa.Table) -> None:
    names = (
        table.select(["device", "register", "unit"]).group_by(["device", "register", "unit"]).aggregate([])
    )
    connection.executemany(SERIES, [tuple(row.values()) for row in names.to_pylist()])
