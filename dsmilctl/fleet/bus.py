"""The bus: named bounded streams from drivers to whoever listens, with a policy per listener."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from enum import StrEnum
from typing import Generic, TypeVar

from dsmilctl.model.event import Event
from dsmilctl.model.reading import Batch, Gap

T = TypeVar("T")


class Policy(StrEnum):
    """What happens to a listener that is slower than what it listens to.

    BLOCK makes the sender wait (a recorder loses nothing), LATEST keeps the newest item alone (a screen),
    DROP_OLDEST keeps the newest ones (a network); what is dropped is counted and told as a Gap.
    """

    BLOCK = "block"
    LATEST = "latest"
    DROP_OLDEST = "drop_oldest"


class Listener(Generic[T]):
    """One end of a stream: an asynchronous iterator over items and gaps."""

    def __init__(self, stream: Stream[T], policy: Policy, size: int) -> None:
        self.policy = policy
        self.missed = 0
        self._stream: Stream[T] = stream
        self._size = 1 if policy is Policy.LATEST else size
        self._items: deque[T] = deque()
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._open = True

    def __aiter__(self) -> AsyncIterator[T | Gap]:
        return self

    async def __anext__(self) -> T | Gap:
        while not self._items and self._open:
            self._arrived.clear()
            await self._arrived.wait()
        if self.missed:
            gap = Gap(self.missed)
            self.missed = 0
            return gap
        if not self._items:
            raise StopAsyncIteration
        item = self._items.popleft()
        self._room.set()
        return item

    @property
    def full(self) -> bool:
        """Whether the next item would push one out or have to wait."""
        return len(self._items) >= self._size

    def offer(self, item: T) -> None:
        """Take an item; the oldest one makes room and is counted."""
        if self.full:
            self.missed += weight(self._items.popleft())
        self._items.append(item)
        self._arrived.set()

    async def accept(self, item: T) -> None:
        """Take an item as soon as there is room; one that closes meanwhile does not get it."""
        while self.full and self._open:
            self._room.clear()
            await self._room.wait()
        if self._open:
            self.offer(item)

    def close(self) -> None:
        """Listen no more; an iterator that waits ends."""
        self._open = False
        self._stream.leave(self)
        self._arrived.set()
        self._room.set()


class Stream(Generic[T]):
    """One named stream and its listeners."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._listeners: list[Listener[T]] = []

    def listen(self, policy: Policy = Policy.DROP_OLDEST, size: int = 256) -> Listener[T]:
        """A new listener that hears what is sent from now on."""
        listener = Listener(self, policy, size)
        self._listeners.append(listener)
        return listener

    @property
    def heard(self) -> bool:
        """Whether anybody listens."""
        return bool(self._listeners)

    def leave(self, listener: Listener[T]) -> None:
        """Forget a listener."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def send(self, item: T) -> None:
        """Hand an item to every listener without waiting; a blocking listener that is full counts a gap."""
        for listener in self._listeners:
            listener.offer(item)

    async def deliver(self, item: T) -> None:
        """Hand an item to every listener at once, then wait for those that are full and must not lose it."""
        waiting = []
        for listener in tuple(self._listeners):
            if listener.policy is Policy.BLOCK and listener.full:
                waiting.append(listener)
            else:
                listener.offer(item)
        for listener in waiting:
            await listener.accept(item)

    def close(self) -> None:
        """End every listener."""
        for listener in tuple(self._listeners):
            listener.close()


class Bus:
    """The two streams of a fleet: `readings` in batches, and `events`."""

    def __init__(self) -> None:
        self.readings: Stream[Batch] = Stream("readings")
        self.events: Stream[Event] = Stream("events")

    def close(self) -> None:
        """End every listener of every stream."""
        self.readings.close()
        self.events.close()


def weight(item: object) -> int:
    """How many readings or events an item holds."""
    return len(item.readings) if isinstance(item, Batch) else 1


async def each(listener: Listener[T]) -> AsyncGenerator[T | Gap, None]:
    """What a listener hears, until whoever asks has enough; the listener is closed then."""
    try:
        async for item in listener:
            yield item
    finally:
        listener.close()
