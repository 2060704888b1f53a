"""Query: one face over hot and sealed readings, and over every other table of an archive."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from typing import Any

import duckdb
import msgspec
import pyarrow as pa

from dsmilctl.archive.database import connect
from dsmilctl.archive.description import Description, describe
from dsmilctl.archive.hot import chunks, table_of
from dsmilctl.archive.places import Places
from dsmilctl.archive.recording import find
from dsmilctl.errors import InvalidParameter, nearest
from dsmilctl.model.device import Device, DeviceId, DeviceState, DeviceStatus, Risk, show_id
from dsmilctl.model.selector import parse_selector, select

AGGREGATES = {
    "mean": "avg(value)",
    "min": "min(value)",
    "max": "max(value)",
    "sum": "sum(value)",
    "count": "count(value)",
    "first": "arg_min(value, time)",
    "last": "arg_max(value, time)",
    "stddev": "stddev_samp(value)",
    "median": "median(value)",
}
TABLES = (
    "test_sessions", "token_definitions", "device_definitions", "token_tests", "system_metrics",
    "thermal_readings", "kernel_messages", "dsmil_responses", "token_correlations", "discovery_log", "series",
    "segments", "gaps", "operations", "events", "session_summary", "token_success_rates", "group_performance",
    "thermal_impact_analysis", "dsmil_correlation_analysis",
)  # fmt: skip
"""Tables and views of the hot store that raw SQL may name, beside `readings`."""

VIEW = "CREATE OR REPLACE VIEW readings AS SELECT *, latency_us / 1000.0 AS latency_ms FROM ({sources})"
BATCH = 65_536


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which readings: of which devices and registers, of which recording, when (nanoseconds UTC, inclusive).

    With `every` (nanoseconds) one row for each register and stretch of time, computed by `aggregate`.
    """

    selector: str = ""
    registers: tuple[str, ...] = ()
    recording: str = ""
    since: int | None = None
    until: int | None = None
    every: int = 0
    aggregate: str = "mean"
    limit: int = 0


class Query:
    """An archive opened for questions; use it as a context manager.

    Segments and hot readings are those of the moment at which it is entered.
    """

    def __init__(self, places: Places) -> None:
        self._places = places

    def __enter__(self) -> Query:
        self._store = connect(self._places.database, read_only=True)
        self._store.execute("BEGIN")
        self._duck = duckdb.connect(":memory:")
        return self

    def __exit__(self, *error: object) -> None:
        self._duck.close()
        self._store.close()

    def description(self, recording: str) -> Description:
        """Everything of a recording but its readings; raises NotFound."""
        return describe(self._store, find(self._store, recording))

    def readings(self, wanted: Wanted, *, ordered: bool = True) -> pa.RecordBatchReader:
        """The readings that were asked for, by device, register and time, in batches.

        Those that are not `ordered` come as they are stored, which takes less memory.

        Raises InvalidParameter, NotFound and DeviceNotFound for what there is not, CheckFailed for hot
        readings that are damaged.
        """
        recording = find(self._store, wanted.recording).recording_id if wanted.recording else ""
        condition, values = self._condition(wanted, recording)
        self._make_view(wanted.since, wanted.until, recording)
        query = _aggregated(wanted, condition) if wanted.every else _plain(condition, ordered)
        if wanted.limit:
            query += f" LIMIT {wanted.limit:d}"
        return self._run(query, values)

    def sql(self, query: str) -> pa.RecordBatchReader:
        """Rows of one SELECT over `readings` and TABLES; nothing else can be read, and nothing written.

        Raises InvalidParameter for everything that is not one SELECT, or not right.
        """
        try:
            statements = duckdb.extract_statements(query)
        except duckdb.Error as error:
            raise _wrong(error) from None
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise InvalidParameter("only one SELECT can be asked", hint=_tables_hint(), target="--sql")
        for table in TABLES:
            if re.search(rf"\b{table}\b", query, re.IGNORECASE):
                self._duck.register(table, _rows_of(self._store, table))
        files = self._make_view(None, None, "") if re.search(r"\breadings\b", query, re.IGNORECASE) else []
        self._duck.execute(f"SET allowed_paths = [{', '.join(map(_quoted, files))}]")
        self._duck.execute("SET enable_external_access = false")
        self._duck.execute("SET lock_configuration = true")
        return self._run(query, [])

    def _run(self, query: str, values: Sequence[Any]) -> pa.RecordBatchReader:
        try:
            return self._duck.sql(query, params=list(values)).to_arrow_reader(BATCH)
        except duckdb.Error as error:
            raise _wrong(error) from None

    def _make_view(self, since: int | None, until: int | None, recording: str) -> list[str]:
        """Make `readings` of the segments and chunks that can hold what is wanted; the files it reads."""
        condition, values = _overlapping(since, until, recording)
        rows = self._store.execute(f"SELECT file FROM segments WHERE tier = 'raw' AND {condition}", values)
        files = [str(self._places.segment(name)) for (name,) in rows]
        self._duck.register("hot", table_of(self._store, chunks(self._store, condition, values)))
        sources = "FROM hot"
        if files:
            sources = f"FROM read_parquet([{', '.join(map(_quoted, files))}]) UNION ALL BY NAME FROM hot"
        self._duck.execute(VIEW.format(sources=sources))
        return files

    def _condition(self, wanted: Wanted, recording: str) -> tuple[str, list[Any]]:
        parts, values = ["true"], list[Any]()
        if wanted.selector:
            names = self._devices(wanted.selector)
            parts.append("device IN (SELECT unnest(?))")
            values.append(names)
        if wanted.registers:
            parts.append("lower(register) IN (SELECT lower(unnest(?)))")
            values.append(list(self._registers(wanted.registers)))
        if recording:
            parts.append("recording = ?")
            values.append(recording)
        for moment, sign in ((wanted.since, ">="), (wanted.until, "<=")):
            if moment is not None:
                parts.append(f"time {sign} make_timestamp_ns({moment:d})")
        return " AND ".join(parts), values

    def _devices(self, selector: str) -> list[str]:
        """The devices with readings that a selector names; groups and risks are those of the 84."""
        known = {row[0]: row[1:] for row in self._store.execute(
            "SELECT hex_id, device_name, device_group, risk_level FROM device_definitions"
        )}  # fmt: skip
        rows = self._store.execute("SELECT DISTINCT device FROM series ORDER BY device")
        devices = [_device(name, known.get(name)) for (name,) in rows]
        return [
            show_id(item.device_id)
            for item in select(parse_selector(selector), devices, _status, quarantined=True)
        ]

    def _registers(self, wanted: Sequence[str]) -> Sequence[str]:
        known = {row[0].casefold(): row[0] for row in self._store.execute("SELECT register FROM series")}
        for name in wanted:
            if name.casefold() not in known:
                hint = nearest(name, known.values()) or f"registers: {', '.join(list(known.values())[:12])}"
                raise InvalidParameter(f"no register {name!r} in this archive", hint=hint, target=name)
        return wanted


