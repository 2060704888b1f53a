"""A clock that stands until it is told the time, for tests of whatever takes a clock."""

from __future__ import annotations

from dsmilctl.clock import NANOSECONDS

START = 1_790_000_000 * NANOSECONDS
"""2026-09-21T14:13:20Z, where a clock begins when nobody says otherwise."""


class StandingClock:
    """A wall clock and a monotonic clock that move only when a test moves them."""

    def __init__(self, now: int = START, monotonic: float = 1000.0) -> None:
        self._now = now
        self._monotonic = monotonic

    def now(self) -> int:
        """Nanoseconds since the Unix epoch, UTC."""
        return self._now

    def monotonic(self) -> float:
        """Seconds of the monotonic clock."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let time pass on both clocks; raises ValueError for time that would run backwards."""
        if seconds < 0:
            raise ValueError("time passes forwards; set_now() is for a wall clock that jumps")
        self._now += round(seconds * NANOSECONDS)
        self._monotonic += seconds

    def set_now(self, now: int) -> None:
        """Set the wall clock alone, back or forth, as somebody with a wrist-watch would."""
        self._now = now
