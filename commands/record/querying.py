"""`dsmilctl record query`: readings, averages and SQL over an archive."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsmilctl import diagnostics
from dsmilctl.archive.extra import require_archive
from dsmilctl.clock import NANOSECONDS, rfc3339
from dsmilctl.commands.execution import execute
from dsmilctl.commands.invocation import invocation
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.record.asking import Question, ask, asks_server, require_askable
from dsmilctl.commands.record.place import ArchiveFolder, existing
from dsmilctl.commands.runner import run, show
from dsmilctl.commands.targets import OptionalTargets
from dsmilctl.commands.times import duration, moment
from dsmilctl.errors import InvalidParameter
from dsmilctl.model.history import ReadingsQuery
from dsmilctl.tables import Column

if TYPE_CHECKING:
    from dsmilctl.archive.query import Query, Wanted

app = Noun("record")
SCHEMA, EMPTY = "record.query/1", "nothing was recorded that fits"
PATIENCE = 0.05
"""Seconds until a question that is to end is told so again."""

MOST = 1000
"""Rows that are shown where no number is asked for."""

READING_COLUMNS = (
    Column("time"),
    Column("device"),
    Column("register"),
    Column("value", right=True),
    Column("unit"),
    Column("quality"),
    Column("error", sparse=True, flexible=True),
    Column("recording", wide=True),
    Column("sequence", wide=True, right=True),
    Column("latency_ms", "MS", wide=True, right=True),
)
STRETCH_COLUMNS = (
    Column("time"),
    Column("device"),
    Column("register"),
    Column("value", right=True),
    Column("unit"),
    Column("readings", right=True),
)
Since = Annotated[str, typer.Option(metavar="TIME", help="from: 2026-11-20T10:00Z, 2h (ago)")]
Until = Annotated[str, typer.Option(metavar="TIME", help="up to")]
OfRecording = Annotated[str, typer.Option(metavar="NAME", help="only this recording: id, name or last")]


@app.command(impact="read")
def query(
    targets: OptionalTargets = "",
    registers: Annotated[
        list[str] | None, typer.Argument(metavar="[REGISTER]...", help="registers; without one all of them")
    ] = None,
    since: Since = "",
    until: Until = "",
    every: Annotated[str, typer.Option(metavar="DURATION", help="one row for each such stretch")] = "",
    agg: Annotated[
        str, typer.Option(metavar="NAME", help="mean, min, max, sum, count, first, last, median, stddev")
    ] = "mean",
    recording: OfRecording = "",
    limit: Annotated[int, typer.Option(metavar="N", min=0, help="at most so many rows; 0 is all")] = MOST,
    sql: Annotated[str, typer.Option(metavar="SELECT", help="a SELECT over readings, events, …")] = "",
    archive: ArchiveFolder = "",
) -> None:
    """Show recorded readings, or one value for each stretch of time, or the answer to a SELECT.

    Sealed and fresh readings are one table.  SQL reads the archive and nothing else, and changes nothing.

    On the context of a server the server is asked for what it recorded, unless --archive names a folder.

    Example: dsmilctl record query 0x8000 TEMP --since 1h --every 1m --agg mean
    Example: dsmilctl -C plant record query 0x8000 TEMP --since 30d --every 1h
    Example: dsmilctl record query --sql 'SELECT device, max(value) FROM readings GROUP BY 1'
    """
    columns = () if sql else STRETCH_COLUMNS if every else READING_COLUMNS
    if asks_server(archive):
        require_askable(sql=sql, recording=recording)
        run(ask, _question(locals()), schema=SCHEMA, columns=columns, empty=EMPTY)
        return
    require_archive()
    if sql and (targets or registers or every):
        raise InvalidParameter("--sql says itself what is wanted", hint="leave the rest out", target="--sql")
    rows = rows_of_sql(archive, sql, limit) if sql else rows_of(archive, _wanted(locals()))
    if limit and len(rows) > limit:
        rows = rows[:limit]
        diagnostics.warn(f"only the first {limit} rows: --limit 0 shows all, record export takes them along")
    show(rows, schema=SCHEMA, columns=columns, empty=EMPTY)


def _question(given: Mapping[str, Any]) -> Question:
    query = ReadingsQuery(
        registers=tuple(given["registers"] or ()),
        since=moment(given["since"]),
        until=moment(given["until"]),
        every=_stretch(given["every"]),
        aggregate=given["agg"],
    )
    return Question(selector=given["targets"], query=query, limit=given["limit"])


def _wanted(given: Mapping[str, Any]) -> Wanted:
    from dsmilctl.archive.query import Wanted

    limit = given["limit"]
    return Wanted(
        selector=given["targets"],
        registers=tuple(given["registers"] or ()),
        recording=given["recording"],
        since=moment(given["since"]),
        until=moment(given["until"]),
        every=_stretch(given["every"]),
        aggregate=given["agg"],
        limit=limit and limit + 1,
    )


def _stretch(text: str) -> int:
    """Nanoseconds of a stretch, 0 for none; raises InvalidParameter."""
    stretch = round(duration(text) * NANOSECONDS) if text else 0
    if text and stretch <= 0:
        raise InvalidParameter(f"--every cannot be {text}", hint="1s, 1m, 1h", target="--every")
    return stretch


def rows_of(archive: str, wanted: Wanted) -> list[dict[str, Any]]:
    """Readings, or stretches of them, as rows."""

    def take(opened: Query) -> list[dict[str, Any]]:
        found = opened.readings(wanted)
        return [_row(row) for batch in found for row in _plain_times(batch).to_pylist()]

    return _asked(archive, take)


def rows_of_sql(archive: str, sql: str, limit: int) -> list[dict[str, Any]]:
    """The rows of a SELECT, one more than `limit` at the most."""

    def take(opened: Query) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for batch in opened.sql(sql):
            rows += _plain_times(batch).to_pylist()
            if limit and len(rows) > limit:
                break
        return rows

    return _asked(archive, take)


def _asked(archive: str, take: Callable[[Query], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """What a question finds; a signal or the deadline of the command ends it at once."""
    from dsmilctl.archive.query import Query

    async def work() -> list[dict[str, Any]]:
        with Query(existing(archive)) as opened:
            asking = asyncio.create_task(asyncio.to_thread(take, opened))
            try:
                return await asyncio.shield(asking)
            except asyncio.CancelledError:
                while not asking.done():
                    opened.interrupt()
                    await asyncio.wait((asking,), timeout=PATIENCE)
                asking.exception()  # it is that it was interrupted
                raise

    return execute(work(), invocation().time_limit)


def _plain_times(batch: Any) -> Any:
    """The batch with times as text: Python's own have no nanoseconds."""
    import pyarrow as pa

    for place, field in enumerate(batch.schema):
        if pa.types.is_timestamp(field.type):
            numbers = batch.column(place).cast(pa.timestamp("ns")).cast(pa.int64()).to_pylist()
            texts = [None if number is None else rfc3339(number, 9) for number in numbers]
            batch = batch.set_column(place, field.name, pa.array(texts, pa.string()))
    return batch


def _row(row: dict[str, Any]) -> dict[str, Any]:
    """A row with its value as it was: truths, whole numbers and text are floats or apart in the archive."""
    kind, text = row.pop("kind", "float"), row.pop("text", None)
    if kind == "text":
        row["value"] = text
    elif kind == "digits":
        row["value"] = int(text)
    elif kind in ("integer", "truth") and row["value"] is not None:
        row["value"] = int(row["value"]) if kind == "integer" else bool(row["value"])
    row.pop("latency_us", None)
    return row
