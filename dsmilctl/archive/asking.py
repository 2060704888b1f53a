"""Asking: the SQL of a question about readings, and which files have to be read for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from dsmilctl.archive.rollup import AGGREGATES as FROM_TIERS
from dsmilctl.archive.rollup import GOOD, TIERS, base_of, stretches_of
from dsmilctl.errors import InvalidParameter, nearest

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


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which readings: of which devices and registers, of which recording, when (nanoseconds UTC, inclusive).

    `devices` are named exactly, beside or in place of what a selector names.
    With `every` (nanoseconds) one row for each register and stretch of time, computed by `aggregate`.
    """

    selector: str = ""
    devices: tuple[str, ...] = ()
    registers: tuple[str, ...] = ()
    recording: str = ""
    since: int | None = None
    until: int | None = None
    every: int = 0
    aggregate: str = "mean"
    limit: int = 0

    def fits(self, tier: str) -> bool:
        """Whether the stretches of a tier hold enough for the answer."""
        length = TIERS[tier]
        edges = (self.since or 0, 0 if self.until is None else self.until + 1)
        whole = bool(self.every) and not self.every % length and not any(edge % length for edge in edges)
        return whole and self.aggregate in FROM_TIERS


class Sources(msgspec.Struct, frozen=True):
    """Files of readings, and files of stretches in their place."""

    raw: tuple[str, ...]
    stretches: tuple[str, ...] = ()


def overlapping(since: int | None, until: int | None, recording: str) -> tuple[str, list[Any]]:
    """The condition of a segment or chunk that can hold readings of that time and recording."""
    parts, values = ["true"], list[Any]()
    for value, part in (
        (since, "last_timestamp >= ?"),
        (until, "first_timestamp <= ?"),
        (recording or None, "session_id = ?"),
    ):
        if value is not None:
            parts.append(part)
            values.append(value)
    return " AND ".join(parts), values


def sources(store: sqlite3.Connection, wanted: Wanted, recording: str) -> Sources:
    """The sealed files that an answer needs: where stretches will do, the longest that fit stand for them."""
    condition, values = overlapping(wanted.since, wanted.until, recording)
    rows = store.execute(f"SELECT file, tier FROM segments WHERE {condition} ORDER BY segment_id", values)
    segments: dict[str, dict[str, str]] = {}
    for file, tier in rows:
        segments.setdefault(base_of(file), {})[tier] = file
    fitting = [tier for tier in reversed(TIERS) if wanted.fits(tier)]
    chosen = [
        next((tiers[tier] for tier in fitting if tier in tiers), tiers.get("raw", ""))
        for tiers in segments.values()
    ]
    raw = tuple(file for file in chosen if file in segments)
    return Sources(raw, tuple(file for file in chosen if file and file not in segments))


def names_in(column: str, names: Iterable[str]) -> str:
    """The condition that a column is one of the names."""
    return f"{column} IN ({', '.join(map(quoted, names))})"


def quoted(text: str) -> str:
    """Text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def files_of(names: Sequence[str]) -> str:
    """Parquet files as something to select from."""
    return f"read_parquet([{', '.join(map(quoted, names))}])"


def plain(condition: str) -> str:
    """The readings that fit."""
    return f"SELECT * FROM readings WHERE {condition} ORDER BY device, register, time, sequence"


def require_aggregate(name: str) -> None:
    """Raise InvalidParameter for an aggregate that there is not."""
    if name not in AGGREGATES:
        hint = nearest(name, AGGREGATES) or f"one of {', '.join(AGGREGATES)}"
        raise InvalidParameter(f"no aggregate {name!r}", hint=hint, target="--agg")


def aggregated(wanted: Wanted, condition: str) -> str:
    """One row for each register and stretch, out of readings alone."""
    value = AGGREGATES[wanted.aggregate]
    return f"""SELECT device, register, {_bucket(wanted.every)} AS time, {value} AS value,
        count(value) AS readings, unit
      FROM readings WHERE {condition} AND {GOOD} GROUP BY ALL ORDER BY ALL"""


def aggregated_stretches(wanted: Wanted, condition: str, stretches: Sequence[str]) -> str:
    """The same, out of stretches and of those readings that have none."""
    fresh = stretches_of("readings", wanted.every, raw=True)
    source = (
        f"(SELECT * FROM {files_of(stretches)} UNION ALL BY NAME ({fresh}))" if stretches else f"({fresh})"
    )
    return f"""SELECT device, register, {_bucket(wanted.every)} AS time,
        {FROM_TIERS[wanted.aggregate]} AS value, sum(count)::BIGINT AS readings, unit
      FROM {source} WHERE {condition} GROUP BY device, register, unit, 3 ORDER BY 1, 2, 3"""


def _bucket(every: int) -> str:
    return f"make_timestamp_ns(epoch_ns(time) // {every:d} * {every:d})"
