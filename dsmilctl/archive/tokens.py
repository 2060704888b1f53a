"""Tokens: tests of SMBIOS tokens: what was there before, what was set, and what came of it."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from dsmilctl.errors import Conflict, InvalidParameter, NotFound, nearest

FIRST, LAST = 0x480, 0x4C7
"""The 72 tokens, both ends included."""

PER_GROUP = 12
METHODS = ("smbios-token-ctl", "smi", "direct", "wmi")
OPERATIONS = ("read", "write", "toggle", "probe", "activate")
BEGUN = (
    "session_id", "token_id", "test_timestamp", "access_method", "operation_type", "initial_value",
    "set_value", "expected_value", "notes", "created_at",
)  # fmt: skip
COLUMNS = (
    "test_id", "session_id", "token_id", "test_timestamp", "access_method", "operation_type", "initial_value",
    "set_value", "final_value", "expected_value", "test_duration_ms", "success", "error_code",
    "error_message", "retry_count", "notes",
)  # fmt: skip
TEMPERATURE = """(SELECT avg(temperature_celsius) FROM thermal_readings r
  WHERE r.test_id = t.test_id AND r.reading_timestamp {sign} t.test_timestamp)"""
SELECT = (
    f"SELECT {', '.join(COLUMNS)}, {TEMPERATURE.format(sign='<')}, {TEMPERATURE.format(sign='>=')}"
    " FROM token_tests t"
)


class TokenTest(msgspec.Struct, frozen=True, kw_only=True):
    """One test of one token.

    `started` is in nanoseconds UTC, `duration_ms` in milliseconds and None while the test goes on, as is
    `success`; values are text as they were read or given.  `temperature_before` and `temperature_after` are
    means of the sensors that were read for the test, in °C.
    """

    test_id: int = 0
    recording_id: str
    token_id: int
    started: int
    access_method: str = METHODS[0]
    operation_type: str = OPERATIONS[0]
    initial_value: str | None = None
    set_value: str | None = None
    final_value: str | None = None
    expected_value: str | None = None
    duration_ms: float | None = None
    success: bool | None = None
    error_code: str | None = None
    error_message: str | None = None
    retry_count: int = 0
    notes: str = ""
    temperature_before: float | None = None
    temperature_after: float | None = None

    @property
    def hex_id(self) -> str:
        """The token as people write it: `0x480`."""
        return hex_id_of(self.token_id)

    @property
    def group_id(self) -> int:
        """The group, 0 to 5: tokens are numbered from 0x480, twelve a group."""
        return group_of(self.token_id)

    @property
    def device_id(self) -> int:
        """The place in the group, 0 to 11."""
        return (self.token_id - FIRST) % PER_GROUP


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a test ended; `success` None lets final and expected value decide, and an error against it."""

    success: bool | None = None
    final_value: str | None = None
    expected_value: str | None = None
    duration_ms: float | None = None
    error_code: str | None = None
    error_message: str | None = None
    retry_count: int = 0
    notes: str = ""

    def succeeded(self, expected: str | None) -> bool:
        """Whether the test succeeded, given what was expected of it."""
        if self.success is not None:
            return self.success
        if self.error_code or self.error_message:
            return False
        return expected is None or same_value(self.final_value, expected)


def parse_token(text: str | int) -> int:
    """The token of `0x480` or `1152`; raises InvalidParameter outside the 72."""
    hint = f"{hex_id_of(FIRST)} to {hex_id_of(LAST)}, or {FIRST} to {LAST}"
    try:
        token = text if isinstance(text, int) else int(text, 0)
    except ValueError:
        raise InvalidParameter(f"{text!r} is no token", hint=hint, target=str(text)) from None
    if not FIRST <= token <= LAST:
        raise InvalidParameter(f"{text} is none of the 72 tokens", hint=hint, target=str(text))
    return token


def hex_id_of(token_id: int) -> str:
    """`0x480`: three digits, in capitals."""
    return f"0x{token_id:03X}"


def group_of(token_id: int) -> int:
    """The group of a token, 0 to 5."""
    return (token_id - FIRST) // PER_GROUP


def same_value(one: str | None, other: str | None) -> bool:
    """Whether two values are the same, also `1` and `0x1`."""
    return one == other or _number(one) == _number(other) is not None


def _number(text: str | None) -> int | None:
    try:
        return int(text or "", 0)
    except ValueError:
        return None


