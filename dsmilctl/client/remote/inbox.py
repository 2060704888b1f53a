"""Inbox: what arrived and was not taken yet, within bounds; what did not fit is told as a gap."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

from dsmilctl.errors import DSMILError
from dsmilctl.model.reading import Gap

T = TypeVar("T")
MOST = 1024


class Inbox(Generic[T]):
    """A bounded queue whose oldest items make room, so that a slow reader cannot fill the memory."""

    def __init__(self, most: int = MOST) -> None:
        self._items: deque[tuple[T, int]] = deque()
        self._most = most
        self._missed = 0
        self._ended: DSMILError | None = None
        self._over = False
        self._arrived = asyncio.Event()

    def put(self, item: T, weight: int = 1) -> None:
        """One more; `weight` is how many readings or events it holds."""
        self._items.append((item, weight))
        while len(self._items) > self._most:
            self._missed += self._items.popleft()[1]
        self._arrived.set()

    def miss(self, count: int) -> None:
        """So many are known to be lost."""
        self._missed += count
        self._arrived.set()

    def end(self, error: DSMILError | None = None) -> None:
        """Nothing more comes; with an error, because of that."""
        self._over, self._ended = True, self._ended or error
        self._arrived.set()

    async def next(self) -> T | Gap | None:
        """The next item, or a gap in front of it; None at the end.  Raises what ended it."""
        while not self._items and not self._missed:
            if self._over:
                if self._ended is not None:
                    raise self._ended
                return None
            self._arrived.clear()
            await self._arrived.wait()
        if self._missed:
            missed, self._missed = self._missed, 0
            return Gap(missed)
        return self._items.popleft()[0]
