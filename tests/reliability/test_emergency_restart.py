"""Emergency stops that outlive their process: other processes, restarts, releases that are killed."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

from dsmilctl.client.interface import HistoryQuery
from dsmilctl.config.paths import Paths
from tests.reliability.processes import BINARY, WHY, Site, finish, simulated, unsafe

QUEUED = 5_000
IN_TIME = 2.0
"""Seconds that a stop of 84 devices may take here with everything around it: ten times what is promised."""


WRITER = """
import asyncio, json, sys
from dsmilctl.client import connect
from dsmilctl.errors import EmergencyStopActive
from dsmilctl.model.operation import OperationType, Request

async def main():
    written = 0
    async with connect("sim") as client:
        devices = [device.device_id for device in await client.devices()]
        print("ready", flush=True)
        try:
            while True:
                await client.change(Request(
                    device_id=devices[written % len(devices)], type=OperationType.WRITE, register="DATA",
                    value=written + 1, justification="a busy operator",
                ))
                written += 1
        except EmergencyStopActive as refusal:
            print(json.dumps([written, refusal.code]))

asyncio.run(main())
"""


def test_another_process_sees_the_latch_before_its_next_write(tmp_path: Path) -> None:
    site = Site(tmp_path)
    writers = [site.start(WRITER) for _ in range(2)]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    while len([line for line in site.wire() if not line.safe]) < 20:
        time.sleep(0.01)

    ended = site.command("emergency", "stop", "-o", "json")
    results = [json.loads(finish(writer)) for writer in writers]

    stop = json.loads(ended.stdout)["data"]
    assert ended.returncode == 0, ended.stderr
    assert [result[1] for result in results] == ["EMERGENCY_STOP"] * 2
    late = unsafe(site.wire(), latch_time(site, stop["stop_id"]))
    assert len(late) <= 2, "of each process at most the one that had had its last look already"


def latch_time(site: Site, stop_id: str) -> int:
    (latch,) = (site.home / "state" / "latch" / "sim").glob(f"{stop_id}.json")
    return latch.stat().st_mtime_ns


def test_a_stop_outlives_its_process_and_holds_for_later_ones_until_it_is_released(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path)
    write = ("device", "write", "0x8000", "CONFIG", "5", "--yes", "--justification", WHY)
    release = ("emergency", "release", "--justification", "it was a drill, nothing else")
    assert site.command("emergency", "stop").returncode == 0

    assert site.command(*write).returncode == 1
    assert site.command("--read-only", *release, "--confirm", "sim").returncode == 1
    assert site.command("emergency", "release", "--justification", "no", "--confirm", "sim").returncode == 1
    assert site.command(*release).returncode == 2, "nobody is there to confirm"
    assert site.command(*write).returncode == 1
    assert site.command(*release, "--confirm", "sim").returncode == 0
    assert site.command(*write).returncode == 0


RELEASER = """
import asyncio, sys
from dsmilctl.client import connect

async def main():
    async with connect("sim") as client:
        for _ in range(3):
            await client.stop(deadline=2.0)
        print("ready", flush=True)
        sys.stdin.readline()
        await client.release(justification="it was a drill")
        print("released", flush=True)

asyncio.run(main())
"""


AFTERWARDS = """
import asyncio, json
from dsmilctl.client import connect
from dsmilctl.errors import DSMILError
from dsmilctl.model.operation import OperationType, Request

async def main():
    async with connect("sim") as client:
        standing = [stop.stop_id for stop in await client.stops()]
        refusal = ""
        try:
            await client.change(Request(
                device_id=0x8000, type=OperationType.WRITE, register="DATA", value=1,
                justification="after it all",
            ))
        except DSMILError as error:
            refusal = error.code
        await client.release(justification="once more, properly")
        verdict = await client.audit_verify()
        left = len(await client.stops())
    print(json.dumps([standing, refusal, verdict.intact, list(verdict.unfinished), left]))

asyncio.run(main())
"""


def test_a_release_that_is_killed_leaves_each_stop_in_force_or_released(tmp_path: Path) -> None:
    """Killed at moments all over the release; what is left is well-formed, and a second release ends it."""
    site = Site(tmp_path)
    for attempt in range(6):
        process = site.start(RELEASER)
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.stdin.write("\n")
        process.stdin.flush()
        time.sleep(attempt * 0.003)
        process.kill()
        output, _ = process.communicate(timeout=30)
        standing, refusal, intact, unfinished, left = site.run(AFTERWARDS)

        assert all(stop_id.startswith("stop-") for stop_id in standing)
        assert standing == [] or "released" not in output
        assert refusal == ("EMERGENCY_STOP" if standing else "")
        assert (intact, unfinished, left) == (True, [], 0)


async def test_the_journal_says_of_a_stop_who_why_and_what_confirmed(home: Paths, tmp_path: Path) -> None:
    async with simulated(home, tmp_path, faults=["silent:0x8003"]) as client:
        stop = await client.stop(reason="smoke", deadline=0.3)
        outcome, intent = await client.audit(HistoryQuery(action="emergency.stop"))

    assert (intent.outcome, outcome.outcome) == ("INTENT", "FAILED")
    assert intent.parameters["reason"] == "emergency stop: smoke"
    assert outcome.parameters["confirmed"] == 83
    assert outcome.parameters["unconfirmed"] == ["0x8003"]
    assert outcome.operation_id == intent.operation_id == stop.stop_id


def test_a_stop_that_is_ended_by_ctrl_c_stays_latched(tmp_path: Path) -> None:
    site = Site(tmp_path, faults=["silent:@all"])
    process = subprocess.Popen(
        [BINARY, "-C", "sim", "emergency", "stop", "--deadline", "60"],
        env=site.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    while not list((site.home / "state").glob("latch/sim/stop-*.json")):
        time.sleep(0.01)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)

    assert process.returncode == 130
    assert len(json.loads(site.command("emergency", "status", "-o", "json").stdout)["data"]) == 1
    assert site.command("audit", "verify").returncode == 0
