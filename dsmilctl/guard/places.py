"""Places: how many operations of one identity may be under way at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from dsmilctl.errors import RateLimitError

PATIENCE = 2.0
"""Seconds that an operation waits for one of the others to end."""


class _Room:
    """The places of one user: `users` counts those inside and those that wait."""

    __slots__ = ("free", "users")

    def __init__(self, most: int) -> None:
        self.free = asyncio.Semaphore(most)
        self.users = 0


class Places:
    """The operations that are under way in this process, by who asked for them."""

    def __init__(self) -> None:
        self._rooms: dict[tuple[str, int], _Room] = {}

    @asynccontextmanager
    async def one(self, user: str, most: int | None) -> AsyncGenerator[None]:
        """Have one of the `most` places of a user while the block runs; None is no limit.

        Who finds all of them taken waits in turn, and gets RateLimitError after PATIENCE.
        """
        if most is None:
            yield
            return
        room = self._rooms.setdefault((user, most), _Room(most))
        room.users += 1
        try:
            await self._enter(room, user, most)
            try:
                yield
            finally:
                room.free.release()
        finally:
            room.users -= 1
            if not room.users:
                self._rooms.pop((user, most), None)

    @staticmethod
    async def _enter(room: _Room, user: str, most: int) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await room.free.acquire()
        except TimeoutError:
            message = f"{user} has {most} operations under way, and may have no more at once"
            hint = "ask for fewer at the same time, or for many in one bulk"
            raise RateLimitError(message, retry_after=1.0, hint=hint) from None
