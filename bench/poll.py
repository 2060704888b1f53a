"""Poll: processor time of a stream over simulated devices of which a tenth changes each second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any

from bench.bulk import fleet, throw_away
from bench.machine import version_of_gh
from bench.row import Row
from dsmilctl.client.local import LocalClient
from dsmilctl.client.opening import connect
from dsmilctl.drivers.contract import Driver

SIZES = (1_000, 10_000, 20_000)
TICKS = 6
REGISTERS = ["TEMP", "VOLTAGE"]


def rows() -> Iterable[Row]:
    """The whole of it, what of it is not the simulator's own, and how it grows."""
    found = {size: asyncio.run(polling(size)) for size in SIZES}
    gh = version_of_gh()
    for size, (whole, own) in found.items():
        judged = size == 10_000
        yield Row(f"poll: {size:,} devices, a tenth changing", whole, "% core", 5.0 if judged else 0, gh=gh)
        yield Row(f"poll: {size:,} devices, without the driver", own, "% core", 3.0 if judged else 0, gh=gh)
    each = {size: own / size * 10_000 for size, (_, own) in found.items()}
    yield Row("poll: a device among 20,000", each[20_000], "µs/tick", 2.0, "among 1,000", each[1_000])


async def polling(devices: int) -> tuple[float, float]:
    """Percent of a core for one tick a second: of the process, and of it without the driver's answers."""
    with throw_away(fleet(devices, period=10)):
        async with connect("sim") as client:
            assert isinstance(client, LocalClient)
            meter = Meter(client._fleet.drivers["sim"])
            stream = client.stream(await client.devices(), REGISTERS, interval=1.0, changes_only=True)
            await anext(stream)
            used, answering, begun = time.process_time(), meter.used, time.perf_counter()
            for _ in range(TICKS):
                await anext(stream)
            seconds = time.perf_counter() - begun
            whole = time.process_time() - used
            own = whole - (meter.used - answering)
            await stream.aclose()
    return whole / seconds * 100, own / seconds * 100


class Meter:
    """Processor time that a driver uses to answer."""

    def __init__(self, driver: Driver) -> None:
        self.used = 0.0
        self._answer = driver.read_many
        driver.read_many = self.answer  # type: ignore[method-assign]  # the time it takes is measured

    async def answer(self, wanted: Any) -> Any:
        """The driver's answers."""
        begun = time.thread_time()
        try:
            return await self._answer(wanted)
        finally:
            self.used += time.thread_time() - begun
