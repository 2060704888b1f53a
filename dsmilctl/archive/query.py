"""Query: one face over hot and sealed readings, and over every other table of an archive."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, Self

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from dsmilctl.archive.asking import (
    Sources,
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
from dsmilctl.archive.choosing import Chosen, choose
from dsmilctl.archive.database import connect
from dsmilctl.archive.description import Description, describe
from dsmilctl.archive.hot import chunks, table_of
from dsmilctl.archive.places import Places
from dsmilctl.archive.recording import find
from dsmilctl.errors import InvalidParameter

TABLES = (
    "test_sessions", "token_definitions", "device_definitions", "token_tests", "system_metrics",
    "thermal_readings", "kernel_messages", "dsmil_responses", "token_correlations", "discovery_log", "series",
    "segments", "gaps", "operations", "events", "session_summary", "token_success_rates", "group_performance",
    "thermal_impact_analysis", "dsmil_correlation_analysis",
)  # fmt: skip
"""Tables and views of the hot store that raw SQL may name, beside `readings`."""

VIEW = "CREATE OR REPLACE TEMP VIEW readings AS SELECT *, latency_us / 1000.0 AS latency_ms FROM ({sources})"
BATCH = 65_536
MEMORY = "1GB"
"""What somebody's own SELECT may take; nothing of it is put on the disk."""

__all__ = ["Query", "Wanted"]


