"""Meter: how many bytes per second the dashboard writes to the terminal."""

from __future__ import annotations

from collections import deque

from dsmilctl.clock import Clock

WINDOW = 5.0
SHORTEST = 1.5


class Meter:
    """The mean of the last few seconds, rounded so that showing it costs little itself."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._notes: deque[tuple[float, int]] = deque()
        self.rate = 0

    def note(self, written: int) -> None:
        """Note how many bytes were written in all until now."""
        now = self._clock.monotonic()
        self._notes.append((now, written))
        while len(self._notes) > 2 and now - self._notes[1][0] >= WINDOW:
            self._notes.popleft()
        begun, before = self._notes[0]
        if now - begun >= SHORTEST:
            rate = (written - before) / (now - begun)
            self.rate = int(round(rate, -1 if rate < 1000 else -2))
