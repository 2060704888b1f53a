"""Reel: the readings of one recording as they were, in the order in which they came."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from threading import Lock
from typing import Any

import msgspec
import pyarrow as pa

from dsmilctl.archive.asking import Wanted
from dsmilctl.archive.choosing import device_named
from dsmilctl.archive.places import Places
from dsmilctl.archive.query import Query
from dsmilctl.model.device import Device, DeviceId
from dsmilctl.model.reading import Quality, Reading
from dsmilctl.model.register import Register

TYPES = {"integer": "i64", "digits": "u64", "truth": "bool", "text": "str"}
"""Types of registers by the kind of their values; every other one is f64."""

PIECE = 4096
"""Readings that are made at once."""


class Reel:
    """One recording, to be looked at from start to end: `open`, `take` as often as there is more, `close`.

    Readings between `since` and `until` (nanoseconds, inclusive), those of some devices and registers where
    they are named.  Each may be called in another thread; what is closed is not opened any more.
    """

    def __init__(self, places: Places, wanted: Wanted) -> None:
        self._query = Query(places)
        self._wanted = wanted
        self._names: dict[str, DeviceId] = {}
        self._batches: Iterator[pa.RecordBatch] = iter(())
        self._ready: list[Reading] = []
        self._pieces: Iterator[pa.RecordBatch] = iter(())
        self._lock = Lock()
        self._held = ExitStack()
        self._closed = False

    def open(self) -> None:
        """Open the files and ask for the readings."""
        with self._lock:
            if not self._closed:
                self._held.enter_context(self._query)
                self._batches = iter(self._query.in_time(self._wanted))

    def close(self) -> None:
        """Let go of the files, after whoever is at work with them."""
        with self._lock:
            self._closed = True
            self._held.close()

    def take(self, until: int) -> tuple[list[Reading], bool]:
        """The next readings up to a moment, PIECE or so at the most; and whether there may be more."""
        with self._lock:
            if self._closed or not (self._ready or self._fill()):
                return [], False
            count = _fitting(self._ready, until)
            taken, self._ready = self._ready[:count], self._ready[count:]
            return taken, True

    def _fill(self) -> bool:
        piece = next(self._pieces, None)
        while piece is None:
            batch = next(self._batches, None)
            if batch is None:
                return False
            pieces = [batch.slice(first, PIECE) for first in range(0, batch.num_rows, PIECE)]
            self._pieces = iter(pieces)
            piece = next(self._pieces, None)
        self._ready = readings_of(piece, self._names)
        return True


def _fitting(readings: list[Reading], until: int) -> int:
    """How many of the readings, which are in order of time, are not later than a moment."""
    from bisect import bisect_right

    return bisect_right(readings, until, key=lambda reading: reading.timestamp)


def latest(places: Places, wanted: Wanted) -> list[Reading]:
    """The last reading of each register up to `until`."""
    with Query(places) as query:
        names: dict[str, DeviceId] = {}
        return [reading for batch in query.latest(wanted) for reading in readings_of(batch, names)]


def devices_of(places: Places, recording_id: str, known: Sequence[Device]) -> tuple[list[Device], int, int]:
    """The devices of a recording with their registers, and when its first and last reading were.

    `known` are those of the archive, with what is known of each.
    """
    named = {device.shown_id: device for device in known}
    tables: dict[str, dict[str, Register]] = {}
    first, last = 2**63, -(2**63)
    with Query(places) as query:
        for batch in query.series(Wanted(recording=recording_id)):
            for row in batch.to_pylist():
                kind = TYPES.get(row["kind"], "f64")
                found = tables.setdefault(row["device"], {})
                found.setdefault(row["register"], Register(row["register"], type=kind, unit=row["unit"]))
                first, last = min(first, row["first"]), max(last, row["last"])
    devices = [
        msgspec.structs.replace(
            named.get(name) or device_named(name, None), driver="replay", registers=tuple(registers.values()),
            default_register=next(iter(registers)), key_registers=tuple(registers)[:3],
        )
        for name, registers in tables.items()
    ]  # fmt: skip
    return devices, first, last


def readings_of(batch: pa.RecordBatch, names: dict[str, DeviceId]) -> list[Reading]:
    """Rows of an archive as the readings that were recorded; `names` keeps the ids of devices."""
    batch = batch.set_column(
        batch.schema.names.index("time"),
        "time",
        batch.column("time").cast(pa.timestamp("ns")).cast(pa.int64()),
    )
    return [_reading(row, names) for row in batch.to_pylist()]


def _reading(row: dict[str, Any], names: dict[str, DeviceId]) -> Reading:
    device = row["device"]
    if device not in names:
        names[device] = device_named(device, None).device_id
    latency = row["latency_us"]
    return Reading(
        names[device], row["register"], value_of(row), row["time"], row["unit"] or "",
        quality=Quality(row["quality"]), raw=None if row["raw"] is None else msgspec.json.decode(row["raw"]),
        latency_ms=None if latency is None else latency / 1000, error=row["error"] or "",
        error_code=row["error_code"] or "", sequence=row["sequence"],
    )  # fmt: skip


def value_of(row: dict[str, Any]) -> float | int | str | bool | None:
    """A value as it was: truths, whole numbers and text are floats or apart in the archive."""
    kind, value = row["kind"], row["value"]
    if kind == "text":
        return str(row["text"])
    if kind == "digits":
        return int(row["text"])
    if value is None or kind == "float":
        return value  # type: ignore[no-any-return]  # a column of floats
    return bool(value) if kind == "truth" else int(value)
