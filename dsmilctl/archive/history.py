"""History: pages of the readings that some devices had, in one order that never changes."""

from __future__ import annotations

from functools import cache
from typing import Any

import duckdb
import msgspec
import pyarrow as pa

from dsmilctl.archive.asking import (
    Wanted,
    aggregated,
    aggregated_stretches,
    names_in,
    overlapping,
    quoted,
    sources,
)
from dsmilctl.archive.query import Query, engine
from dsmilctl.model.device import DeviceId
from dsmilctl.model.history import Key, RecordedReading
from dsmilctl.model.reading import Quality
from dsmilctl.model.register import Value

STRETCH = ("device", "register", "time", "unit", "value", "readings")
PLAIN = (
    *STRETCH[:-1], "kind", "text", "quality", "raw", "latency_us", "error", "error_code", "sequence",
    "recording",
)  # fmt: skip
"""What a stretch and a reading are made of."""

QUALITIES = {str(quality): quality for quality in Quality}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which readings: of which devices, from which one on, and how many at the most.

    `devices` are those that may be seen, by shown id; `context` is that of the recordings; `since` and
    `until` are nanoseconds UTC, both inclusive.
    """

    devices: dict[str, DeviceId]
    context: str
    registers: tuple[str, ...] = ()
    since: int | None = None
    until: int | None = None
    every: int = 0
    aggregate: str = "mean"
    start: Key | None = None
    limit: int = 1000

    @property
    def wanted(self) -> Wanted:
        """The same for the query: which files it takes depends on times and stretches alone."""
        return Wanted(since=self.since, until=self.until, every=self.every, aggregate=self.aggregate)


@cache
def _kept() -> duckdb.DuckDBPyConnection:
    """One engine for every page of this process: to start it takes longer than most questions."""
    return engine()


class HistoryPages(Query):
    """An archive opened for pages of readings; other pages worked out meanwhile see nothing of its views."""

    def _engine(self) -> duckdb.DuckDBPyConnection:
        return _kept().cursor()

    def interrupt(self) -> None:
        """End the question that another thread is asking: it raises."""
        self._duck.interrupt()

    def first(self, context: str) -> int | None:
        """When the first recording of a context began, in nanoseconds UTC; None where there is none."""
        query = "SELECT min(start_timestamp) FROM test_sessions WHERE context = ?"
        found: int | None = self._store.execute(query, (context,)).fetchone()[0]
        return found

    def registers(self) -> set[str]:
        """The names of all registers that were ever recorded."""
        return {row[0] for row in self._store.execute("SELECT DISTINCT register FROM series")}

    def page(self, asked: Asked) -> list[RecordedReading]:
        """The readings from the start on, in the order of their keys."""
        wanted, condition = asked.wanted, self._fitting(asked)
        found = sources(self._store, wanted, "")
        self._make_view(found.raw, *overlapping(asked.since, asked.until, ""))
        if found.stretches:
            query = aggregated_stretches(wanted, condition, self._paths(found.stretches))
        else:
            query = _raw_or_stretches(wanted, condition)
        rest = ("0", "unit") if asked.every else ("coalesce(sequence, 0)", "recording")
        key = ("device", "register", "time", *rest)
        start = "" if asked.start is None else f" WHERE ({', '.join(key)}) >= {_literal(asked.start)}"
        order = ", ".join(part for part in key if part != "0")
        batches = self._run(f"SELECT * FROM ({query}){start} ORDER BY {order} LIMIT {asked.limit:d}")
        return [reading for batch in batches for reading in _readings(batch, asked.devices)]

    def _fitting(self, asked: Asked) -> str:
        recordings = self._store.execute(
            "SELECT session_id FROM test_sessions WHERE context = ?", (asked.context,)
        )
        parts = [
            names_in("device", asked.devices),
            names_in("recording", ["", *(row[0] for row in recordings)]),
        ]
        if asked.registers:
            parts.append(names_in("register", asked.registers))
        for moment, sign in ((asked.since, ">="), (asked.until, "<=")):
            if moment is not None:
                parts.append(f"time {sign} make_timestamp_ns({moment:d})")
        if asked.start is not None:
            parts.append(f"device >= {quoted(asked.start[0])}")  # spares the files of those before
        return " AND ".join(parts)


def _raw_or_stretches(wanted: Wanted, condition: str) -> str:
    if wanted.every:
        return aggregated(wanted, condition)
    return f"SELECT * FROM readings WHERE {condition}"


def _literal(key: Key) -> str:
    device, register, time, sequence, last = key
    return (
        f"({quoted(device)}, {quoted(register)}, make_timestamp_ns({time:d}), {sequence:d}, {quoted(last)})"
    )


def _readings(batch: pa.RecordBatch, devices: dict[str, DeviceId]) -> list[RecordedReading]:
    """The readings of a batch, or its stretches, without a dictionary of Python for each."""
    names = PLAIN if "kind" in batch.schema.names else STRETCH
    rows = zip(*(_cells(batch, name) for name in names), strict=True)
    if names is STRETCH:
        return [
            RecordedReading(
                device_id=devices[device], register=register, timestamp=time, unit=unit or "", value=value,
                readings=count,
            )
            for device, register, time, unit, value, count in rows
        ]  # fmt: skip
    return [
        RecordedReading(
            device_id=devices[device], register=register, timestamp=time, unit=unit or "",
            value=value_of(kind, value, text), quality=QUALITIES[quality],
            raw=None if raw is None else msgspec.json.decode(raw),
            latency_ms=None if latency is None else latency / 1000, error=error or "",
            error_code=code or "", sequence=sequence or 0, recording=recording or "",
        )
        for device, register, time, unit, value, kind, text, quality, raw, latency, error, code, sequence,
            recording in rows
    ]  # fmt: skip


def _cells(batch: pa.RecordBatch, name: str) -> list[Any]:
    """A column; times as whole nanoseconds, which Python's own have not."""
    column = batch.column(name)
    if column.null_count == len(column):
        return [None] * len(column)
    if name == "time":
        column = column.cast(pa.timestamp("ns")).cast(pa.int64())
    cells: list[Any] = column.to_pylist()
    return cells


def value_of(kind: str, value: float | None, text: str) -> Value | None:
    """A value as it was: truths and whole numbers are floats in the archive, text and the longest apart."""
    if kind == "text":
        return text
    if kind == "digits":
        return int(text)
    if value is None or kind not in ("integer", "truth"):
        return value
    return int(value) if kind == "integer" else bool(value)
