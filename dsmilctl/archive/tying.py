"""Tying: writes into an archive which token test or operation each message and response belongs to."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

import msgspec

from dsmilctl.archive.correlation import (
    WINDOW,
    Causes,
    Effect,
    Tie,
    operations_of,
    place_of,
    tests_of,
)
from dsmilctl.archive.dependencies import note_discoveries, relate_tokens

OWN_TAGS = ("test=", "operation=", "delay_ms=", "strength=")
METRICS = """UPDATE system_metrics AS m SET test_id = (
    SELECT test_id FROM token_tests t WHERE t.session_id = m.session_id
      AND m.metric_timestamp BETWEEN t.test_timestamp
        AND t.test_timestamp + CAST(coalesce(t.test_duration_ms, 0) * 1000000 AS INTEGER)
    ORDER BY t.test_timestamp DESC LIMIT 1)
  WHERE session_id = ? AND test_id IS NULL"""


class Related(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is tied to a token test: which (`operation`, `kernel`, `response`), when, and what."""

    kind: str
    timestamp: int
    what: str
    delay_ms: float
    strength: float


def tie_recording(connection: sqlite3.Connection, recording_id: str, window: float = WINDOW) -> int:
    """Tie the messages and responses of a recording to its tests and operations; how many were tied.

    `window` is in seconds.  What an earlier call has tied is tied anew.  Runs in the caller's transaction.
    """
    tests = Causes(tests_of(connection, recording_id), window)
    operations = Causes(operations_of(connection, recording_id), window)
    connection.execute(METRICS, (recording_id,))
    tied = 0
    for row, effect in _messages(connection, recording_id):
        test, operation = tests.of(effect), operations.of(effect)
        tied += bool(test or operation)
        connection.execute(
            "UPDATE kernel_messages SET test_id = ?, correlation_tags = ? WHERE message_id = ?",
            (test and test.cause.test_id, _tags(row[1], test, operation), row[0]),
        )
    for row, effect in _responses(connection, recording_id):
        test, operation = tests.of(effect), operations.of(effect)
        tied += bool(test or operation)
        chosen = test or operation
        connection.execute(
            """UPDATE dsmil_responses SET test_id = ?, correlation_strength = ?, response_delay_ms = ?,
                 response_data = ? WHERE response_id = ?""",
            (
                test and test.cause.test_id, chosen and chosen.strength, chosen and chosen.delay_ms,
                _data(row[1], operation), row[0],
            ),
        )  # fmt: skip
    return tied


def tie_at_end(connection: sqlite3.Connection, recording_id: str, now: int, window: float = WINDOW) -> None:
    """Tie what a recording holds, and write which tokens go together, in one transaction.

    Raises sqlite3.Error; nothing is changed then.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        tie_recording(connection, recording_id, window)
        relate_tokens(connection, now, window)
        note_discoveries(connection, recording_id, now)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _messages(connection: sqlite3.Connection, recording_id: str) -> list[tuple[Any, Effect]]:
    rows = connection.execute(
        """SELECT message_id, correlation_tags, message_timestamp, subsystem, message_text
           FROM kernel_messages WHERE session_id = ?""",
        (recording_id,),
    )
    return [(row, Effect(moment=row[2], text=f"{row[3]} {row[4]}")) for row in rows]


def _responses(connection: sqlite3.Connection, recording_id: str) -> list[tuple[Any, Effect]]:
    rows = connection.execute(
        """SELECT response_id, response_data, response_timestamp, group_id, device_id
           FROM dsmil_responses WHERE session_id = ?""",
        (recording_id,),
    )
    return [(row, Effect(moment=row[2], place=None if None in row[3:] else (row[3], row[4]))) for row in rows]


def _tags(told: str, test: Tie | None, operation: Tie | None) -> str:
    tags = [tag for tag in msgspec.json.decode(told) if not str(tag).startswith(OWN_TAGS)]
    if test is not None:
        tags.append(f"test={test.cause.test_id}")
    if operation is not None:
        tags.append(f"operation={operation.cause.operation_id}")
    if chosen := test or operation:
        tags += [f"delay_ms={chosen.delay_ms:.3f}", f"strength={chosen.strength:.3f}"]
    return msgspec.json.encode(tags).decode()


def _data(told: str | None, operation: Tie | None) -> str | None:
    """What a response carries, with the operation that it is tied to; text of another kind stays."""
    try:
        data = msgspec.json.decode(told or "{}")
    except msgspec.DecodeError:
        return told
    if not isinstance(data, dict):
        return told
    data.pop("operation_id", None)
    if operation is not None:
        data["operation_id"] = operation.cause.operation_id
    return msgspec.json.encode(data).decode() if data else None


def related(
    connection: sqlite3.Connection, recording_id: str, test_id: int, window: float = WINDOW
) -> list[Related]:
    """Everything that is tied to a test, by time: operations, messages of the kernel and responses."""
    tests = Causes(tests_of(connection, recording_id), window)
    found = []
    for kind, what, effect in _effects(connection, recording_id):
        tie = tests.of(effect)
        if tie is not None and tie.cause.test_id == test_id:
            found.append(
                Related(
                    kind=kind,
                    timestamp=effect.moment,
                    what=what,
                    delay_ms=tie.delay_ms,
                    strength=tie.strength,
                )
            )
    return sorted(found, key=lambda item: item.timestamp)


def _effects(connection: sqlite3.Connection, recording_id: str) -> Iterator[tuple[str, str, Effect]]:
    operations = connection.execute(
        """SELECT action, target, outcome, timestamp FROM operations
           WHERE session_id = ? AND outcome != 'INTENT'""",
        (recording_id,),
    )
    for action, target, outcome, moment in operations:
        yield "operation", f"{action} {target}: {outcome}", Effect(moment=moment, place=place_of(target))
    for row, effect in _messages(connection, recording_id):
        yield "kernel", row[4], effect
    query = "SELECT response_type, previous_state, new_state FROM dsmil_responses WHERE response_id = ?"
    for row, effect in _responses(connection, recording_id):
        kind, before, after = connection.execute(query, (row[0],)).fetchone()
        where = "" if effect.place is None else "group {} device {}: ".format(*effect.place)
        yield "response", f"{where}{kind}, {before} to {after}", effect
