"""Lockout: a name that failed too often has to wait, whether it exists or not."""

from __future__ import annotations

from collections import OrderedDict

from dsmilctl.clock import Clock
from dsmilctl.errors import AccountLocked
from dsmilctl.server.identity.passwords import token_digest

MOST_NAMES = 10_000
"""Unknown names that are remembered; the names of users are never forgotten before their time."""


class Lockout:
    """Failed logins by name.  After `threshold` in a row the name is locked for `seconds`.

    An attempt counts as failed from its beginning, so that many at once are no way around it.
    """

    def __init__(self, clock: Clock, *, threshold: int = 3, seconds: float = 1800.0) -> None:
        self._clock = clock
        self._threshold = threshold
        self._seconds = seconds
        self._known: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._unknown: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self.total = 0

    def begin(self, name: str, *, known: bool) -> None:
        """Begin an attempt; raises AccountLocked while the name has to wait."""
        failures, key, now = self._failures(known), token_digest(name), self._clock.monotonic()
        count, last = failures.get(key, (0, now))
        left = last + self._seconds - now
        if left <= 0:
            count = 0
        if count >= self._threshold:
            minutes = max(1, round(left / 60))
            raise AccountLocked(f"the account is locked for {minutes} more minutes", retry_after=left)
        failures[key] = (count + 1, now)
        failures.move_to_end(key)
        while len(self._unknown) > MOST_NAMES:
            self._unknown.popitem(last=False)

    def failed(self) -> None:
        """Count a failure of any kind."""
        self.total += 1

    def undecided(self, name: str, *, known: bool) -> None:
        """Take an attempt back that was neither right nor wrong: something was missing."""
        failures, key = self._failures(known), token_digest(name)
        count, last = failures.get(key, (0, 0.0))
        if count > 1:
            failures[key] = (count - 1, last)
        else:
            failures.pop(key, None)

    def succeeded(self, name: str, *, known: bool) -> None:
        """Forget the failures of a name."""
        self._failures(known).pop(token_digest(name), None)

    def _failures(self, known: bool) -> OrderedDict[str, tuple[int, float]]:
        return self._known if known else self._unknown
