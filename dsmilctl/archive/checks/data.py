"""Data layer: the readings, rows and counts of an archive fit together."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from dsmilctl.archive.blocks import unpack
from dsmilctl.archive.definitions import devices, tokens
from dsmilctl.archive.finding import HINT, Finding
from dsmilctl.archive.hot import Chunk, chunks
from dsmilctl.archive.rows import SUMMED, checksum_of
from dsmilctl.clock import rfc3339
from dsmilctl.errors import CheckFailed

ASIDE = "record check --repair sets it aside and notes the gap"
COUNTS = {
    "total_tokens": "count(*)",
    "successful_tokens": "coalesce(sum(success = 1), 0)",
    "failed_tokens": "coalesce(sum(success = 0), 0)",
}
"""Columns that triggers keep, and what they have to be."""


def _found(where: str, what: str, mend: str = "", severity: str = "error") -> Finding:
    return Finding(layer="data", severity=severity, where=where, what=what, mend=mend)


def check_data(connection: sqlite3.Connection, *, recording_now: bool) -> Iterator[Finding]:
    """Findings about what the tables hold; `recording_now` when a recorder is at work."""
    yield from check_chunks(connection)
    yield from _check_rows(connection)
    yield from _check_recordings(connection, recording_now)
    yield from _check_definitions(connection)


def check_chunks(connection: sqlite3.Connection) -> Iterator[Finding]:
    """Chunks that are changed, swapped, replayed, missing or cannot be read."""
    series = {row[0] for row in connection.execute("SELECT series_id FROM series")}
    ends = dict(
        connection.execute("SELECT last_chunk, last_digest FROM segments WHERE last_chunk > 0").fetchall()
    )
    before: Chunk | None = None
    for chunk in chunks(connection):
        problem = _problem(chunk, series) or _break(chunk, before, ends)
        if problem:
            link = chunk.link
            span = f"{link.readings} readings from {rfc3339(link.first_timestamp)}"
            yield _found(
                f"chunk {link.chunk_id}", f"{problem} ({span} to {rfc3339(link.last_timestamp)})", ASIDE
            )
        before = chunk


def _problem(chunk: Chunk, series: set[int]) -> str:
    if not chunk.intact:
        return "bits of it have changed: its digest differs"
    try:
        batch = unpack(chunk.block)
    except CheckFailed as error:
        return error.message
    if batch.num_rows != chunk.link.readings:
        return f"it holds {batch.num_rows} readings and should hold {chunk.link.readings}"
    unknown = set(batch.column("series").unique().to_pylist()) - series
    return f"it names series that there are not: {sorted(unknown)}" if unknown else ""


def _break(chunk: Chunk, before: Chunk | None, ends: dict[int, bytes]) -> str:
    """What is wrong between a chunk and the one that was written before it."""
    number, previous = chunk.link.chunk_id - 1, chunk.link.previous
    if before is not None and before.link.chunk_id == number:
        return "" if before.digest == previous else f"it was not written behind chunk {number}"
    if number in ends:
        return "" if ends[number] == previous else f"it was not written behind the segment up to {number}"
    if before is not None and before.link.session_id == chunk.link.session_id:
        return f"chunk {number} is missing before it"
    return ""


def _check_rows(connection: sqlite3.Connection) -> Iterator[Finding]:
    for table, columns in SUMMED.items():
        for row in connection.execute(f"SELECT rowid, checksum, {', '.join(columns)} FROM {table}"):
            if checksum_of(row[2:]) != row[1]:
                yield _found(f"{table} row {row[0]}", "bits of it have changed: its checksum differs")
    query = (
        "SELECT session_id, hash, count(*) FROM operations WHERE hash != '' GROUP BY 1, 2 HAVING count(*) > 1"
    )
    for session, digest, count in connection.execute(query):
        yield _found(f"recording {session}", f"operation {digest[:16]}… is there {count} times")


def _check_recordings(connection: sqlite3.Connection, recording_now: bool) -> Iterator[Finding]:
    wrong = " OR ".join(f"s.{column} != {_count(expression)}" for column, expression in COUNTS.items())
    for (session,) in connection.execute(f"SELECT session_id FROM test_sessions s WHERE {wrong}"):
        mend = "record check --repair counts again"
        yield _found(f"recording {session}", "its counts are not those of its tests", mend)
    query = "SELECT session_id FROM test_sessions WHERE end_timestamp < start_timestamp"
    for (session,) in connection.execute(query):
        yield _found(f"recording {session}", "it ended before it began", "", HINT)
    if not recording_now:
        for (session,) in connection.execute("SELECT session_id FROM test_sessions WHERE status = 'running'"):
            mend = "record check --repair, or the next recording, marks it aborted"
            yield _found(f"recording {session}", "its recorder ended without a word", mend)


def _count(expression: str) -> str:
    return f"(SELECT {expression} FROM token_tests t WHERE t.session_id = s.session_id)"


def recount(connection: sqlite3.Connection) -> None:
    """Set the counts of every recording to those of its tests."""
    sets = ", ".join(f"{column} = {_count(expression)}" for column, expression in COUNTS.items())
    connection.execute(f"UPDATE test_sessions AS s SET {sets}")


def _check_definitions(connection: sqlite3.Connection) -> Iterator[Finding]:
    columns = (
        "token_id, hex_id, group_id, device_id, sequential_index, potential_function, confidence, accessible"
    )
    for table, expected, names in (
        ("token_definitions", tokens(), columns),
        ("device_definitions", devices(), "*"),
    ):
        there = {row[0]: list(row) for row in connection.execute(f"SELECT {names} FROM {table}")}
        for row in expected:
            if there.get(row[0]) != row:
                yield _found(f"{table} {row[1]}", "it is not as it was defined", "restore the last backup")
