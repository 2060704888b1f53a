"""Trigger: lets readings through only around events, with what came before them out of a bounded ring."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from dsmilctl.archive.expression import Expression
from dsmilctl.archive.heat import Key
from dsmilctl.archive.rows import event_row
from dsmilctl.archive.writer import Writer
from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.model.event import Event, Severity
from dsmilctl.model.reading import Reading


class Trigger:
    """Open while a condition holds and `post` seconds longer; then `pre` seconds of readings come first.

    The ring holds `room` readings at the most: older ones make room, and are a gap if an event follows.
    """

    def __init__(
        self,
        expression: Expression,
        writer: Writer,
        *,
        pre: float,
        post: float,
        room: int,
        clock: Clock = SYSTEM,
    ) -> None:
        self.open = False
        self._expression = expression
        self._writer = writer
        self._pre = pre
        self._post = post
        self._room = room
        self._clock = clock
        self._until = 0.0
        self._ring: deque[tuple[float, Sequence[Reading]]] = deque()
        self._held = 0
        self._pushed: deque[tuple[float, int]] = deque()

    def take(self, readings: Sequence[Reading]) -> Sequence[Reading]:
        """What is to be kept now that these came."""
        now = self._clock.monotonic()
        self._note(readings)
        holds = self._expression.holds
        if holds:
            self._until = now + self._post
        if not holds and now >= self._until:
            return self._wait(now, readings)
        if not self.open:
            return self._begin(now, readings)
        return readings

    def _note(self, readings: Sequence[Reading]) -> None:
        keys, values = self._expression.keys, self._expression.values
        for reading in readings:
            key = Key(reading.device_id, reading.register)
            if key in keys:
                values[key] = reading.value if reading.good else None

    def _wait(self, now: float, readings: Sequence[Reading]) -> Sequence[Reading]:
        if self.open:
            self.open = False
            self._tell("trigger.ended", "is over", Severity.INFO)
        self._ring.append((now, readings))
        self._held += len(readings)
        self._forget(now)
        return ()

    def _forget(self, now: float) -> None:
        """Let go of what is too old, and of what there is no room for."""
        while self._ring and (self._ring[0][0] < now - self._pre or self._held > self._room):
            arrived, old = self._ring.popleft()
            self._held -= len(old)
            if arrived >= now - self._pre:
                self._pushed.append((arrived, len(old)))
        while self._pushed and self._pushed[0][0] < now - self._pre:
            self._pushed.popleft()

    def _begin(self, now: float, readings: Sequence[Reading]) -> Sequence[Reading]:
        self.open = True
        self._forget(now)
        self._tell("trigger.began", "holds", Severity.WARNING)
        if pushed := sum(count for _, count in self._pushed):
            self._writer.gap(pushed, "the ring of readings before an event was full")
        kept = [reading for _, batch in self._ring for reading in batch]
        self._ring.clear()
        self._pushed.clear()
        self._held = 0
        return [*kept, *readings]

    def _tell(self, type: str, how: str, severity: Severity) -> None:
        event = Event(type, f"{self._expression.text} {how}", self._clock.now(), severity)
        self._writer.rows("events", [event_row(self._writer.recording_id, event)])
