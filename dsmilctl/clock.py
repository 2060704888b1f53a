"""The only reader of time: wall clock for evidence, monotonic clock for durations."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Protocol

NANOSECONDS = 1_000_000_000


class Clock(Protocol):
    """What tells the time; tests put a clock of their own in its place."""

    def now(self) -> int:
        """Nanoseconds since the Unix epoch, UTC.  May jump when somebody sets the clock."""
        ...

    def monotonic(self) -> float:
        """Seconds that only ever grow; for durations, deadlines and ages."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> int:
        """Nanoseconds since the Unix epoch, UTC."""
        return time.time_ns()

    def monotonic(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()


SYSTEM = SystemClock()


def rfc3339(timestamp: int, digits: int = 3) -> str:
    """A timestamp in nanoseconds as RFC 3339 in UTC with `digits` decimals (3 or 6).

    Source: RFC 3339, section 5.6.
    """
    seconds, nanoseconds = divmod(timestamp, NANOSECONDS)
    return f"{_whole_second(seconds)}.{f'{nanoseconds:09d}'[:digits]}Z"


@lru_cache(maxsize=64)
def _whole_second(seconds: int) -> str:
    """The part before the point, which thousands of readings of one second share."""
    day, second = divmod(seconds, 86_400)
    return f"{_day(day)}T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"


@lru_cache(maxsize=64)
def _day(number: int) -> str:
    """The date that lies so many days after 1 January 1970."""
    year, month, day = time.gmtime(number * 86_400)[:3]
    return f"{year:04d}-{month:02d}-{day:02d}"
