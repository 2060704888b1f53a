"""Bus: readings per second from a sender to listeners, beside a plain asyncio queue; losses are counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from bench.machine import version_of_gh
from bench.row import Row
from dsmilctl.fleet.bus import Policy, Stream
from dsmilctl.model.reading import Batch, Gap, Reading

BATCH = 100
TOTAL = 1_000_000
SIZES = (1, 8)
SLOW = 0.0005


def rows() -> Iterable[Row]:
    """At least 100,000 readings a second to a listener that loses nothing; a slow one is told its gaps."""
    queue, gh = asyncio.run(through_a_queue()), version_of_gh()
    for listeners in SIZES:
        name = f"bus: readings to {listeners} listener{'s' if listeners > 1 else ''}"
        ours = asyncio.run(through_the_bus(listeners))
        yield Row(name, ours, "/s", 100_000, "asyncio.Queue", queue, True, True, gh)
    lost = asyncio.run(lost_without_a_word())
    yield Row("bus: readings lost without being counted", lost, "", 0.5)


def batches() -> list[Batch]:
    """The same batch again and again, with a number of its own each time."""
    readings = tuple(Reading(0x8000 + index, "TEMP", 40, 0) for index in range(BATCH))
    return [Batch(number, 0, readings) for number in range(TOTAL // BATCH)]


async def through_the_bus(listeners: int) -> float:
    """Readings per second until the last of the listeners has all of them."""
    stream: Stream[Batch] = Stream("readings")
    sent = batches()

    async def listen(ends: asyncio.Event) -> None:
        heard = 0
        listener = stream.listen(Policy.BLOCK)
        ends.set()
        async for item in listener:
            assert isinstance(item, Batch)
            heard += len(item.readings)
            if heard == TOTAL:
                return

    ready = [asyncio.Event() for _ in range(listeners)]
    tasks = [asyncio.create_task(listen(event)) for event in ready]
    await asyncio.gather(*(event.wait() for event in ready))
    begun = time.perf_counter()
    for batch in sent:
        await stream.deliver(batch)
    await asyncio.gather(*tasks)
    return TOTAL / (time.perf_counter() - begun)


async def through_a_queue() -> float:
    """The same batches through the queue of the standard library, to one listener."""
    queue: asyncio.Queue[Batch] = asyncio.Queue(256)
    sent = batches()

    async def listen() -> None:
        heard = 0
        while heard < TOTAL:
            heard += len((await queue.get()).readings)

    task = asyncio.create_task(listen())
    begun = time.perf_counter()
    for batch in sent:
        await queue.put(batch)
    await task
    return TOTAL / (time.perf_counter() - begun)


async def lost_without_a_word() -> float:
    """Readings that a slow listener neither heard nor was told to have missed."""
    stream: Stream[Batch] = Stream("readings")
    listener = stream.listen(Policy.DROP_OLDEST, size=16)
    sent = batches()[:2000]
    known = 0

    async def listen() -> None:
        nonlocal known
        async for item in listener:
            known += item.missed if isinstance(item, Gap) else len(item.readings)
            await asyncio.sleep(SLOW)

    task = asyncio.create_task(listen())
    for number, batch in enumerate(sent):
        stream.send(batch)
        if number % 50 == 0:
            await asyncio.sleep(0)
    stream.close()
    await task
    return float(len(sent) * BATCH - known)
