"""Bulk: reads and emergency stops of 84, 1,000 and 10,000 simulated devices through a client."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.row import Row
from dsmilctl.cli import GARBAGE
from dsmilctl.client.opening import connect
from dsmilctl.model.emergency import Stop
from dsmilctl.model.operation import OperationType, Request

SIZES = (84, 1_000, 10_000)
STOP_BARS = {84: 200, 1_000: 600, 10_000: 2_000}
"""Milliseconds until every device confirmed, for a machine as slow as the one they were written on."""

ROUNDS = 5
DEVICES_READ = 50_000
"""Devices read in all: a small fleet so often that it meets the same machine as a large one."""


class Took(NamedTuple):
    """Milliseconds of one read: by the clock, and of the processor.

    How the time grows with the devices is judged by the second: other programs take turns with a read that
    is longer than a turn and leave a short one alone.
    """

    elapsed: float
    used: float


def rows() -> Iterable[Row]:
    """Reads that grow with the number of devices and no faster, and stops within their bars.

    Garbage is looked for as seldom as the program does: at Python's own threshold every look at the results
    of 10,000 devices walks through all of them, and that is what the second row would tell of.
    """
    gc.set_threshold(GARBAGE)
    read = {size: asyncio.run(reading(fleet(size))) for size in SIZES}
    for size in SIZES:
        yield Row(f"bulk: read {size:,} devices", read[size].elapsed, "ms")
    each = {size: read[size].used / size * 1000 for size in SIZES}
    yield Row("bulk: processor for one among 10,000", each[10_000], "µs", 2.0, "among 84", each[84])
    for size in SIZES:
        stops = [asyncio.run(stopping(fleet(size))) for _ in range(ROUNDS)]
        took = statistics.median(last_confirmed(stop) for stop in stops)
        yield Row(f"stop: {size:,} devices confirmed", took, "ms", STOP_BARS[size])
    yield from silent()
    for size in (84, 10_000):
        took = statistics.median(from_the_shell(size) for _ in range(ROUNDS))
        yield Row(f"stop: {size:,} devices, the whole command", took, "ms", STOP_BARS[size])
    yield Row("bulk: write, read back and journal 10,000", asyncio.run(writing(10_000)), "ms")


def from_the_shell(devices: int) -> float:
    """Milliseconds of `dsmilctl emergency stop` from its start to its end, in a home that is in use."""
    command = [str(Path(sys.executable).with_name("dsmilctl")), "-C", "sim"]
    with throw_away(fleet(devices)):
        subprocess.run([*command, "device", "read", "0x8000"], check=True, stdout=subprocess.DEVNULL)
        begun = time.perf_counter()
        subprocess.run([*command, "emergency", "stop", "-o", "json"], check=True, stdout=subprocess.DEVNULL)
        return (time.perf_counter() - begun) * 1000


async def writing(devices: int) -> float:
    """Milliseconds for a guarded write to every device."""
    with throw_away(fleet(devices)):
        async with connect("sim") as client:
            requests = [
                Request(
                    device_id=device.device_id,
                    type=OperationType.WRITE,
                    register="DATA",
                    value=1,
                    justification="a benchmark of writes",
                )
                for device in await client.devices()
            ]
            begun = time.perf_counter()
            result = await client.change_many(requests)
            assert result.status == "COMPLETED"
    return (time.perf_counter() - begun) * 1000


def silent() -> Iterable[Row]:
    """One device in a hundred never answers: the others are no later for it, and it is named."""
    stop = asyncio.run(stopping(fleet(10_000, faults=["silent:*/100"])))
    yield Row("stop: the living of 10,000, 1 % silent", last_confirmed(stop), "ms", STOP_BARS[10_000])
    yield Row("stop: silent devices that are not named", 100.0 - len(stop.unconfirmed), "", 0.5)


def fleet(devices: int, **options: object) -> dict[str, object]:
    """The options of a simulated fleet that keeps nothing."""
    return {"devices": devices, "persist": False, **options}


def last_confirmed(stop: Stop) -> float:
    """Milliseconds until the last device confirmed, the latch included."""
    return stop.latched_ms + max(item.elapsed_ms for item in stop.confirmations if item.outcome.confirmed)


async def reading(options: dict[str, object]) -> Took:
    """What one register of every device took, the median of some reads."""
    with throw_away(options):
        async with connect("sim") as client:
            devices = await client.devices()
            took = []
            for _ in range(max(ROUNDS, DEVICES_READ // len(devices))):
                begun, used = time.perf_counter(), time.process_time()
                readings = await client.read(devices, ["TEMP"])
                took.append(((time.perf_counter() - begun) * 1000, (time.process_time() - used) * 1000))
                assert all(reading.good for reading in readings)
    return Took(*map(statistics.median, zip(*took, strict=True)))


async def stopping(options: dict[str, object]) -> Stop:
    """One emergency stop of everything, in a folder of its own."""
    with throw_away(options):
        async with connect("sim") as client:
            return await client.stop(reason="bench", deadline=2.0)


@contextmanager
def throw_away(options: dict[str, object]) -> Iterator[None]:
    """A home for one measurement, with the simulator's options in the environment."""
    with tempfile.TemporaryDirectory(prefix="dsmilctl-bench-") as folder:
        os.environ |= {"DSMIL_HOME": folder, "DSMIL_SIM_OPTIONS": json.dumps(options)}
        try:
            yield
        finally:
            del os.environ["DSMIL_HOME"], os.environ["DSMIL_SIM_OPTIONS"]
