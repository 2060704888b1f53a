"""Lockout: a name that failed too often has to wait, whether it exists or not."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from dsmilctl.clock import Clock
from dsmilctl.errors import AccountLocked
from dsmilctl.server.identity.passwords import token_digest

MOST_NAMES = 10_000
"""Unknown names that are remembered; the names of users are never forgotten before their time."""


class _Name:
    """What is known of one name: failures in a row, the last one, and attempts that are being judged."""

    __slots__ = ("failures", "last", "under_way", "waiting")

    def __init__(self) -> None:
        self.failures = 0
        self.last = 0.0
        self.under_way = 0
        self.waiting: list[asyncio.Future[None]] = []


class Lockout:
    """Failed logins by name.  After `threshold` in a row the name is locked for `seconds`.

    No more attempts are judged at once than may still fail, so that many at the same time are no way around
    it; the others wait for their turn.
    """

    def __init__(self, clock: Clock, *, threshold: int = 3, seconds: float = 1800.0) -> None:
        self._clock = clock
        self._threshold = threshold
        self._seconds = seconds
        self._known: OrderedDict[str, _Name] = OrderedDict()
        self._unknown: OrderedDict[str, _Name] = OrderedDict()
        self.total = 0

    async def begin(self, name: str, *, known: bool) -> None:
        """Begin an attempt, when it is its turn; raises AccountLocked while the name has to wait."""
        while True:
            found = self._name(name, known=known)
            left = found.last + self._seconds - self._clock.monotonic()
            if left <= 0:
                found.failures = 0
            if found.failures >= self._threshold:
                minutes = max(1, round(left / 60))
                message = f"the account is locked for {minutes} more minutes"
                raise AccountLocked(message, retry_after=left)
            if found.failures + found.under_way < self._threshold:
                found.under_way += 1
                return
            turn = asyncio.get_running_loop().create_future()
            found.waiting.append(turn)
            await turn

    def end(self, name: str, *, known: bool, right: bool | None) -> None:
        """End an attempt: it was right, wrong, or (None) lacked something and counts for nothing."""
        found = self._name(name, known=known)
        found.under_way = max(0, found.under_way - 1)
        if right is not None:
            found.failures = 0 if right else found.failures + 1
            found.last = self._clock.monotonic()
        waiting, found.waiting = found.waiting, []
        for turn in waiting:
            if not turn.done():
                turn.set_result(None)

    def failed(self) -> None:
        """Count a failure of any kind."""
        self.total += 1

    def _name(self, name: str, *, known: bool) -> _Name:
        names, key = self._known if known else self._unknown, token_digest(name)
        found = names.setdefault(key, _Name())
        names.move_to_end(key)
        while len(self._unknown) > MOST_NAMES:
            self._unknown.popitem(last=False)
        return found
