"""Rollup: what is left of readings when a stretch of time becomes one row."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pyarrow as pa

SECOND = 1_000_000_000
TIERS = {"1s": SECOND, "1m": 60 * SECOND, "1h": 3600 * SECOND}
"""Tiers by name, each with the length of its stretches in nanoseconds, shortest first."""

SEALED = "1m"
"""The tier that is made when readings are sealed."""

GROUPS = "recording, device, register, unit"
FROM_READINGS = """sum(value) AS sum, count(value) AS count, min(value) AS min, max(value) AS max,
  arg_min(value, time) AS first, arg_max(value, time) AS last,
  min(time) AS first_time, max(time) AS last_time"""
FROM_STRETCHES = """sum(sum) AS sum, sum(count)::BIGINT AS count, min(min) AS min, max(max) AS max,
  arg_min(first, first_time) AS first, arg_max(last, last_time) AS last,
  min(first_time) AS first_time, max(last_time) AS last_time"""
GOOD = "quality != 'bad' AND value IS NOT NULL"
"""A reading that cannot be trusted is in no stretch."""

AGGREGATES = {
    "mean": "sum(sum) / sum(count)",
    "min": "min(min)",
    "max": "max(max)",
    "sum": "sum(sum)",
    "count": "sum(count)::BIGINT",
    "first": "arg_min(first, first_time)",
    "last": "arg_max(last, last_time)",
}
"""Aggregates that stretches hold enough for, as SQL over them."""


def tier_file(raw: str, tier: str) -> str:
    """The name of the stretches of a segment."""
    return f"{raw.removesuffix('.parquet')}-{tier}.parquet"


def base_of(file: str) -> str:
    """The name of the segment that a file of stretches was made of; a segment's own name as it is."""
    return re.sub(rf"-({'|'.join(TIERS)})\.parquet$", ".parquet", file)


def stretches_of(source: str, every: int, *, raw: bool) -> str:
    """SQL for the stretches of readings, or of shorter stretches; `source` is what stands behind FROM."""
    columns, condition = (FROM_READINGS, f" WHERE {GOOD}") if raw else (FROM_STRETCHES, "")
    bucket = f"make_timestamp_ns(epoch_ns(time) // {every:d} * {every:d})"
    inner = f"SELECT *, {bucket} AS stretch FROM {source}{condition}"
    return f"SELECT {GROUPS}, stretch AS time, {columns} FROM ({inner}) GROUP BY {GROUPS}, stretch"


def roll_up(table: pa.Table, tier: str) -> pa.Table:
    """Readings as the stretches of a tier, by device, register and time."""
    import duckdb  # who reads through an archive needs none

    query = stretches_of("readings", TIERS[tier], raw=True)
    with duckdb.connect(":memory:") as connection:
        connection.register("readings", table)
        return connection.sql(f"{query} ORDER BY device, register, time").to_arrow_table()


def roll_up_files(files: Iterable[str], tier: str, *, raw: bool) -> pa.Table:
    """Segments, or stretches of a shorter tier, as the stretches of a tier."""
    import duckdb

    names = ", ".join("'" + name.replace("'", "''") + "'" for name in files)
    query = stretches_of(f"read_parquet([{names}])", TIERS[tier], raw=raw)
    with duckdb.connect(":memory:") as connection:
        return connection.sql(f"{query} ORDER BY device, register, time").to_arrow_table()
