"""Recording: a named stretch of time and everything that was kept of it."""

from __future__ import annotations

import os
import re
import sqlite3
from typing import Any

import msgspec

from dsmilctl.clock import rfc3339
from dsmilctl.errors import InvalidParameter, NotFound, nearest

TYPES = ("single", "group", "range", "comprehensive", "custom")
STATUSES = ("running", "completed", "failed", "aborted")
LONGEST_NAME = 200
COLUMNS = (
    "session_id", "session_name", "start_timestamp", "end_timestamp", "session_type", "status", "operator",
    "host", "context", "notes", "tags", "versions",
)  # fmt: skip
COUNTED = ("operations", "events", "gaps", "token_tests", "thermal_readings", "system_metrics")
"""Tables whose rows belong to a recording and are counted in lists."""


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """One recording.  Times are in nanoseconds UTC; `ended` is None while it runs.

    `status` is one of STATUSES: `aborted` is one whose recorder ended without saying so.
    """

    recording_id: str
    name: str
    started: int
    ended: int | None = None
    type: str = "custom"
    status: str = "running"
    operator: str = ""
    host: str = ""
    context: str = ""
    notes: str = ""
    tags: tuple[str, ...] = ()
    versions: dict[str, str] = {}


def new_recording(name: str, started: int, **facts: Any) -> Recording:
    """A recording that begins now; its id is the moment, the name and what makes it the only one.

    Raises InvalidParameter for a name that is empty or too long, or a type that there is not.
    """
    if not name.strip() or len(name) > LONGEST_NAME:
        raise InvalidParameter(
            "a recording needs a name", hint=f"up to {LONGEST_NAME} characters", target="--name"
        )
    if (kind := facts.get("type", "custom")) not in TYPES:
        hint = nearest(kind, TYPES) or f"types: {', '.join(TYPES)}"
        raise InvalidParameter(f"no type of recording {kind!r}", hint=hint, target="--type")
    moment = re.sub(r"\D", "", rfc3339(started)[:19])
    word = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()[:40] or "recording"
    return Recording(
        recording_id=f"{moment}-{word}-{os.urandom(3).hex()}", name=name, started=started, **facts
    )


def insert(connection: sqlite3.Connection, recording: Recording, now: int) -> None:
    """Put a recording into the archive."""
    names = ", ".join((*COLUMNS, "created_at", "updated_at"))
    marks = ", ".join("?" * (len(COLUMNS) + 2))
    connection.execute(
        f"INSERT INTO test_sessions ({names}) VALUES ({marks})", (*_row_of(recording), now, now)
    )


def _row_of(recording: Recording) -> tuple[Any, ...]:
    return (
        recording.recording_id, recording.name, recording.started, recording.ended, recording.type,
        recording.status, recording.operator, recording.host, recording.context, recording.notes,
        msgspec.json.encode(recording.tags).decode(), msgspec.json.encode(recording.versions).decode(),
    )  # fmt: skip


def _of_row(row: tuple[Any, ...]) -> Recording:
    identity, name, started, ended, kind, status, operator, host, context, notes, tags, versions = row
    return Recording(
        recording_id=identity, name=name, started=started, ended=ended, type=kind, status=status,
        operator=operator, host=host, context=context, notes=notes,
        tags=msgspec.json.decode(tags, type=tuple[str, ...]),
        versions=msgspec.json.decode(versions, type=dict[str, str]),
    )  # fmt: skip


def finish(connection: sqlite3.Connection, recording_id: str, status: str, ended: int, notes: str) -> None:
    """Say how a recording ended; notes are added to those it has."""
    connection.execute(
        """UPDATE test_sessions SET status = ?, end_timestamp = ?, updated_at = ?,
             notes = trim(notes || char(10) || ?, char(10)) WHERE session_id = ?""",
        (status, ended, ended, notes, recording_id),
    )


def extend(connection: sqlite3.Connection, recording_id: str, until: int) -> None:
    """Let a recording that has ended reach up to a later moment: something that it holds ended then."""
    connection.execute(
        """UPDATE test_sessions SET end_timestamp = ?2, updated_at = ?2
           WHERE session_id = ?1 AND end_timestamp < ?2""",
        (recording_id, until),
    )


def recordings(connection: sqlite3.Connection) -> list[Recording]:
    """Every recording, newest first."""
    rows = connection.execute(
        f"SELECT {', '.join(COLUMNS)} FROM test_sessions ORDER BY start_timestamp DESC, rowid DESC"
    )
    return [_of_row(row) for row in rows]


def find(connection: sqlite3.Connection, wanted: str) -> Recording:
    """The recording of that id, the newest of that name, or the newest of all for `last`; raises NotFound."""
    known = recordings(connection)
    for recording in known:
        if wanted in (recording.recording_id, recording.name) or wanted == "last":
            return recording
    hint = nearest(wanted, [item.name for item in known]) or "dsmilctl record list"
    raise NotFound(f"no recording {wanted!r}", hint=hint, target=wanted)


def counts(connection: sqlite3.Connection, recording_id: str) -> dict[str, int]:
    """How many readings, operations, events … a recording holds."""
    sealed = _sum(connection, "segments", recording_id, " AND tier = 'raw'")
    found = {"readings": _sum(connection, "chunks", recording_id) + sealed}
    for table in COUNTED:
        query = f"SELECT count(*) FROM {table} WHERE session_id = ?"
        found[table] = connection.execute(query, (recording_id,)).fetchone()[0]
    return found


def _sum(connection: sqlite3.Connection, table: str, recording_id: str, more: str = "") -> int:
    query = f"SELECT coalesce(sum(readings), 0) FROM {table} WHERE session_id = ?{more}"
    return int(connection.execute(query, (recording_id,)).fetchone()[0])
