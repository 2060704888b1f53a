"""Intake: puts the sessions of an old file into an archive, and says what was repaired."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from dsmilctl.archive import recording as recordings
from dsmilctl.archive.database import connect
from dsmilctl.archive.dependencies import relate_tokens
from dsmilctl.archive.legacy.mending import Mending, Unfit, text, whole
from dsmilctl.archive.legacy.rows import MAKERS, lost_test
from dsmilctl.archive.legacy.source import Row, Rows, read
from dsmilctl.archive.places import Places
from dsmilctl.archive.recording import LONGEST_NAME, STATUSES, Recording, new_recording
from dsmilctl.archive.tying import tie_recording
from dsmilctl.clock import SYSTEM, Clock

TIMES = {
    "token_tests": "test_timestamp", "system_metrics": "metric_timestamp",
    "thermal_readings": "reading_timestamp", "kernel_messages": "message_timestamp",
    "dsmil_responses": "response_timestamp", "discovery_log": "discovery_timestamp",
}  # fmt: skip
COUNTED = ("emergency_stops", "thermal_warnings")
TAG = "imported"


class TakenIn(msgspec.Struct, frozen=True, kw_only=True):
    """What an old file brought: recordings, rows by table, and how often what was repaired or left out."""

    recordings: tuple[Recording, ...]
    rows: dict[str, int]
    repaired: dict[str, int]
    left_out: dict[str, int]


def take_in_old(places: Places, path: Path, kind: str, *, name: str = "", clock: Clock = SYSTEM) -> TakenIn:
    """Import the sessions of an old SQLite database or JSON file into an archive that this process holds.

    `kind` is what `kind_of` says.  All or nothing.  Raises InvalidParameter for a damaged file.
    """
    rows = read(path, kind)
    with closing(connect(places.database)) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        done = _Intake(connection, path, name, clock.now()).run(rows)
        relate_tokens(connection, clock.now())
        connection.execute("COMMIT")
    return done


class _Intake:
    """One file on its way into an archive, inside one transaction."""

    def __init__(self, connection: sqlite3.Connection, path: Path, name: str, now: int) -> None:
        self._connection = connection
        self._path = path
        self._name = name
        self._now = now
        self._mending = Mending()
        self._rows: dict[str, int] = {}
        self._taken = {item.recording_id for item in recordings.recordings(connection)}
        self._tests: dict[Any, int] = {}

    def run(self, rows: Rows) -> TakenIn:
        """Sessions first, then what belongs to each."""
        ends: dict[str, int] = defaultdict(int)
        sessions: dict[Any, Recording] = {}
        for row in rows.pop("test_sessions", []):
            try:
                sessions[row.get("session_id")] = self._session(row)
            except Unfit as error:
                self._mending.left_out[f"sessions: {error}"] += 1
        for table, found in rows.items():
            for row in found:
                session = sessions.get(row.get("session_id"))
                if session is None:
                    self._mending.left_out["rows without a session"] += 1
                elif (moment := self._row(table, row, session.recording_id)) is not None:
                    ends[session.recording_id] = max(ends[session.recording_id], moment)
        ended = tuple(self._close(item, ends[item.recording_id]) for item in sessions.values())
        return TakenIn(
            recordings=ended,
            rows=self._rows,
            repaired=dict(self._mending.repaired),
            left_out=dict(self._mending.left_out),
        )

    def _session(self, row: Row) -> Recording:
        mending = self._mending
        started = mending.moment(row, "start_timestamp", "start_time", "created_at")
        ended = None
        if any(row.get(name) is not None for name in ("end_timestamp", "end_time")):
            ended = mending.moment(row, "end_timestamp", "end_time")
        told = (text(row.get("session_name")) or "").strip() or self._path.stem
        made = new_recording(
            (self._name or told)[:LONGEST_NAME], started, type=mending.word(row, "session_type")
        )
        identity = text(row.get("session_id")) or made.recording_id
        found = msgspec.structs.replace(
            made,
            recording_id=made.recording_id if identity in self._taken else identity,
            ended=ended,
            status=str(row.get("status") or "running"),
            operator=text(row.get("operator")) or "",
            notes=text(row.get("notes")) or "",
            tags=(TAG,),
            versions={"imported from": self._path.name},
        )
        self._taken.add(found.recording_id)
        running = msgspec.structs.replace(found, status="aborted", ended=None)
        recordings.insert(self._connection, running, self._now)
        self._connection.execute(
            "UPDATE test_sessions SET emergency_stops = ?, thermal_warnings = ? WHERE session_id = ?",
            (*(whole(row.get(name)) or 0 for name in COUNTED), found.recording_id),
        )
        return found

    def _row(self, table: str, row: Row, recording_id: str) -> int | None:
        """Put one row in; when it was, or None where it could not be."""
        try:
            values = MAKERS[table](row, self._mending)
        except Unfit as error:
            return self._not_made(table, row, recording_id, error)
        if table != "token_tests":
            values["test_id"] = self._tests.get(row.get("test_id"))
        number = self._insert(table, values, recording_id)
        if table == "token_tests" and row.get("test_id") is not None:
            self._tests[row["test_id"]] = number
        moment: int = values[TIMES[table]]
        return moment

    def _not_made(self, table: str, row: Row, recording_id: str, error: Unfit) -> int | None:
        self._mending.left_out[f"{table}: {error}"] += 1
        if table != "token_tests":
            return None
        try:
            values = lost_test(row, self._mending)
        except Unfit:
            return None
        self._insert("discovery_log", values, recording_id)
        moment: int = values["discovery_timestamp"]
        return moment

    def _insert(self, table: str, values: Row, recording_id: str) -> int:
        full = values | {"session_id": recording_id, "created_at": self._now}
        marks = ", ".join(f":{name}" for name in full)
        cursor = self._connection.execute(f"INSERT INTO {table} ({', '.join(full)}) VALUES ({marks})", full)
        self._rows[table] = self._rows.get(table, 0) + 1
        return int(cursor.lastrowid or 0)

    def _close(self, found: Recording, last: int) -> Recording:
        """Say how a recording ended: one that was never closed is aborted, with the last thing in it."""
        status, ended = found.status, found.ended
        if status not in STATUSES or status == "running":
            self._mending.repaired["recordings that were never closed"] += 1
            status = "aborted"
        if ended is None or ended < found.started:
            ended = max(found.started, last)
        done = msgspec.structs.replace(found, status=status, ended=ended)
        recordings.finish(self._connection, done.recording_id, status, ended, "")
        tie_recording(self._connection, done.recording_id)
        return done
