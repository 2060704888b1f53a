"""Recordings: what the dashboard asks of an archive, each question in a thread: it waits for the disk."""

from __future__ import annotations

import msgspec

from dsmilctl.archive.extra import require_archive
from dsmilctl.archive.lock import holder
from dsmilctl.archive.places import Places
from dsmilctl.archive.recording import Recording, counts, recordings
from dsmilctl.archive.supervision import Health, Supervision
from dsmilctl.clock import NANOSECONDS
from dsmilctl.config.paths import paths

WHOLE = 3600 * NANOSECONDS * 1_000_000
"""A stretch that no recording is longer than; whole hours, so that sealed stretches will do."""

CLOSEST = 1_000_000
"""Nanoseconds that a chart shows at the least."""

Span = tuple[float, float] | None
"""The least and the greatest value of a part of time; None where nothing was recorded."""


class RecordingRow(msgspec.Struct, frozen=True):
    """A recording and how much it holds."""

    recording: Recording
    readings: int
    operations: int
    events: int


class Listing(msgspec.Struct, frozen=True):
    """Every recording, newest first; the process that records now, or an empty text; how that one is."""

    rows: tuple[RecordingRow, ...] = ()
    recorder: str = ""
    health: Health | None = None


class SeriesRow(msgspec.Struct, frozen=True):
    """One register of one device in a recording: how many good readings, and between which values."""

    device: str
    register: str
    unit: str
    readings: int
    least: float
    mean: float
    greatest: float


def archive_places() -> Places:
    """The archive of this user."""
    return Places(paths().archive_folder)


def listing(places: Places) -> Listing:
    """Which recordings there are; raises StateUnavailable where the archive is damaged."""
    recorder = holder(places.lock)
    health = Supervision(paths().recorder_folder(places.folder)).health() if recorder else None
    if not places.exists:
        return Listing((), recorder, health)
    from dsmilctl.archive.database import DAMAGED, connect, unusable

    connection = connect(places.database, read_only=True)
    try:
        rows = []
        for recording in recordings(connection):
            held = counts(connection, recording.recording_id)
            rows.append(RecordingRow(recording, held["readings"], held["operations"], held["events"]))
    except DAMAGED as error:
        raise unusable(places.database, error) from error
    finally:
        connection.close()
    return Listing(tuple(rows), recorder, health)


def series_of(places: Places, recording_id: str) -> list[SeriesRow]:
    """The registers of a recording that have good readings; raises MissingExtraError, NotFound."""
    require_archive()
    from dsmilctl.archive.query import Query, Wanted

    found: dict[tuple[str, str, str], dict[str, float]] = {}
    with Query(places) as query:
        for aggregate in ("min", "mean", "max"):
            wanted = Wanted(recording=recording_id, every=WHOLE, aggregate=aggregate)
            for batch in query.readings(wanted):
                for row in batch.to_pylist():
                    key = (row["device"], row["register"], row["unit"] or "")
                    values = found.setdefault(key, {"readings": row["readings"]})
                    values[aggregate] = row["value"]
    return [
        SeriesRow(*key, int(values["readings"]), values["min"], values["mean"], values["max"])
        for key, values in found.items()
    ]


def times_of(places: Places, recording: Recording) -> tuple[int, int]:
    """From the first reading of a recording to the last, in nanoseconds UTC; when it began without one."""
    from dsmilctl.archive.database import connect

    connection = connect(places.database, read_only=True)
    try:
        first, last = connection.execute(
            """SELECT min(first_timestamp), max(last_timestamp) FROM (
                 SELECT first_timestamp, last_timestamp FROM chunks WHERE session_id = :id
                 UNION ALL SELECT first_timestamp, last_timestamp FROM segments WHERE session_id = :id)""",
            {"id": recording.recording_id},
        ).fetchone()
    finally:
        connection.close()
    begin = recording.started if first is None else int(first)
    return begin, max(begin + CLOSEST, begin if last is None else int(last))


def spans_of(
    places: Places, recording_id: str, series: SeriesRow, times: tuple[int, int], count: int
) -> list[Span]:
    """A register from one time to another (nanoseconds UTC, both included), in about `count` parts."""
    require_archive()
    from dsmilctl.archive.query import Query, Wanted

    begin, end = times
    every = max(1, -(-(end - begin + 1) // count))
    found: dict[str, dict[int, float]] = {}
    with Query(places) as query:
        for aggregate in ("min", "max"):
            wanted = Wanted(
                selector="", devices=(series.device,), registers=(series.register,), recording=recording_id,
                since=begin // every * every, until=end + 1, every=every, aggregate=aggregate,
            )  # fmt: skip
            values = found.setdefault(aggregate, {})
            for batch in query.readings(wanted):
                moments = batch.column("time").cast("timestamp[ns]").cast("int64").to_pylist()
                values |= dict(zip(moments, batch.column("value").to_pylist(), strict=True))
    places_of_parts = range(begin // every, end // every + 1)
    low, high = found["min"], found["max"]
    return [
        (low[part * every], high[part * every]) if part * every in low else None for part in places_of_parts
    ]
