"""Progress: how far a long command is, on stderr: a line on a terminal, or JSON for programs."""

from __future__ import annotations

import msgspec

from dsmilctl import diagnostics
from dsmilctl.clock import SYSTEM, Clock

INTERVAL = 0.1
"""Seconds between two tellings."""


class Progress:
    """Counts what is done; shows the rate and the time that is left.

    `mode` is `auto` (one line that is painted over, on a terminal only), `json` (a line of JSON each) or
    `none`.  Use it as a context manager: the line is wiped at the end, however that comes.
    """

    def __init__(self, what: str, total: int, mode: str = "auto", clock: Clock = SYSTEM) -> None:
        self._what = what
        self._total = total
        self._clock = clock
        self._begun = clock.monotonic()
        self._told_at = 0.0
        self._told = False
        self.done = 0
        self.failed = 0
        painted = mode == "auto" and diagnostics.is_terminal() and total > 1
        self._mode = "line" if painted else mode

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *ending: object) -> None:
        if self._mode == "line" and self._told:
            diagnostics.write("\r\x1b[K")

    def step(self, *, failed: bool = False) -> None:
        """One more item is done."""
        self.done += 1
        self.failed += failed
        now = self._clock.monotonic()
        if now - self._told_at >= INTERVAL or self.done == self._total:
            self._told_at, self._told = now, True
            self._tell(now - self._begun)

    def _tell(self, elapsed: float) -> None:
        rate = self.done / elapsed if elapsed else 0.0
        left = (self._total - self.done) / rate if rate else 0.0
        if self._mode == "json":
            progress: dict[str, float] = {"done": self.done, "total": self._total, "failed": self.failed}
            progress |= {"rate": round(rate, 1), "remaining_s": round(left, 1)}
            diagnostics.say(msgspec.json.encode({"progress": progress}).decode())
        elif self._mode == "line":
            diagnostics.write(f"\r{self._line(rate, left)}\x1b[K")

    def _line(self, rate: float, left: float) -> str:
        failed = f", {self.failed} failed" if self.failed else ""
        line = f"{self._what} {self.done} of {self._total}{failed}, {rate:.0f}/s, {left:.0f} s left"
        return line[: diagnostics.width() - 1]
