"""Feeds: one poll for all who want the same registers of the same devices at the same interval."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from contextlib import aclosing
from typing import Protocol

import msgspec

from dsmilctl.client.interface import Client
from dsmilctl.clock import Clock
from dsmilctl.errors import DSMILError, HardwareError
from dsmilctl.model.device import Device, DeviceId
from dsmilctl.model.reading import Batch, Gap, Reading
from dsmilctl.server.push.ticks import Tick

LOGGER = logging.getLogger("dsmilctl.server")
LINGER = 15.0
"""Seconds that a feed goes on without anybody, so that a stream that broke can resume where it was."""
KEPT_TICKS = 64
KEPT_READINGS = 20_000
BATCHES_OF_A_LOOK = 3
"""Batches in which a device must answer when it is looked at anew after an operation."""


class Key(msgspec.Struct, frozen=True):
    """What makes two subscriptions the same feed: interval in seconds, ids in the fleet's order."""

    device_ids: tuple[DeviceId, ...]
    registers: tuple[str, ...]
    interval: float
    changes_only: bool


class Hearer(Protocol):
    """Who hears a feed.  Neither call may wait."""

    def take(self, tick: Tick) -> None:
        """The next tick."""
        ...

    def ended(self, error: DSMILError) -> None:
        """The feed is over."""
        ...


class Feed:
    """One poll and those who hear it."""

    def __init__(self, key: Key, devices: Sequence[Device], client: Client, begun: int) -> None:
        self.key = key
        self.hearers: set[Hearer] = set()
        self.begun = self.count = begun
        """The number of the last event; it begins with the time, so that no two feeds use the same."""
        self._devices = devices
        self._ids = frozenset(key.device_ids)
        self._registers = frozenset(name.casefold() for name in key.registers)
        self._client = client
        self._kept: deque[Tick] = deque()
        self._kept_readings = 0
        self._latest: dict[tuple[DeviceId, str], Reading] = {}
        self._whole: Batch | None = None

    async def run(self) -> None:
        """Poll until cancelled; what ends a poll ends every hearer."""
        wanted = self.key
        try:
            stream = self._client.stream(
                self._devices, wanted.registers, interval=wanted.interval, changes_only=wanted.changes_only
            )
            async with aclosing(stream):
                async for item in stream:
                    if isinstance(item, Batch):
                        self.tell(item)
        except DSMILError as error:
            self.end(error)
        except Exception as error:  # a fault of a driver must not leave hearers that wait for ever
            LOGGER.exception("a feed of %d devices failed", len(self._devices))
            self.end(HardwareError(f"the stream failed: {type(error).__name__}"))

    def tell(self, batch: Batch, cause: str = "READ") -> None:
        """Hand a batch to every hearer and keep it for those who resume."""
        tick = Tick(batch, cause, self.count)
        self.count += len({reading.device_id for reading in batch.readings})
        if self.key.changes_only:
            self._latest.update({(item.device_id, item.register): item for item in batch.readings})
        elif not batch.partial:
            self._whole = batch
        self._kept.append(tick)
        self._kept_readings += len(batch.readings)
        while len(self._kept) > KEPT_TICKS or (self._kept_readings > KEPT_READINGS and len(self._kept) > 1):
            self._kept_readings -= len(self._kept.popleft().batch.readings)
        for hearer in tuple(self.hearers):
            hearer.take(tick)

    def concerns(self, device_id: DeviceId, register: str = "") -> bool:
        """Whether a change of that register belongs in this feed."""
        wanted = not register or not self._registers or register.casefold() in self._registers
        return device_id in self._ids and wanted

    def snapshot(self) -> Tick | None:
        """What is known now, for somebody who joins or missed something; None before the first tick."""
        if self.key.changes_only and self._latest:
            newest = max(reading.timestamp for reading in self._latest.values())
            return Tick(Batch(0, newest, tuple(self._latest.values())), first=self.count, live=False)
        return Tick(self._whole, first=self.count, live=False) if self._whole else None

    def after(self, number: int) -> tuple[list[Tick], int]:
        """The ticks that hold the events after that number, and how many events are kept no more."""
        oldest = self._kept[0].first if self._kept else self.count
        found = [tick for tick in self._kept if tick.first + len(tick.events) > number]
        return found, max(0, oldest - number)

    def knows(self, number: int) -> bool:
        """Whether that is the number of an event of this feed."""
        return self.begun <= number <= self.count

    async def look(self, device_id: DeviceId) -> None:
        """Read one device now, because an operation may have changed any of its registers."""
        device = next(item for item in self._devices if item.device_id == device_id)
        stream = self._client.stream([device], self.key.registers, interval=1.0)
        left = BATCHES_OF_A_LOOK
        async with aclosing(stream):
            async for item in stream:
                left -= 1
                if isinstance(item, Batch) and item.readings:
                    self.tell(msgspec.structs.replace(item, partial=True), "READ")
                    return
                if isinstance(item, Gap) or not left:
                    return

    def end(self, error: DSMILError) -> None:
        """Tell every hearer that nothing more comes."""
        for hearer in tuple(self.hearers):
            hearer.ended(error)
        self.hearers.clear()


class Feeds:
    """The feeds of a server."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._feeds: dict[Key, Feed] = {}
        self._polls: dict[Key, asyncio.Task[None]] = {}
        self._looks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._feeds)

    def join(self, key: Key, devices: Sequence[Device], hearer: Hearer) -> Feed:
        """Hear a feed; the first one begins it.  What it knows already is in its snapshot."""
        feed = self._feeds.get(key)
        if feed is None:
            feed = self._feeds[key] = Feed(key, devices, self._client, self._clock.now() // 1000)
            poll = self._polls[key] = asyncio.create_task(feed.run())
            poll.add_done_callback(lambda task: self._drop(key, task))
        feed.hearers.add(hearer)
        return feed

    def leave(self, feed: Feed, hearer: Hearer, *, linger: float = 0.0) -> None:
        """Hear it no more; the last one ends it, after `linger` seconds in which it can be resumed."""
        feed.hearers.discard(hearer)
        if not feed.hearers:
            asyncio.get_running_loop().call_later(linger, self._end_unheard, feed)

    def _end_unheard(self, feed: Feed) -> None:
        if not feed.hearers and self._feeds.get(feed.key) is feed:
            self._polls[feed.key].cancel()
            del self._feeds[feed.key]

    def _drop(self, key: Key, task: asyncio.Task[None]) -> None:
        if self._polls.get(key) is task:
            del self._polls[key]
            self._feeds.pop(key, None)

    def changed(self, reading: Reading, cause: str) -> None:
        """A register was changed: whoever hears of it is told now, not at the next tick."""
        for feed in tuple(self._feeds.values()):
            if feed.concerns(reading.device_id, reading.register):
                feed.tell(Batch(0, reading.timestamp, (reading,), partial=True), cause)

    def look(self, device_id: DeviceId) -> None:
        """Something happened to a device: feeds that are about it read it now."""
        for feed in tuple(self._feeds.values()):
            if feed.concerns(device_id):
                task = asyncio.create_task(feed.look(device_id))
                self._looks.add(task)
                task.add_done_callback(self._looked)

    def _looked(self, task: asyncio.Task[None]) -> None:
        self._looks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            LOGGER.warning("a look after an operation failed: %s", error)

    async def close(self) -> None:
        """End every feed and wait until nothing polls any more."""
        tasks = [*self._polls.values(), *self._looks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._feeds.clear()
