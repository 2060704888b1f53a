"""Moments: the times of the old system: Unix seconds here, Julian days there, text elsewhere."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from dsmilctl.clock import NANOSECONDS

EPOCH_DAY = 2_440_587.5
"""The Julian day of 1 January 1970, 0 h UTC."""

JULIAN = range(2_400_000, 2_600_000)
"""Julian days of the years 1858 to 2406; as Unix seconds they would all be in January 1970."""

LATEST = 9_000_000_000
"""Unix seconds in the year 2255: what is later fits into no column of nanoseconds."""


class NoMoment(ValueError):
    """What stands in the place of a time is none."""


def moment_of(value: Any) -> tuple[int, str]:
    """Nanoseconds UTC, and what the time was: `seconds`, `julian` or `text`; raises NoMoment."""
    if isinstance(value, str):
        return _of_text(value), "text"
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise NoMoment(f"{value!r} is no time")
    if int(value) in JULIAN:
        return round((value - EPOCH_DAY) * 86400 * 1000) * (NANOSECONDS // 1000), "julian"
    if not 0 <= value <= LATEST:
        raise NoMoment(f"{value!r} is no time in seconds")
    whole = int(value)
    return whole * NANOSECONDS + round((value - whole) * NANOSECONDS), "seconds"


def _of_text(value: str) -> int:
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        raise NoMoment(f"{value[:40]!r} is no time") from None
    aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    seconds = aware.timestamp()
    if not 0 <= seconds <= LATEST:
        raise NoMoment(f"{value[:40]!r} is beyond all recordings")
    return round(seconds * 1_000_000) * 1000
