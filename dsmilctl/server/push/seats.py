"""Seats: the places of a server for those who listen, WebSockets and event streams alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from dsmilctl.errors import RateLimitError

TRY_AGAIN_AFTER = 5.0
"""Seconds after which somebody who was refused may ask again."""


class Seats:
    """`most` places in all, of which one account has no more than `share`.

    `refused` counts, by what was full, those for whom there was no place.
    """

    def __init__(self, most: int, share: int) -> None:
        self._most = most
        self._share = share
        self._taken: Counter[str] = Counter()
        self.refused: Counter[str] = Counter({"server": 0, "account": 0, "address": 0})

    def require(self, account: str) -> None:
        """Raise RateLimitError where there is no place for an account."""
        if self._taken[account] >= self._share:
            message = f"{account} has {self._share} connections that listen, and may have no more"
            hint = "close one: a WebSocket carries many subscriptions, and a stream many devices"
            raise self._refusal("account", message, hint)
        if self._taken.total() >= self._most:
            raise self._refusal("server", f"{self._most} clients listen already: too many clients", "")

    @contextmanager
    def one(self, account: str) -> Iterator[None]:
        """Have a place while the block runs; raises RateLimitError."""
        self.require(account)
        self._taken[account] += 1
        try:
            yield
        finally:
            self._taken[account] -= 1
            if not self._taken[account]:
                del self._taken[account]

    def _refusal(self, what: str, message: str, hint: str) -> RateLimitError:
        self.refused[what] += 1
        return RateLimitError(message, retry_after=TRY_AGAIN_AFTER, hint=hint)
