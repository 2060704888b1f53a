"""Query: one face over hot and sealed readings, and over every other table of an archive."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import duckdb
import pyarrow as pa

from dsmilctl.archive.asking import (
    Wanted,
    aggregated,
    aggregated_stretches,
    files_of,
    names_in,
    overlapping,
    plain,
    quoted,
    require_aggregate,
    sources,
)
from dsmilctl.archive.database import connect
from dsmilctl.archive.description import Description, describe
from dsmilctl.archive.hot import chunks, table_of
from dsmilctl.archive.places import Places
from dsmilctl.archive.recording import find
from dsmilctl.errors import InvalidParameter, nearest
from dsmilctl.model.device import Device, DeviceId, DeviceState, DeviceStatus, Risk, show_id
from dsmilctl.model.selector import parse_selector, select

TABLES = (
    "test_sessions", "token_definitions", "device_definitions", "token_tests", "system_metrics",
    "thermal_readings", "kernel_messages", "dsmil_responses", "token_correlations", "discovery_log", "series",
    "segments", "gaps", "operations", "events", "session_summary", "token_success_rates", "group_performance",
    "thermal_impact_analysis", "dsmil_correlation_analysis",
)  # fmt: skip
"""Tables and views of the hot store that raw SQL may name, beside `readings`."""

VIEW = "CREATE OR REPLACE VIEW readings AS SELECT *, latency_us / 1000.0 AS latency_ms FROM ({sources})"
BATCH = 65_536
SMALL_BATCH = 8192
"""Rows that are in memory at once where all of them go to a file."""


__all__ = ["Query", "Wanted"]


class Query:
    """An archive opened for questions; use it as a context manager.

    Segments and hot readings are those of the moment at which it is entered.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._viewed: tuple[Any, ...] = ()

    def __enter__(self) -> Query:
        self._store = connect(self._places.database, read_only=True)
        self._store.execute("BEGIN")
        self._duck = duckdb.connect(":memory:")
        self._duck.execute("SET parquet_metadata_cache = true")  # segments never change
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
        require_aggregate(wanted.aggregate)
        recording = find(self._store, wanted.recording).recording_id if wanted.recording else ""
        condition = self._condition(wanted, recording)
        found = sources(self._store, wanted, recording)
        self._make_view(found.raw, *overlapping(wanted.since, wanted.until, recording))
        if found.stretches:
            query = aggregated_stretches(wanted, condition, self._paths(found.stretches))
        elif wanted.every:
            query = aggregated(wanted, condition)
        else:
            query = plain(condition, ordered=ordered)
        if not ordered:
            self._duck.execute("SET threads = 1")  # each thread has buffers of its own
        query = f"{query} LIMIT {wanted.limit:d}" if wanted.limit else query
        return self._run(query, BATCH if ordered else SMALL_BATCH)

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
        files = self._all_files() if re.search(r"\breadings\b", query, re.IGNORECASE) else []
        self._duck.execute(f"SET allowed_paths = [{', '.join(map(quoted, files))}]")
        self._duck.execute("SET enable_external_access = false")
        self._duck.execute("SET lock_configuration = true")
        return self._run(query)

    def _run(self, query: str, batch: int = BATCH) -> pa.RecordBatchReader:
        try:
            return self._duck.sql(query).to_arrow_reader(batch)
        except duckdb.Error as error:
            raise _wrong(error) from None

    def _all_files(self) -> list[str]:
        """Make `readings` of everything; the files that it reads."""
        names = [row[0] for row in self._store.execute("SELECT file FROM segments WHERE tier = 'raw'")]
        self._make_view(names, "true", [])
        return self._paths(names)

    def _paths(self, names: Sequence[str]) -> list[str]:
        return [str(self._places.segment(name)) for name in names]

    def _make_view(self, names: Sequence[str], condition: str, values: Sequence[Any]) -> None:
        """Make `readings` of segments and of the chunks that fit a condition, unless it is that already."""
        if (key := (tuple(names), condition, tuple(values))) == self._viewed:
            return
        self._viewed = key
        hot = table_of(self._store, chunks(self._store, condition, values))
        self._duck.register("hot", hot)
        parts = [f"FROM {files_of(self._paths(names))}"] if names else []
        if hot.num_rows or not names:
            parts.append("FROM hot")
        self._duck.execute(VIEW.format(sources=" UNION ALL BY NAME ".join(parts)))

    def _condition(self, wanted: Wanted, recording: str) -> str:
        parts = ["true"]
        if wanted.selector and wanted.selector != "@all":
            parts.append(names_in("device", self._devices(wanted.selector)))
        if wanted.registers:
            parts.append(names_in("register", self._registers(wanted.registers)))
        if recording:
            parts.append(names_in("recording", [recording]))
        for moment, sign in ((wanted.since, ">="), (wanted.until, "<=")):
            if moment is not None:
                parts.append(f"time {sign} make_timestamp_ns({moment:d})")
        return " AND ".join(parts)

    def _devices(self, selector: str) -> list[str]:
        """The devices with readings that a selector names; groups and risks are those of the 84."""
        found = select(parse_selector(selector), self._known_devices, _status, quarantined=True)
        return [show_id(device.device_id) for device in found]

    @cached_property
    def _known_devices(self) -> list[Device]:
        rows = self._store.execute(
            "SELECT hex_id, device_name, device_group, risk_level FROM device_definitions"
        )
        known = {row[0]: row[1:] for row in rows}
        names = self._store.execute("SELECT DISTINCT device FROM series ORDER BY device")
        return [_device(name, known.get(name)) for (name,) in names]

    def _registers(self, wanted: Sequence[str]) -> list[str]:
        """The registers of those names, in any case."""
        known = [row[0] for row in self._store.execute("SELECT DISTINCT register FROM series")]
        for name in wanted:
            if name.casefold() not in map(str.casefold, known):
                hint = nearest(name, known) or f"registers: {', '.join(known[:12])}"
                raise InvalidParameter(f"no register {name!r} in this archive", hint=hint, target=name)
        folded = {name.casefold() for name in wanted}
        return [name for name in known if name.casefold() in folded]


def _device(name: str, known: tuple[Any, ...] | None) -> Device:
    identity = int(name, 16) if re.fullmatch(r"0x[0-9A-F]{4,}", name) else name
    if known is None:
        return Device(identity, name, "")
    return Device(identity, known[0], "", group=str(known[1]), risk=Risk(known[2]))


def _status(device_id: DeviceId) -> DeviceStatus:
    """An archive does not know how a device is now."""
    return DeviceStatus(device_id, DeviceState.UNKNOWN)


def _rows_of(store: sqlite3.Connection, table: str) -> pa.Table:
    found = store.execute(f"SELECT * FROM {table}")
    names = [column[0] for column in found.description]
    rows = found.fetchall()
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    return pa.table({name: pa.array(column) for name, column in zip(names, columns, strict=True)})


def _tables_hint() -> str:
    return f"tables: readings, {', '.join(TABLES)}"


def _wrong(error: duckdb.Error) -> InvalidParameter:
    first = str(error).strip().partition("\n")[0]
    return InvalidParameter(first, hint=_tables_hint(), target="--sql")
