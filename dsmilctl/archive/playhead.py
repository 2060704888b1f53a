"""Playhead: where a replay stands, how fast it goes, and how somebody moves it."""

from __future__ import annotations

from dsmilctl.clock import NANOSECONDS, SYSTEM, Clock
from dsmilctl.errors import InvalidParameter

AT_ONCE = 0.0
"""The speed of a replay that waits for nobody."""


class Playhead:
    """A moment between `first` and `last` (nanoseconds UTC) that moves on while it plays.

    Until it plays for the first time it stands at the end: whoever asks then gets the last values.
    `jumps` counts how often somebody moved it, `sought` is where to.  Speed 1 is as it was, 2 twice as
    fast, 0 at once.
    """

    def __init__(self, first: int, last: int, speed: float = 1.0, clock: Clock = SYSTEM) -> None:
        self.first, self.last = first, last
        self.jumps = 0
        self.sought = last
        self._clock = clock
        self._speed = _checked(speed)
        self._from = last
        self._since: float | None = None
        self._played = False

    @property
    def position(self) -> int:
        """The moment at which it stands now."""
        if self._since is None:
            return self._from
        if self._speed == AT_ONCE:
            return self.last
        passed = (self._clock.monotonic() - self._since) * self._speed
        return min(self.last, self._from + round(passed * NANOSECONDS))

    @property
    def playing(self) -> bool:
        """Whether it moves."""
        return self._since is not None and self.position < self.last

    @property
    def speed(self) -> float:
        """How fast it goes."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        checked, position = _checked(speed), self.position
        self._from, self._speed = position, checked
        if self._since is not None:
            self._since = self._clock.monotonic()

    def play(self) -> None:
        """Go on from where it stands; the first time, from the start."""
        if self._since is None:
            self._from = self._from if self._played else self.first
            self._since, self._played = self._clock.monotonic(), True

    def pause(self) -> None:
        """Stand still."""
        self._from, self._since = self.position, None

    def seek(self, moment: int) -> None:
        """Jump to a moment, or to the nearest one that there is; playing or standing as before."""
        self._from = self.sought = max(self.first, min(self.last, moment))
        self._played = True
        self.jumps += 1
        if self._since is not None:
            self._since = self._clock.monotonic()

    def cut(self, since: int | None, until: int | None) -> None:
        """Play only what lies between two moments; raises InvalidParameter where nothing does."""
        first = self.first if since is None else max(self.first, since)
        last = self.last if until is None else min(self.last, until)
        if first > last:
            raise InvalidParameter("nothing was recorded in that time", hint="dsmilctl record show",
                                   target="--from")  # fmt: skip
        self.first, self.last, self._from = first, last, last


def _checked(speed: float) -> float:
    if not 0 <= speed < float("inf"):
        raise InvalidParameter(
            f"--speed cannot be {speed}", hint="1 as it was, 10 faster, 0 at once", target="--speed"
        )
    return float(speed)
