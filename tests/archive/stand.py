"""Stand: archives in a throw-away folder, filled with made-up readings."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from dsmilctl.archive.database import connect
from dsmilctl.archive.exporting import COLUMNS
from dsmilctl.archive.places import Places
from dsmilctl.archive.query import Query, Wanted
from dsmilctl.archive.recording import Recording, new_recording, recordings
from dsmilctl.archive.rows import event_row, operation_row
from dsmilctl.archive.store import Store
from dsmilctl.model.audit import AuditRecord
from dsmilctl.model.event import Event
from dsmilctl.model.reading import Reading

START = 1_763_000_000_000_000_000
SECOND = 1_000_000_000


def some_readings(count: int, first: int = 0, devices: int = 4) -> list[Reading]:
    """Readings of TEMP, ten a second for each device, in steps of a tenth of a degree."""
    return [
        Reading(
            0x8000 + number % devices, "TEMP", 20 + number % 17 / 10,
            START + number // devices * SECOND // 10, "°C", sequence=number + 1, latency_ms=1.25,
        )
        for number in range(first, first + count)
    ]  # fmt: skip


def recorded(
    folder: Path,
    readings: Sequence[Reading],
    *,
    name: str = "tour",
    status: str = "completed",
    records: Sequence[AuditRecord] = (),
    events: Sequence[Event] = (),
) -> tuple[Places, Recording]:
    """An archive with one more recording of these readings, sealed and closed."""
    places = Places(folder)
    recording = new_recording(name, START, operator="ada", host="ward", context="sim", tags=("night",))
    with Store(places) as store:
        writer = store.begin(recording)
        writer.readings(readings)
        writer.rows("operations", [operation_row(recording.recording_id, record) for record in records])
        writer.rows("events", [event_row(recording.recording_id, event) for event in events])
        store.end(writer, status)
    return places, recording


def left_hot(places: Places, readings: Sequence[Reading], *, chunk: int = 100) -> Recording:
    """A recording whose recorder ended without a word, in chunks of that many readings."""
    recording = new_recording("interrupted", START)
    with Store(places) as store:
        writer = store.begin(recording)
        writer._chunks.most = chunk
        for first in range(0, len(readings), chunk):
            writer.readings(readings[first : first + chunk])
            writer.flush()
        sealer, store._sealer = store._sealer, None
        assert sealer is not None
        sealer.close()
        writer.close()
    return recording


def table(places: Places, wanted: Wanted | None = None) -> pa.Table:
    """What a query finds, with the columns that are exported."""
    with Query(places) as query:
        return query.readings(wanted or Wanted()).read_all().select(list(COLUMNS))


@contextmanager
def opened(places: Places) -> Iterator[sqlite3.Connection]:
    """The database of an archive, to be read and closed again."""
    with closing(connect(places.database, read_only=True)) as connection:
        yield connection


def rows(places: Places, query: str, *values: object) -> list[tuple[Any, ...]]:
    """What the database of an archive answers."""
    with opened(places) as connection:
        return connection.execute(query, values).fetchall()


def listed(places: Places) -> list[Recording]:
    """The recordings of an archive."""
    with opened(places) as connection:
        return recordings(connection)


def record(sequence: int = 1, outcome: str = "SUCCESS") -> AuditRecord:
    """A record of a journal."""
    return AuditRecord(
        sequence=sequence, time=START + sequence * SECOND, user="ada", host="ward", context="sim",
        action="device.write", target="0x8000", parameters={"register": "CONFIG", "why": "ünïcode"},
        outcome=outcome, operation_id=f"op-{sequence}", previous="0" * 64, hash=f"{sequence:064x}",
    )  # fmt: skip


EVENT = Event("device.state", "0x8001 does not answer", START + SECOND, device_id=0x8001)
