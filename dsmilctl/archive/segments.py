"""Segments: readings sealed into immutable Parquet files, and how they come out of the hot store."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from dsmilctl.archive.closing import file_digest, sync_folder
from dsmilctl.archive.database import connect
from dsmilctl.archive.hot import Chunk, chunks, ordered_table_of
from dsmilctl.archive.places import Places
from dsmilctl.archive.rollup import SEALED, base_of, roll_up, tier_file
from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.errors import Conflict

LOGGER = logging.getLogger("dsmilctl.archive.segments")
LARGEST = 1_000_000
"""Readings of one segment, about."""

ROWS = 65_536
"""Readings of one row group: what a query of one series has to read at the least."""

PLAIN = ("value",)
DELTAS = ("time", "sequence", "latency_us")
WORDS = ("recording", "device", "register", "unit", "kind", "quality", "text", "raw", "error", "error_code")
SEGMENT_ROW = """INSERT INTO segments (session_id, file, tier, sha256, bytes, readings, first_timestamp,
  last_timestamp, first_chunk, last_chunk, last_digest, sealed_at)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""

ALL = "session_id = ?"
SPAN = f"{ALL} AND chunk_id BETWEEN ? AND ?"
COMPLETE = "chunk_id < (SELECT max(chunk_id) FROM chunks)"

Work = Callable[[sqlite3.Connection], Any]


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write readings to a file that is whole or not there: zstd, and a checksum for every page.

    A column of values is written as a dictionary where that is smaller: measurements come in steps.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    deltas = [name for name in DELTAS if name in table.column_names]
    words = [name for name in (*WORDS, *PLAIN) if name in table.column_names]
    try:
        pq.write_table(
            table, temporary, compression="zstd", compression_level=3, row_group_size=ROWS,
            use_dictionary=words, column_encoding=dict.fromkeys(deltas, "DELTA_BINARY_PACKED"),
            write_page_checksum=True, data_page_version="2.0", write_statistics=True, store_schema=True,
        )  # fmt: skip
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o600)
        os.replace(temporary, path)  # noqa: PTH105 - renames over what is there in one step
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def seal_next(
    places: Places,
    recording_id: str,
    commit: Callable[[Work], Future[None]],
    *,
    least: int = 1,
    clock: Clock = SYSTEM,
) -> int:
    """Seal the oldest hot readings of a recording, LARGEST at the most; how many there were.

    `commit` lets a function change the database in one transaction, which is awaited; fewer readings than
    `least` are left alone.  At every moment each reading is in a segment or hot, and never in both: a file
    that no row names yet counts for nothing.  Raises CheckFailed for a damaged chunk.
    """
    written = write_next(places, recording_id, least=least, clock=clock)
    if written is None:
        return 0
    commit(written.replace).result()
    LOGGER.info("%d readings sealed into %s", written.readings, written.rows[0][1])
    return written.readings


class Written(msgspec.Struct, frozen=True):
    """Files of readings that are written and not yet named: their rows, and the chunks that they replace."""

    recording_id: str
    readings: int
    first_chunk: int
    last_chunk: int
    rows: list[tuple[Any, ...]]

    def replace(self, database: sqlite3.Connection) -> None:
        """Name the files in place of the chunks; raises Conflict where those hold other readings by now."""
        span = (self.recording_id, self.first_chunk, self.last_chunk)
        hot = f"FROM chunks WHERE {SPAN}"
        if database.execute(f"SELECT sum(readings) {hot}", span).fetchone() != (self.readings,):
            raise Conflict(f"the chunks up to {self.last_chunk} have changed since they were sealed")
        database.executemany(SEGMENT_ROW, self.rows)
        database.execute(f"DELETE {hot}", span)


def write_next(
    places: Places, recording_id: str, *, least: int = 1, ended: bool = True, clock: Clock = SYSTEM
) -> Written | None:
    """Write the oldest hot readings of a recording into files; None where there are fewer than `least`.

    Of a recording that has not `ended` the newest chunk is left alone: it may grow meanwhile.
    """
    connection = connect(places.database, read_only=True)
    try:
        found = _next_chunks(connection, recording_id, ended=ended)
        if sum(chunk.link.readings for chunk in found) < max(1, least):
            return None
        table = ordered_table_of(connection, found)
    finally:
        connection.close()
    first, last = found[0].link.chunk_id, found[-1].link.chunk_id
    return Written(recording_id, table.num_rows, first, last, _write(places, found, table, clock))


