"""Arming: writes are possible for a limited time only, and somebody has to begin it."""

from __future__ import annotations

from dsmilctl.clock import Clock

UNARMED_AGAIN = "Writes are off again: press a to arm them, then confirm."
"""What a question says when the arming ended before its answer."""


class Arming:
    """Whether writes are armed, and for how long yet."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._until = 0.0

    def arm(self) -> None:
        """Begin, or begin again."""
        self._until = self._clock.monotonic() + self._seconds

    def disarm(self) -> None:
        """End at once."""
        self._until = 0.0

    @property
    def left(self) -> float:
        """Seconds for which writes are armed yet; 0 when they are not."""
        return max(0.0, self._until - self._clock.monotonic())
