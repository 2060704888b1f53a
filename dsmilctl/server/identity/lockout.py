"""Lockout: a name that failed too often has to wait, whether it exists or not."""

from __future__ import annotations

from collections import OrderedDict

from dsmilctl.clock import Clock
from dsmilctl.errors import AccountLocked

MOST_NAMES = 10_000


class Lockout:
    """Failed logins by name.  After `threshold` in a row the name is locked for `seconds`."""

    def __init__(self, clock: Clock, *, threshold: int = 3, seconds: float = 1800.0) -> None:
        self._clock = clock
        self._threshold = threshold
        self._seconds = seconds
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self.total = 0

    def check(self, name: str) -> None:
        """Raise AccountLocked while the name has to wait."""
        count, last = self._failures.get(name, (0, 0.0))
        left = last + self._seconds - self._clock.monotonic()
        if count >= self._threshold and left > 0:
            raise AccountLocked(f"the account is locked for {left / 60:.0f} more minutes", retry_after=left)
        if count and left <= 0:
            self._failures.pop(name, None)

    def failed(self, name: str) -> None:
        """Note a failure."""
        count, _ = self._failures.pop(name, (0, 0.0))
        self._failures[name] = (count + 1, self._clock.monotonic())
        self.total += 1
        while len(self._failures) > MOST_NAMES:
            self._failures.popitem(last=False)

    def succeeded(self, name: str) -> None:
        """Forget the failures of a name."""
        self._failures.pop(name, None)