def seal_all(places: Places, recording_id: str, commit: Callable[[Work], Future[None]]) -> int:
    """Seal everything hot of a recording; how many readings that were."""
    total = 0
    while sealed := seal_next(places, recording_id, commit):
        total += sealed
    return total


def _next_chunks(connection: sqlite3.Connection, recording_id: str, *, ended: bool) -> list[Chunk]:
    found: list[Chunk] = []
    readings = 0
    due = ALL if ended else f"{ALL} AND {COMPLETE}"
    for chunk in chunks(connection, due, (recording_id,)):
        if found and readings + chunk.link.readings > LARGEST:
            break
        found.append(chunk)
        readings += chunk.link.readings
    return found


def _write(places: Places, found: list[Chunk], table: pa.Table, clock: Clock) -> list[tuple[Any, ...]]:
    """Write readings and their stretches; the rows that name the two files."""
    first, last = found[0].link, found[-1].link
    name = f"{first.session_id}-{first.chunk_id:08d}-{last.chunk_id:08d}.parquet"
    times = (min(c.link.first_timestamp for c in found), max(c.link.last_timestamp for c in found))
    origin = Origin(first.session_id, *times, first.chunk_id, last.chunk_id, found[-1].digest)
    return write_segment(places, name, table, origin, clock)


class Origin(msgspec.Struct, frozen=True):
    """Where the readings of a segment come from: recording, time, and chunks with the last one's digest."""

    session_id: str
    first_timestamp: int
    last_timestamp: int
    first_chunk: int
    last_chunk: int
    last_digest: bytes


def write_segment(
    places: Places, name: str, table: pa.Table, origin: Origin, clock: Clock
) -> list[tuple[Any, ...]]:
    """Write readings and their stretches into two files; the rows that name them."""
    return [
        write_tier(places, name, table, origin, tier="raw", clock=clock),
        write_tier(places, tier_file(name, SEALED), roll_up(table, SEALED), origin, tier=SEALED, clock=clock),
    ]


def write_tier(
    places: Places, name: str, table: pa.Table, origin: Origin, *, tier: str, clock: Clock
) -> tuple[Any, ...]:
    """Write one file of a tier; the row that names it."""
    places.segments.mkdir(mode=0o700, exist_ok=True)
    path = places.segment(name)
    write_parquet(path, table)
    return (
        origin.session_id, name, tier, file_digest(path), path.stat().st_size, table.num_rows,
        origin.first_timestamp, origin.last_timestamp, origin.first_chunk, origin.last_chunk,
        origin.last_digest, clock.now(),
    )  # fmt: skip


def leftovers(places: Places, connection: sqlite3.Connection) -> list[Path]:
    """Files that no row names: what a crash while sealing left behind, or what somebody put there."""
    if not places.segments.is_dir():
        return []
    known = {row[0] for row in connection.execute("SELECT file FROM segments")}
    return sorted(path for path in places.segments.iterdir() if path.name not in known)


def clear_leftovers(places: Places, connection: sqlite3.Connection) -> list[str]:
    """Remove what a crash while sealing, importing or maintaining left behind; other files stay.

    No reading is lost by it: it is hot still, in another tier, or was over.
    """
    hot = {row[0] for row in connection.execute("SELECT DISTINCT session_id FROM chunks")}
    bases = {base_of(row[0]) for row in connection.execute("SELECT file FROM segments")}
    removed = []
    for path in leftovers(places, connection):
        begun = path.name.startswith(".") and path.name.endswith(".parquet.tmp")
        sealing = any(path.name.startswith(f"{recording_id}-") for recording_id in hot)
        if begun or sealing or "-import-" in path.name or base_of(path.name) in bases:
            path.unlink()
            removed.append(path.name)
    return removed
