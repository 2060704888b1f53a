"""Mending: an old row becomes one of today, and every repair is counted."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import msgspec

from dsmilctl.archive.legacy.moments import NoMoment, moment_of
from dsmilctl.archive.recording import TYPES
from dsmilctl.archive.tokens import FIRST, LAST, METHODS, OPERATIONS, PER_GROUP
from dsmilctl.errors import InvalidParameter

OLD_GROUPS = range(FIRST // PER_GROUP, LAST // PER_GROUP + 1)
"""Groups of the old recorder: the token's number divided by twelve, 96 to 101."""

LEVELS = {
    "emergency": "emerg", "critical": "crit", "error": "err", "warn": "warning", "information": "info",
}  # fmt: skip
ALLOWED = {
    "thermal_state": ("normal", "warning", "critical", "emergency"),
    "log_level": ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"),
    "response_type": (
        "activation", "deactivation", "state_change", "error", "memory_map", "group_status",
    ),
    "access_method": METHODS,
    "operation_type": OPERATIONS,
    "session_type": TYPES,
    "discovery_type": ("functionality", "behavior", "correlation", "error_pattern", "security"),
}  # fmt: skip
INSTEAD = {
    "thermal_state": "normal", "log_level": "info", "response_type": "state_change",
    "access_method": "direct", "operation_type": "probe", "session_type": "custom",
    "discovery_type": "behavior",
}  # fmt: skip
"""What stands for a word that was never defined."""

TIMES = {
    "julian": "times in Julian days", "seconds": "times in Unix seconds", "text": "times as text",
}  # fmt: skip
Row = dict[str, Any]


class Unfit(ValueError):
    """A row that nothing can be made of; it says why."""


class Mending:
    """Repairs rows, and knows how often it did what: `repaired` and `left_out` count by their words."""

    def __init__(self) -> None:
        self.repaired: Counter[str] = Counter()
        self.left_out: Counter[str] = Counter()

    def moment(self, row: Row, *names: str) -> int:
        """The first of these columns that holds a time, in nanoseconds UTC; raises Unfit without one."""
        for name in names:
            if row.get(name) is not None:
                try:
                    found, kind = moment_of(row[name])
                except NoMoment as error:
                    raise Unfit(f"{name} is no time") from error
                self.repaired[TIMES[kind]] += 1
                return found
        raise Unfit("it has no time")

    def word(self, row: Row, name: str) -> str:
        """A word that the column may hold; another one is replaced."""
        told = str(row.get(name) or "").strip().lower()
        told = LEVELS.get(told, told) if name == "log_level" else told
        if told in ALLOWED[name]:
            return told
        self.repaired[f"{name} that was not defined"] += 1
        return INSTEAD[name]

    def group(self, row: Row) -> int | None:
        """The group, 0 to 6; the old recorder's 96 to 101 are repaired."""
        group = whole(row.get("group_id"))
        if group is not None and group in OLD_GROUPS:
            self.repaired["groups 96 to 101"] += 1
            return group - OLD_GROUPS.start
        return group

    def token(self, row: Row) -> int:
        """The token; raises Unfit for none of the 72."""
        token = whole(row.get("token_id"))
        if token is None:
            token = whole(row.get("hex_id"))
        if token is None or not FIRST <= token <= LAST:
            raise Unfit("the token is none of the 72; kept as a discovery")
        return token

    def number(self, row: Row, name: str) -> float:
        """A finite number; raises Unfit without one."""
        found = number(row.get(name))
        if found is None:
            raise Unfit(f"{name} is no number")
        return found


def whole(value: Any) -> int | None:
    """A whole number, also of text (`0x480`), or None."""
    try:
        number = int(value, 0) if isinstance(value, str) else int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if -(2**63) <= number < 2**63 else None


def number(value: Any) -> float | None:
    """A finite number, also of text, or None."""
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def share(value: Any) -> float | None:
    """A number from 0 to 1, or None."""
    found = number(value)
    return found if found is not None and 0 <= found <= 1 else None


def text(value: Any) -> str | None:
    """Text that UTF-8 can hold, or None; bytes are written out."""
    if value is None:
        return None
    told = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
    return told.encode("utf-8", "backslashreplace").decode()


def truth(value: Any) -> bool | None:
    """True, False, or None where nobody said."""
    return None if value is None else bool(whole(value) if not isinstance(value, bool) else value)


def document(value: Any, empty: str) -> str:
    """JSON as text; what is no JSON becomes a text in it, and nothing becomes `empty`."""
    if value is None or value == "":
        return empty
    try:
        parsed = msgspec.json.decode(value) if isinstance(value, str | bytes) else value
    except (msgspec.DecodeError, UnicodeDecodeError):
        parsed = text(value)
    if empty == "[]" and not isinstance(parsed, list):
        parsed = [parsed]
    try:
        return msgspec.json.encode(parsed).decode()
    except (TypeError, UnicodeEncodeError) as error:
        raise InvalidParameter(f"it holds what no JSON can: {error}") from error
