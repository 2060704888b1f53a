"""Scanning: the readings of a recording batch by batch, straight from their files, in little memory.

Nothing is sorted and nothing is computed, so no query engine is loaded: docs/decisions/0014.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dsmilctl.archive.asking import Wanted, overlapping
from dsmilctl.archive.choosing import Chosen, choose
from dsmilctl.archive.database import connect
from dsmilctl.archive.description import Description, describe
from dsmilctl.archive.hot import TABLE, chunks, parts_of
from dsmilctl.archive.places import Places
from dsmilctl.archive.recording import find
from dsmilctl.errors import CheckFailed

BATCH = 8192
"""Readings that are in memory at once."""

WINDOW = 64 * 1024
"""Bytes that are read of a file at once."""


class Scan:
    """An archive opened for reading through; use it as a context manager.

    Segments and hot readings are those of the moment at which it is entered.
    """

    def __init__(self, places: Places) -> None:
        self._places = places

    def __enter__(self) -> Scan:
        self.store = connect(self._places.database, read_only=True)
        self.store.execute("BEGIN")
        return self

    def __exit__(self, *error: object) -> None:
        self.store.close()

    def description(self, recording: str) -> Description:
        """Everything of a recording but its readings; raises NotFound."""
        return describe(self.store, find(self.store, recording))

    def readings(self, wanted: Wanted) -> pa.RecordBatchReader:
        """The readings that were asked for, as they are stored: sealed ones by register, then hot ones.

        `every`, `aggregate` and `limit` mean nothing here.  Raises InvalidParameter, NotFound and
        DeviceNotFound for what there is not, CheckFailed for hot readings that are damaged.
        """
        found = choose(self.store, wanted)
        batches = (batch for batch in self._fitting(found) if batch.num_rows)
        return pa.RecordBatchReader.from_batches(TABLE, batches)

    def _fitting(self, chosen: Chosen) -> Iterator[pa.RecordBatch]:
        for batch in self._stored(chosen):
            mask = _mask(batch, chosen)
            yield batch if mask is None else batch.filter(mask)

    def _stored(self, chosen: Chosen) -> Iterator[pa.RecordBatch]:
        condition, values = overlapping(chosen.since, chosen.until, chosen.recording)
        query = f"SELECT file FROM segments WHERE tier = 'raw' AND {condition} ORDER BY segment_id"
        for (name,) in self.store.execute(query, values).fetchall():
            yield from _sealed(self._places.segment(name))
        yield from _hot(self.store, condition, values)


def _sealed(path: Path) -> Iterator[pa.RecordBatch]:
    try:
        with pq.ParquetFile(
            path, pre_buffer=False, buffer_size=WINDOW, page_checksum_verification=True
        ) as file:
            for batch in file.iter_batches(BATCH, columns=TABLE.names, use_threads=False):
                yield batch.select(TABLE.names).cast(TABLE)
    except (pa.ArrowException, OSError) as error:
        hint = "dsmilctl record check says what is damaged"
        raise CheckFailed(f"segment {path.name} cannot be read: {error}", hint=hint) from error


def _hot(store: sqlite3.Connection, condition: str, values: Iterable[object]) -> Iterator[pa.RecordBatch]:
    for part in parts_of(store, chunks(store, condition, values)):
        for first in range(0, part.num_rows, BATCH):
            yield part.slice(first, BATCH)


def _mask(batch: pa.RecordBatch, chosen: Chosen) -> pa.Array | None:
    """Which readings of a batch fit; None for all of them."""
    masks = [
        pc.is_in(batch.column(name).cast(pa.string()), value_set=pa.array(names, pa.string()))
        for name, names in (("device", chosen.devices), ("register", chosen.registers))
        if names is not None
    ]
    if chosen.recording:
        masks.append(pc.equal(batch.column("recording").cast(pa.string()), chosen.recording))
    times = batch.column("time").cast(pa.int64())
    if chosen.since is not None:
        masks.append(pc.greater_equal(times, chosen.since))
    if chosen.until is not None:
        masks.append(pc.less_equal(times, chosen.until))
    if not masks:
        return None
    whole = masks[0]
    for mask in masks[1:]:
        whole = pc.and_(whole, mask)
    return whole