def begin(connection: sqlite3.Connection, test: TokenTest, now: int) -> int:
    """Put a test into its recording; its id.  Raises InvalidParameter for a method or operation unknown."""
    _require(test.access_method, METHODS, "--method")
    _require(test.operation_type, OPERATIONS, "--operation")
    row = (
        test.recording_id, parse_token(test.token_id), test.started, test.access_method, test.operation_type,
        test.initial_value, test.set_value, test.expected_value, test.notes, now,
    )  # fmt: skip
    statement = f"INSERT INTO token_tests ({', '.join(BEGUN)}) VALUES ({', '.join('?' * len(BEGUN))})"
    return int(connection.execute(statement, row).lastrowid or 0)


def _require(word: str, known: tuple[str, ...], option: str) -> None:
    if word not in known:
        hint = nearest(word, known) or ", ".join(known)
        raise InvalidParameter(f"{option.lstrip('-')} cannot be {word!r}", hint=hint, target=option)


def complete(connection: sqlite3.Connection, test_id: int, outcome: Outcome, now: int) -> TokenTest:
    """Say how a test ended; the whole test.  Raises NotFound, and Conflict for one that has ended before."""
    test = find_test(connection, test_id)
    if test.success is not None:
        raise Conflict(f"test {test_id} has ended already", hint="dsmilctl record token list")
    expected = test.expected_value if outcome.expected_value is None else outcome.expected_value
    elapsed = max(0, now - test.started) / 1e6  # a clock that was put back makes no test end before it began
    connection.execute(
        """UPDATE token_tests SET final_value = ?, expected_value = ?, test_duration_ms = ?, success = ?,
             error_code = ?, error_message = ?, retry_count = ?,
             notes = trim(notes || char(10) || ?, char(10)) WHERE test_id = ?""",
        (
            outcome.final_value, expected, elapsed if outcome.duration_ms is None else outcome.duration_ms,
            outcome.succeeded(expected), outcome.error_code, outcome.error_message, outcome.retry_count,
            outcome.notes, test_id,
        ),
    )  # fmt: skip
    return find_test(connection, test_id)


def find_test(connection: sqlite3.Connection, test_id: int) -> TokenTest:
    """The test of that id; raises NotFound."""
    row = connection.execute(f"{SELECT} WHERE test_id = ?", (test_id,)).fetchone()
    if row is None:
        raise NotFound(f"no token test {test_id}", hint="dsmilctl record token list", target=str(test_id))
    return _test_of(row)


def open_test(connection: sqlite3.Connection, wanted: str = "") -> TokenTest:
    """The test that is meant and has not ended: by id, by token, or the newest; raises NotFound."""
    hint = "dsmilctl record token begin 0x480"
    return _newest(connection, wanted, "AND success IS NULL", f"no token test{_of(wanted)} goes on", hint)


def newest_test(connection: sqlite3.Connection, wanted: str = "") -> TokenTest:
    """The test that is meant: by id, the newest of a token, or the newest of all; raises NotFound."""
    return _newest(
        connection, wanted, "", f"there is no token test{_of(wanted)}", "dsmilctl record token list"
    )


def _of(wanted: str) -> str:
    return f" of {wanted}" if wanted else ""


def _newest(connection: sqlite3.Connection, wanted: str, more: str, problem: str, hint: str) -> TokenTest:
    if wanted.isdecimal() and not FIRST <= int(wanted) <= LAST:
        return find_test(connection, int(wanted))
    token = parse_token(wanted) if wanted else None
    row = connection.execute(
        f"{SELECT} WHERE (?1 IS NULL OR token_id = ?1) {more} ORDER BY test_id DESC LIMIT 1", (token,)
    ).fetchone()
    if row is None:
        raise NotFound(problem, hint=hint)
    return _test_of(row)


def query_token_tests(
    connection: sqlite3.Connection,
    *,
    recording_id: str = "",
    token_id: int | None = None,
    success: bool | None = None,
    limit: int = 0,
) -> list[TokenTest]:
    """Tests, newest first, of a recording, of a token, with an outcome; `limit` 0 is all of them."""
    wanted = {"session_id": recording_id or None, "token_id": token_id, "success": success}
    given = {name: value for name, value in wanted.items() if value is not None}
    condition = " AND ".join(f"{name} = :{name}" for name in given) or "true"
    query = f"{SELECT} WHERE {condition} ORDER BY test_timestamp DESC, test_id DESC LIMIT :most"
    return [_test_of(row) for row in connection.execute(query, {**given, "most": limit or -1})]


def _test_of(row: tuple[Any, ...]) -> TokenTest:
    names = ("test_id", "recording_id", "token_id", "started", *COLUMNS[4:10], "duration_ms", *COLUMNS[11:])
    fields = dict(zip((*names, "temperature_before", "temperature_after"), row, strict=True))
    fields["success"] = None if fields["success"] is None else bool(fields["success"])
    return TokenTest(**fields)
