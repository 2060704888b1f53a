"""Outbox: what one receiver is still to be told, within bounds; what did not fit is counted."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

import msgspec

READINGS = frozenset(("DEVICE_STATE_UPDATE", "DEVICE_STATE_BATCH"))
MOST_MESSAGES = 16_384
MOST_BYTES = 4 << 20
OVERHEAD = 200
"""Bytes of an envelope around the data."""


class Letter(msgspec.Struct, frozen=True, gc=False):
    """One message with its data in JSON.

    `weight` is how many readings or events it holds, `reply_to` the id of the message that it answers,
    `subscription` the subscription to device updates that it is part of.
    """

    type: str
    data: bytes
    weight: int = 1
    reply_to: str = ""
    subscription: str = ""


class Missed(msgspec.Struct, frozen=True):
    """So many readings or events made room for newer ones."""

    count: int


class Outbox:
    """A bounded queue with an urgent lane.

    News make the oldest news give way; answers wait for room, so that who asks without reading is not heard
    any more; an emergency passes everything.
    """

    def __init__(self, messages: int = MOST_MESSAGES, size: int = MOST_BYTES) -> None:
        self._messages = messages
        self._size = size
        self._urgent: deque[Letter] = deque()
        self._answers: deque[Letter] = deque()
        self._news: deque[Letter] = deque()
        self._bytes = 0
        self._missed = 0
        self._told = False
        """Whether the last word was of something missed: then news come next, or nothing else ever would."""
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()

    def __len__(self) -> int:
        return len(self._urgent) + len(self._answers) + len(self._news)

    def urgent(self, letter: Letter) -> None:
        """Say it before everything else."""
        self._urgent.append(letter)
        self._arrived.set()

    def news(self, letter: Letter) -> None:
        """Say it in its turn; the oldest news make room and are counted."""
        self._news.append(letter)
        self._bytes += len(letter.data) + OVERHEAD
        while len(self._news) > 1 and (len(self._news) > self._messages or self._bytes > self._size):
            self._missed += self._drop_oldest().weight
        self._arrived.set()

    def _drop_oldest(self) -> Letter:
        oldest = self._news.popleft()
        self._bytes -= len(oldest.data) + OVERHEAD
        return oldest

    async def answer(self, letter: Letter, most: int = 64) -> None:
        """Say it as soon as fewer than `most` answers wait."""
        while len(self._answers) >= most:
            self._room.clear()
            await self._room.wait()
        self._answers.append(letter)
        self._arrived.set()

    async def next(self) -> Letter | Missed:
        """What is to be said next; waits for it."""
        while not len(self) and not self._missed:
            self._arrived.clear()
            await self._arrived.wait()
        if self._urgent:
            return self._urgent.popleft()
        if self._answers:
            self._room.set()
            return self._answers.popleft()
        if self._missed and not (self._told and self._news):
            missed, self._missed, self._told = Missed(self._missed), 0, True
            return missed
        self._told = False
        return self._drop_oldest()

    def forget_readings(self) -> int:
        """Drop the readings that wait, because all that is known is about to be said anew; how many."""
        dropped = sum(letter.weight for letter in self._news if letter.type in READINGS)
        self._keep(letter for letter in self._news if letter.type not in READINGS)
        return dropped

    def forget_subscription(self, subscription_id: str) -> None:
        """Drop what waits of a subscription that has ended: nothing of it is said any more."""
        self._keep(letter for letter in self._news if letter.subscription != subscription_id)

    def _keep(self, letters: Iterable[Letter]) -> None:
        self._news = deque(letters)
        self._bytes = sum(len(letter.data) + OVERHEAD for letter in self._news)
