"""Gathering: the statistics of a recording, out of its archive."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from dsmilctl.archive.asking import Wanted
from dsmilctl.archive.description import Description
from dsmilctl.archive.places import Places
from dsmilctl.archive.query import Query
from dsmilctl.archive.report.contents import Crossing, Report, Series, Silence
from dsmilctl.archive.report.findings import charts_of, findings_of, recommendations_of
from dsmilctl.clock import NANOSECONDS

STRETCHES = 120
"""Points of a chart."""

GOOD = "quality != 'bad' AND value IS NOT NULL AND isfinite(value)"
SILENT = 5
"""How many times the usual interval nothing comes before it is a silence."""

STATISTICS = f"""WITH timed AS (
    SELECT *, epoch_ns(time) - epoch_ns(lag(time) OVER (PARTITION BY device, register ORDER BY time)) AS gap
    FROM ({{source}}))
  SELECT device, register, coalesce(any_value(unit), '') AS unit, count(*) AS readings,
    count(*) FILTER (quality = 'bad') AS bad, count(*) FILTER (quality = 'stale') AS stale,
    min(value) FILTER ({GOOD}) AS minimum, avg(value) FILTER ({GOOD}) AS average,
    max(value) FILTER ({GOOD}) AS maximum, stddev_samp(value) FILTER ({GOOD}) AS deviation,
    arg_min(value, time) FILTER ({GOOD}) AS first, arg_max(value, time) FILTER ({GOOD}) AS last,
    regr_slope(value, epoch_ns(time) / 3.6e12) FILTER ({GOOD}) AS slope,
    regr_r2(value, epoch_ns(time) / 3.6e12) FILTER ({GOOD}) AS r2,
    median(gap) / 1e9 AS every, max(gap) / 1e9 AS longest,
    epoch_ns(arg_max(time, gap)) - max(gap) AS longest_at,
    epoch_ns(min(time)) AS begun, epoch_ns(max(time)) AS ended
  FROM timed GROUP BY device, register ORDER BY device, register"""
SHAPES = f"""SELECT device, register, (epoch_ns(time) - {{first}}) // {{stretch}} AS place,
    min(value) AS low, avg(value) AS mean, max(value) AS high
  FROM ({{source}}) WHERE {GOOD} GROUP BY ALL"""
CROSSINGS = """SELECT device, register, coalesce(error, quality) AS what, count(*) AS readings,
    epoch_ns(min(time)) AS first, epoch_ns(max(time)) AS last,
    arg_max(value, abs(value)) FILTER (isfinite(value)) AS worst
  FROM ({source}) WHERE quality != 'good' GROUP BY ALL ORDER BY readings DESC, device, register"""


def report_of(places: Places, recording: str) -> Report:
    """The report of a recording; raises NotFound, CheckFailed."""
    with Query(places) as query:
        description = query.description(recording)
        wanted = Wanted(recording=description.recording.recording_id)
        rows = query.ask(wanted, STATISTICS)
        first, last = _span(rows, description)
        stretch = max(1, (last - first) // STRETCHES + 1)
        shapes = query.ask(wanted, SHAPES, first=first, stretch=stretch)
        crossings = query.ask(wanted, CROSSINGS)
    return _finished(_report(description, rows, (first, last, stretch), shapes, crossings))


def _span(rows: list[dict[str, Any]], description: Description) -> tuple[int, int]:
    started = description.recording.started
    begun = min((row["begun"] for row in rows), default=started)
    return begun, max((row["ended"] for row in rows), default=started)


def _report(
    description: Description,
    rows: list[dict[str, Any]],
    span: tuple[int, int, int],
    shapes: list[dict[str, Any]],
    crossings: list[dict[str, Any]],
) -> Report:
    first, last, stretch = span
    series = _series(rows, shapes)
    operations = tuple(_operation(row) for row in description.operations)
    return Report(
        recording=description.recording, first=first, last=last, stretch=stretch,
        readings=sum(item.readings for item in series), devices=len({item.device for item in series}),
        bad=sum(item.bad for item in series), series=series,
        crossings=tuple(msgspec.convert(row, Crossing) for row in crossings),
        silences=_silences(description, series), operations=operations,
        outcomes=dict(Counter(item["outcome"] for item in operations if item["outcome"] != "INTENT")),
        events=tuple(
            dict(zip(("timestamp", "type", "severity", "device", "message"), row, strict=True))
            for row in description.events
        ),
    )  # fmt: skip


def _finished(report: Report) -> Report:
    """The report with what can be said about its figures."""
    found = findings_of(report)
    return msgspec.structs.replace(
        report,
        findings=found,
        recommendations=recommendations_of(report, found),
        charts=charts_of(report, found),
    )


def _series(rows: list[dict[str, Any]], shapes: list[dict[str, Any]]) -> tuple[Series, ...]:
    drawn: dict[tuple[str, str], list[list[float | None]]] = {}
    for shape in shapes:
        empty: list[list[float | None]] = [[None] * STRETCHES for _ in range(3)]
        columns = drawn.setdefault((shape["device"], shape["register"]), empty)
        place = min(STRETCHES - 1, shape["place"])
        for column, name in zip(columns, ("low", "mean", "high"), strict=True):
            column[place] = shape[name]
    found = []
    for row in rows:
        fields = {name: row[name] for name in row if name in Series.__struct_fields__}
        low, mean, high = drawn.get((row["device"], row["register"]), ([], [], []))
        found.append(Series(**fields, low=tuple(low), mean=tuple(mean), high=tuple(high)))
    return tuple(found)


def _operation(row: tuple[Any, ...]) -> dict[str, Any]:
    names = ("timestamp", "sequence", "user", "host", "context", "action", "target", "parameters", "decision",
             "outcome", "operation_id")  # fmt: skip
    return dict(zip(names, row, strict=False))


def _silences(description: Description, series: tuple[Series, ...]) -> tuple[Silence, ...]:
    told = [Silence(started=moment, seconds=None, missed=missed, what=reason)
            for moment, missed, reason in description.gaps]  # fmt: skip
    noticed: dict[tuple[int, float], list[str]] = {}
    for item in series:
        if item.every and item.longest and item.longest_at and item.longest > max(SILENT * item.every, 0.5):
            key = (item.longest_at // NANOSECONDS, round(item.longest))
            noticed.setdefault(key, []).append(item.title)
    for (moment, seconds), titles in sorted(noticed.items()):
        who = titles[0] if len(titles) == 1 else f"{len(titles)} registers"
        told.append(
            Silence(
                started=moment * NANOSECONDS, seconds=seconds, missed=None, what=f"nothing came from {who}"
            )
        )
    return tuple(sorted(told, key=lambda item: item.started))
