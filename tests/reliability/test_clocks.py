"""Clocks that jump: evidence, limits and schedules go by order and by time that passed, not by the wall."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from itertools import pairwise
from pathlib import Path

import pytest

from dsmilctl.client.interface import HistoryQuery
from dsmilctl.clock import NANOSECONDS
from dsmilctl.config.paths import Paths
from dsmilctl.errors import RateLimitError
from dsmilctl.testing.clock import StandingClock
from tests.rack import Lab, Rack, write
from tests.reliability.processes import Site, finish

HOUR = 3600 * NANOSECONDS
FAKETIME = shutil.which("faketime")


async def test_evidence_keeps_its_order_and_stops_their_force_when_the_clock_is_set_back(home: Paths) -> None:
    clock, rack = StandingClock(), Rack(2)
    lab = Lab(home, rack, clock=clock)

    async with lab.client() as client:
        await client.change(write("rack-0", value=5))
        stop = await client.stop([rack.devices[1]])
        clock.set_now(clock.now() - HOUR)
        await client.change(write("rack-0", value=10))
        later = await client.stop([rack.devices[0]])
        records = await client.audit(HistoryQuery(limit=0))
        verdict = await client.audit_verify()
        standing = await client.stops()
        released = await client.release(justification="the clock was wrong")

    assert verdict.intact
    assert [record.sequence for record in records] == list(range(len(records), 0, -1))
    assert records[0].time < records[-1].time
    assert {item.stop_id for item in standing} == {stop.stop_id, later.stop_id}
    assert len(released) == 2
    assert all(item.latched_ms >= 0 for item in (stop, later))


async def test_a_clock_that_is_set_back_gives_no_new_tokens_and_delays_nobody_long(
    home: Paths,
) -> None:
    clock, rack = StandingClock(), Rack(1)
    lab = Lab(home, rack, clock=clock)
    lab.policy("{version: 1, rates: {WRITE: {capacity: 2, per_seconds: 60}}}")

    async with lab.client() as client:
        for _ in range(2):
            await client.change(write("rack-0"))
        clock.set_now(clock.now() - HOUR)
        with pytest.raises(RateLimitError) as refused:
            await client.change(write("rack-0"))
        clock.advance(31)
        await client.change(write("rack-0"))

    assert refused.value.retry_after <= 60


async def test_a_deadline_and_a_duration_do_not_know_of_the_wall_clock(home: Paths) -> None:
    class Jumping(StandingClock):
        """A wall clock that falls back an hour at every look, beside a monotonic one that is real."""

        def now(self) -> int:
            self.set_now(super().now() - HOUR)
            return super().now()

        def monotonic(self) -> float:
            return time.monotonic()

    rack = Rack(2)
    rack.faults["rack-1"] = "silent"

    async with Lab(home, rack, clock=Jumping()).client(timeout=0.2) as client:
        operation = await client.change(write("rack-0"))
        readings = await client.read(rack.devices, ["LEVEL"])
        stop = await client.stop(deadline=0.4)

    assert 0 <= operation.duration_ms < 5000
    assert [reading.good for reading in readings] == [True, False]
    assert [item.device_id for item in stop.confirmations if item.outcome.confirmed] == ["rack-0"]
    assert all(0 <= item.elapsed_ms < 5000 for item in stop.confirmations)


STREAM = """
import asyncio, json, sys, time
from dsmilctl.client import connect

async def main():
    seen = []
    async with connect("sim") as client:
        devices = (await client.devices())[:3]
        stream = client.stream(devices, ["TEMP"], interval=0.05)
        async for batch in stream:
            seen.append([batch.sequence, len(batch.readings), batch.timestamp, time.monotonic_ns()])
            if len(seen) == 10:
                print("ten", flush=True)
            if len(seen) == 40:
                break
        await stream.aclose()
    print(json.dumps(seen))

asyncio.run(main())
"""


def preloaded() -> str:
    """The library that `faketime` puts before all others; without its own offset it reads one from a file."""
    shown = subprocess.run([str(FAKETIME), "-f", "+0", "env"], capture_output=True, text=True, check=True)
    return next(
        line.partition("=")[2] for line in shown.stdout.splitlines() if line.startswith("LD_PRELOAD=")
    )


@pytest.mark.skipif(FAKETIME is None, reason="faketime is not installed")
def test_a_running_stream_goes_on_when_the_clock_of_the_machine_is_set_back_an_hour(tmp_path: Path) -> None:
    site = Site(tmp_path)
    offset = tmp_path / "offset"
    offset.write_text("+0\n")
    settings = {
        "LD_PRELOAD": preloaded(),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    prefix = ("env", *(f"{name}={value}" for name, value in settings.items()))
    process = site.start(STREAM, prefix=prefix)
    assert process.stdout is not None
    assert process.stdout.readline() == "ten\n"
    offset.write_text("-3600\n")
    seen = json.loads(finish(process))

    moments = [real for *_, real in seen]
    walls = [wall for _, _, wall, _ in seen]
    assert [sequence for sequence, *_ in seen] == list(range(1, 41))
    assert all(count == 3 for _, count, *_ in seen)
    assert min(later - earlier for earlier, later in pairwise(walls)) < -3000 * NANOSECONDS, "it was set back"
    pauses = [later - earlier for earlier, later in pairwise(moments)]
    assert max(pauses) < 2 * NANOSECONDS, "it did not stall"
    assert sorted(pauses)[5] > 0.02 * NANOSECONDS, "it did not burst"


WRITE = """
import asyncio, json
from dsmilctl.client import connect
from dsmilctl.model.operation import OperationType, Request

async def main():
    async with connect("sim") as client:
        operation = await client.change(Request(
            device_id=0x8000, type=OperationType.WRITE, register="DATA", value=1,
            justification="whatever the time is",
        ))
        verdict = await client.audit_verify()
        print(json.dumps([operation.status, operation.timestamp, verdict.intact, verdict.records]))

asyncio.run(main())
"""


@pytest.mark.skipif(FAKETIME is None, reason="faketime is not installed")
@pytest.mark.parametrize("moment", ["-1h", "@1970-01-02 00:00:00", "@2040-01-01 00:00:00"])
def test_a_process_with_another_clock_goes_on_behind_the_evidence_of_the_others(
    tmp_path: Path, moment: str
) -> None:
    site = Site(tmp_path)
    now = site.run(WRITE)
    other = site.run(WRITE, prefix=(str(FAKETIME), "-f", moment))
    again = site.run(WRITE)

    assert [found[0] for found in (now, other, again)] == ["SUCCESS"] * 3
    assert [found[3] for found in (now, other, again)] == [2, 4, 6]
    assert all(found[2] for found in (now, other, again))
    assert abs(other[1] - now[1]) > 3000 * NANOSECONDS
