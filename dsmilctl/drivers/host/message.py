"""KernelMessage: one message of the kernel, as `/dev/kmsg` and the journal tell it."""

from __future__ import annotations

import re
from typing import Protocol

import msgspec

from dsmilctl.drivers.host.machine import Nonsense, printable, whole

ERROR, WARNING = 3, 4
"""Levels of messages: 0 emergency, 1 alert, 2 critical, 3 error, 4 warning, … 7 debug."""

LONGEST = 1000


class KernelMessage(msgspec.Struct, frozen=True):
    """One message: `timestamp` in microseconds since boot, `level` 0 (emergency) to 7 (debug).

    `wall` is its time in nanoseconds UTC, where the line itself tells it.
    """

    timestamp: int
    level: int
    facility: int
    text: str
    wall: int | None = None


class MessageSource(Protocol):
    """Where kernel messages come from."""

    lost: int

    def new(self) -> list[KernelMessage]:
        """The messages since the last call (the first one: all there are); raises OSError or Nonsense."""
        ...

    def close(self) -> None:
        """Let go of what is open; the next call of `new` begins anew."""
        ...


def parse_record(record: str) -> tuple[int, KernelMessage]:
    """Sequence number and message of one record of `/dev/kmsg`; raises Nonsense.

    Source: Documentation/ABI/testing/dev-kmsg: `priority,sequence,microseconds,flags;text`.
    """
    head, semicolon, told = record.partition(";")
    fields = head.split(",")
    if not semicolon or len(fields) < 3:
        raise Nonsense(f"{printable(record)!r} is not a kernel message")
    priority, sequence, timestamp = (whole(field) for field in fields[:3])
    if priority < 0 or sequence < 0:
        raise Nonsense(f"{printable(record)!r} is not a kernel message")
    return sequence, KernelMessage(timestamp, priority & 7, priority >> 3, printable(told, LONGEST))


LEVELS = ("emerg", "alert", "crit", "err", "warn", "notice", "info", "debug")
"""Names of the levels as dmesg prints them."""

_ISO = re.compile(
    r"(?:(?P<facility>[a-z0-9]+) *:(?P<level>[a-z]+) *: )?"
    r"(?P<time>[0-9-]{10}T[0-9:]{8}[.,][0-9]{1,6}(?:[+-][0-9]{2}:[0-9]{2}|Z)) "
    r"(?P<text>.*)"
)
_ERROR_WORDS = re.compile(r"\b(error|fail(ed|ure)?|invalid|panic|oops|bug)\b", re.IGNORECASE)
_WARNING_WORDS = re.compile(r"\b(warn(ing)?|timed? ?out|throttl\w+)\b", re.IGNORECASE)


def parse_iso_line(line: str) -> KernelMessage | None:
    """The message of a line of `dmesg --time-format iso`, None for any other line.

    With `--decode` it tells facility and level; without, the level is told by the words of the message.
    """
    match = _ISO.fullmatch(line)
    if match is None:
        return None
    from datetime import UTC, datetime

    try:
        time = datetime.fromisoformat(match["time"].replace(",", ".").replace("Z", "+00:00"))
    except ValueError:
        return None
    since = time.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    wall = (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1000
    told = printable(match["text"], LONGEST)
    level = LEVELS.index(match["level"]) if match["level"] in LEVELS else _guessed(told)
    return KernelMessage(0, level, 0 if match["facility"] in (None, "kern") else 1, told, wall)


def _guessed(told: str) -> int:
    if _ERROR_WORDS.search(told):
        return ERROR
    return WARNING if _WARNING_WORDS.search(told) else LEVELS.index("info")
