"""Times of a command line: durations (`500ms 10s 2m 1h 3d`) and moments (RFC 3339, or a duration ago)."""

from __future__ import annotations

import re

from dsmilctl.clock import NANOSECONDS, SYSTEM
from dsmilctl.errors import InvalidParameter

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "": 1.0}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d|)")


def duration(text: str) -> float:
    """Seconds; raises InvalidParameter."""
    match = _DURATION.fullmatch(text.strip())
    if not match:
        raise InvalidParameter(f"{text!r} is not a duration", hint="500ms, 10s, 2m, 1h or 3d", target=text)
    return float(match[1]) * UNITS[match[2]]


def moment(text: str) -> int | None:
    """Nanoseconds UTC of a moment, or of a duration ago, 1970 at the earliest; None for an empty text."""
    if not text:
        return None
    if _DURATION.fullmatch(text.strip()):
        return max(0, SYSTEM.now() - int(duration(text) * NANOSECONDS))
    from datetime import UTC, datetime

    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        hint = "2026-11-20, 2026-11-20T10:00:00Z, or a duration ago: 2h"
        raise InvalidParameter(f"{text!r} is not a time", hint=hint, target=text) from None
    aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    return int(aware.timestamp() * NANOSECONDS)