def _device(name: str, known: tuple[Any, ...] | None) -> Device:
    identity = int(name, 16) if re.fullmatch(r"0x[0-9A-F]{4,}", name) else name
    if known is None:
        return Device(identity, name, "")
    return Device(identity, known[0], "", group=str(known[1]), risk=Risk(known[2]))


def _status(device_id: DeviceId) -> DeviceStatus:
    """An archive does not know how a device is now."""
    return DeviceStatus(device_id, DeviceState.UNKNOWN)


def _overlapping(since: int | None, until: int | None, recording: str) -> tuple[str, list[Any]]:
    """The condition of a segment or chunk that can hold readings of that time and recording."""
    parts, values = ["true"], list[Any]()
    bounds = (
        (since, "last_timestamp >= ?"),
        (until, "first_timestamp <= ?"),
        (recording or None, "session_id = ?"),
    )
    for value, part in bounds:
        if value is not None:
            parts.append(part)
            values.append(value)
    return " AND ".join(parts), values


def _plain(condition: str, ordered: bool) -> str:
    order = " ORDER BY device, register, time, sequence" if ordered else ""
    return f"SELECT * FROM readings WHERE {condition}{order}"


def _aggregated(wanted: Wanted, condition: str) -> str:
    if wanted.aggregate not in AGGREGATES:
        hint = nearest(wanted.aggregate, AGGREGATES) or f"one of {', '.join(AGGREGATES)}"
        raise InvalidParameter(f"no aggregate {wanted.aggregate!r}", hint=hint, target="--agg")
    every = wanted.every
    return f"""SELECT device, register, make_timestamp_ns(epoch_ns(time) // {every:d} * {every:d}) AS time,
        {AGGREGATES[wanted.aggregate]} AS value, count(value) AS readings, any_value(unit) AS unit
      FROM readings WHERE {condition} AND quality != 'bad' GROUP BY ALL ORDER BY ALL"""


def _rows_of(store: sqlite3.Connection, table: str) -> pa.Table:
    found = store.execute(f"SELECT * FROM {table}")
    names = [column[0] for column in found.description]
    rows = found.fetchall()
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    return pa.table({name: pa.array(column) for name, column in zip(names, columns, strict=True)})


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _tables_hint() -> str:
    return f"tables: readings, {', '.join(TABLES)}"


def _wrong(error: duckdb.Error) -> InvalidParameter:
    first = str(error).strip().partition("\n")[0]
    return InvalidParameter(first, hint=_tables_hint(), target="--sql")