class Query:
    """An archive opened for questions; use it as a context manager.

    Segments and hot readings are those of the moment at which it is entered.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._viewed: tuple[Any, ...] = ()

    def __enter__(self) -> Self:
        self._store = connect(self._places.database, read_only=True)
        self._store.execute("BEGIN")
        self._duck = self._engine()
        return self

    def __exit__(self, *error: object) -> None:
        self._duck.close()
        self._store.close()

    def _engine(self) -> duckdb.DuckDBPyConnection:
        """What works questions out: one of its own, as somebody's SELECT has it locked."""
        return engine()

    def description(self, recording: str) -> Description:
        """Everything of a recording but its readings; raises NotFound."""
        return describe(self._store, find(self._store, recording))

    def readings(self, wanted: Wanted) -> pa.RecordBatchReader:
        """The readings that were asked for, by device, register and time, in batches.

        Raises InvalidParameter, NotFound and DeviceNotFound for what there is not, CheckFailed for hot
        readings that are damaged.
        """
        require_aggregate(wanted.aggregate)
        chosen = choose(self._store, wanted)
        found = sources(self._store, wanted, chosen.recording)
        condition = self._viewed_for(wanted, chosen, found)
        if found.stretches:
            query = aggregated_stretches(wanted, self._condition(chosen), self._paths(found.stretches))
        elif wanted.every:
            query = aggregated(wanted, condition)
        else:
            query = plain(condition)
        query = f"{query} LIMIT {wanted.limit:d}" if wanted.limit else query
        return self._run(query)

    def in_time(self, wanted: Wanted) -> pa.RecordBatchReader:
        """The readings that were asked for in the order in which they were taken, whatever their device."""
        return self._run(f"SELECT * FROM readings WHERE {self._viewing(wanted)} ORDER BY time, sequence")

    def latest(self, wanted: Wanted) -> pa.RecordBatchReader:
        """The last one of the readings that were asked for, of each register."""
        newest = "row_number() OVER (PARTITION BY device, register ORDER BY time DESC, sequence DESC) = 1"
        return self._run(f"SELECT * FROM readings WHERE {self._viewing(wanted)} QUALIFY {newest}")

    def series(self, wanted: Wanted) -> pa.RecordBatchReader:
        """Each device, register, unit and kind of values, with its `first` and `last` time in nanoseconds."""
        return self._run(
            f"""SELECT device, register, unit, kind,
                epoch_ns(min(time)) AS first, epoch_ns(max(time)) AS last
              FROM readings WHERE {self._viewing(wanted)}
              GROUP BY ALL ORDER BY device, register, count(*) DESC"""
        )

    def ask(self, wanted: Wanted, query: str, **numbers: int) -> list[dict[str, Any]]:
        """The rows of our own SQL over the readings that were asked for, which stand at `{source}` in it."""
        source = f"SELECT * FROM readings WHERE {self._viewing(wanted)}"
        found: list[dict[str, Any]] = self._run(query.format(source=source, **numbers)).read_all().to_pylist()
        return found

    def _viewing(self, wanted: Wanted) -> str:
        """Make `readings` of what a question needs; its condition."""
        chosen = choose(self._store, wanted)
        return self._viewed_for(wanted, chosen, sources(self._store, wanted, chosen.recording))

    def _viewed_for(self, wanted: Wanted, chosen: Chosen, found: Sources) -> str:
        """Make `readings` of what was found; its condition, as short as it can be."""
        where, values = overlapping(wanted.since, wanted.until, chosen.recording)
        self._make_view(found.raw, where, values)
        query = f"SELECT min(first_timestamp), max(last_timestamp) FROM segments WHERE {where}"
        times = [*self._store.execute(query, values).fetchone(), *self._hot_times]
        known = [time for time in times if time is not None]
        return self._condition(chosen.among(min(known), max(known)) if known else chosen)

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
        self._duck.execute(f"SET memory_limit = '{MEMORY}'")
        self._duck.execute("SET enable_external_access = false")
        self._duck.execute("SET python_enable_replacements = false")
        self._duck.execute("SET lock_configuration = true")
        reader = self._run(query)
        return pa.RecordBatchReader.from_batches(reader.schema, _told(reader))

    def interrupt(self) -> None:
        """End what is asked just now, from another thread; whoever asked gets InvalidParameter."""
        self._duck.interrupt()

    def _run(self, query: str) -> pa.RecordBatchReader:
        try:
            return self._duck.sql(query).to_arrow_reader(BATCH)
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
        self._hot_times = pc.min_max(hot.column("time").cast(pa.int64())).as_py().values()
        parts = [f"FROM {files_of(self._paths(names))}"] if names else []
        if hot.num_rows or not names:
            parts.append("FROM hot")
        self._duck.execute(VIEW.format(sources=" UNION ALL BY NAME ".join(parts)))

    def _condition(self, chosen: Chosen) -> str:
        parts = ["true"]
        if chosen.devices is not None:
            parts.append(names_in("device", chosen.devices))
        if chosen.registers is not None:
            parts.append(names_in("register", chosen.registers))
        if chosen.recording:
            parts.append(names_in("recording", [chosen.recording]))
        for moment, sign in ((chosen.since, ">="), (chosen.until, "<=")):
            if moment is not None:
                parts.append(f"time {sign} make_timestamp_ns({moment:d})")
        return " AND ".join(parts)


def engine() -> duckdb.DuckDBPyConnection:
    """A query engine without tables."""
    made = duckdb.connect(":memory:")
    made.execute("SET parquet_metadata_cache = true")  # segments never change
    return made


def _rows_of(store: sqlite3.Connection, table: str) -> pa.Table:
    found = store.execute(f"SELECT * FROM {table}")
    names = [column[0] for column in found.description]
    rows = found.fetchall()
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    return pa.table({name: pa.array(column) for name, column in zip(names, columns, strict=True)})


def _told(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """The batches; what goes wrong on the way is told as what is wrong at the start."""
    try:
        yield from reader
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        raise _wrong(error) from None


def _tables_hint() -> str:
    return f"tables: readings, {', '.join(TABLES)}"


def _wrong(error: Exception) -> InvalidParameter:
    first = str(error).strip().partition("\n")[0]
    hint = ""
    if isinstance(error, (duckdb.CatalogException, duckdb.ParserException)):
        hint = _tables_hint()
    elif "Out of Memory" in first:
        hint = "ask for less at once: a LIMIT, fewer columns, a GROUP BY"
    return InvalidParameter(first, hint=hint, target="--sql")
