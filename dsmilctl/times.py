"""Times of a command line: durations (`500ms 10s 2m 1h 3d`) and moments (RFC 3339, or a duration ago)."""

from __future__ import annotations

import re
from functools import lru_cache

from dsmilctl.clock import NANOSECONDS, SYSTEM
from dsmilctl.errors import InvalidParameter

WRITTEN = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d):(\d\d):(\d\d)\.(\d{9})Z", re.ASCII)
"""A moment with nanoseconds as programs of ours write it."""

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "": 1.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|)")
_FINER = re.compile(r"[.,]\d{6}(\d+)")
"""What a time says below a microsecond, which Python's own times leave out."""


def duration(text: str) -> float:
    """Seconds; raises InvalidParameter."""
    match = _DURATION.fullmatch(text.strip())
    if not match:
        raise InvalidParameter(f"{text!r} is not a duration", hint="500ms, 10s, 2m, 1h or 3d", target=text)
    return float(match[1]) * UNITS[match[2]]


def moment(text: str) -> int | None:
    """Nanoseconds UTC of a moment, or of a duration ago; None for an empty text."""
    if not text:
        return None
    if _DURATION.fullmatch(text.strip()):
        return SYSTEM.now() - int(duration(text) * NANOSECONDS)
    from datetime import UTC, datetime, timedelta

    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        hint = "2026-11-20, 2026-11-20T10:00:00Z, or a duration ago: 2h"
        raise InvalidParameter(f"{text!r} is not a time", hint=hint, target=text) from None
    aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    microseconds = (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    finer = _FINER.search(text)
    return microseconds * 1000 + (int(f"{finer[1]:0<3}"[:3]) if finer else 0)


def written_moment(text: str) -> int:
    """Nanoseconds UTC of one of many moments that a program wrote: quick for what our own ones write.

    Raises InvalidParameter; an empty text is 1970.
    """
    if found := WRITTEN.fullmatch(text):
        day, hour, minute, second, nanosecond = found.groups()
        seconds = int(hour) * 3600 + int(minute) * 60 + int(second)
        return (_midnight(day) + seconds) * NANOSECONDS + int(nanosecond)
    return moment(text) or 0


@lru_cache(maxsize=64)
def _midnight(day: str) -> int:
    """The second at which a day begins, counted from 1970."""
    return (moment(day) or 0) // NANOSECONDS
