"""Emergency stops on bad days: queues, dead devices, frozen programs, full disks, restarts."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dsmilctl.client.local import LocalClient
from dsmilctl.config.paths import Paths
from dsmilctl.errors import DSMILError
from dsmilctl.model.emergency import Stop, StopOutcome
from dsmilctl.model.operation import Operation, OperationType, Request
from tests.reliability.processes import WHY, Site, simulated, unsafe

QUEUED = 5_000


def change(device_id: Any, value: int) -> Request:
    return Request(
        device_id=device_id, type=OperationType.WRITE, register="CONFIG", value=value, justification=WHY
    )


def dead(stop: Stop) -> list[int]:
    return [int(device_id) for device_id in stop.unconfirmed]


async def queued_one_by_one(client: LocalClient, requests: list[Request]) -> list[Operation | BaseException]:
    return await asyncio.gather(*(client.change(item) for item in requests), return_exceptions=True)


async def queued_as_a_bulk(client: LocalClient, requests: list[Request]) -> list[Operation | BaseException]:
    return list((await client.change_many(requests)).results)


def code(ended: Operation | BaseException) -> str:
    if isinstance(ended, Operation):
        return ended.error_code
    assert isinstance(ended, DSMILError), repr(ended)
    return ended.code


@pytest.mark.parametrize(
    ("queue", "devices"), [(queued_one_by_one, 84), (queued_as_a_bulk, 84), (queued_as_a_bulk, 1000)]
)
async def test_a_stop_overtakes_five_thousand_queued_writes_and_none_leaves_after_the_latch(
    home: Paths, tmp_path: Path, queue: Callable[..., Any], devices: int
) -> None:
    site = Site(tmp_path)
    async with simulated(home, tmp_path, devices=devices, timeout=60.0) as client:
        known = [device for device in await client.devices() if not device.quarantined]
        requests = [change(known[number % len(known)].device_id, number) for number in range(QUEUED)]
        queued = asyncio.create_task(queue(client, requests))
        while len(site.wire()) < 100:
            await asyncio.sleep(0.01)
        stop = await client.stop(deadline=20)
        ended = await queued
        verdict = await client.audit_verify()

    denied = [item for item in ended if code(item) == "EMERGENCY_STOP"]
    assert stop.unconfirmed == ()
    assert unsafe(site.wire(), stop.triggered_at) == []
    assert len(denied) > QUEUED // 2
    assert {code(item) for item in ended} <= {"", "EMERGENCY_STOP"}
    done = [item for item in ended if isinstance(item, Operation) and item.success]
    assert len(done) + len(denied) == QUEUED
    assert len([line for line in site.wire() if not line.safe]) <= len(done) + 600, "those that were cut off"
    assert verdict.intact
    assert verdict.unfinished == ()


@pytest.mark.parametrize("devices", [84, 10_000])
def test_a_stop_from_the_shell_reaches_every_device_and_nothing_else_does_afterwards(
    tmp_path: Path, devices: int
) -> None:
    site = Site(tmp_path, devices=devices)

    ended = site.command("emergency", "stop", "--reason", "smoke", "--deadline", "60", "-o", "json")
    refused = site.command("device", "write", "0x8000", "CONFIG", "5", "--yes", "--justification", WHY)

    stop = json.loads(ended.stdout)["data"]
    assert ended.returncode == 0, ended.stderr
    assert len(stop["devices"]) == devices
    assert {line.device for line in site.wire()} == {item["device_id"] for item in stop["devices"]}
    assert refused.returncode == 1
    assert "is under stop-" in refused.stderr
    assert all(line.safe for line in site.wire())


@pytest.mark.parametrize("share", [100, 10, 1])
@pytest.mark.parametrize("fault", ["silent:*/{}", "disconnect:*/{}", "slow:*/{}:30"])
async def test_dead_devices_are_named_and_the_living_are_stopped_as_if_they_were_not_there(
    home: Paths, tmp_path: Path, fault: str, share: int
) -> None:
    told: list[object] = []
    async with simulated(home, tmp_path, devices=400, faults=[fault.format(share)]) as client:
        stop = await client.stop(deadline=3, report=lambda item: told.append(item.device_id))

    expected = {device for number, device in enumerate(range(0x8000, 0x8000 + 400), 1) if number % share == 0}
    living = [item for item in stop.confirmations if item.device_id not in expected]
    named = [item for item in stop.confirmations if item.device_id in expected]
    assert set(dead(stop)) == expected
    assert {item.outcome for item in living} <= {StopOutcome.STOPPED}
    assert set(told[: len(living)]) == {item.device_id for item in living}, "none waited for a dead one"
    assert all(item.error for item in named)
    assert all(item.attempts > 1 for item in named), "each was tried again"


def test_a_silent_device_is_named_by_the_command_and_the_exit_status_tells(tmp_path: Path) -> None:
    site = Site(tmp_path, faults=["silent:0x8003"])

    ended = site.command("emergency", "stop", "--deadline", "0.5", "-o", "json")

    stop = json.loads(ended.stdout)["data"]
    assert ended.returncode == 8
    assert stop["unconfirmed"] == ["0x8003"]
    assert len(stop["confirmed"]) == 83


HOLDING = """
import os, pathlib, signal, sys
from dsmilctl.guard.files import FileLock
from dsmilctl.guard.holds import Holds
import asyncio
from dsmilctl.config.paths import paths

async def main():
    holds = Holds(paths().state / "holds" / "sim.lock")
    await holds.take(range(0x8000, 0x8054), 1.0)
    with FileLock(paths().journal_folder / "journal.lock"):
        print("held", flush=True)
        os.kill(os.getpid(), signal.SIGSTOP)

asyncio.run(main())
"""


def test_a_frozen_process_that_holds_the_devices_and_the_journal_holds_no_stop_up(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.command("device", "write", "0x8000", "CONFIG", "5", "--yes", "--justification", WHY)
    frozen = site.start(HOLDING)
    assert frozen.stdout is not None
    assert frozen.stdout.readline() == "held\n"
    os.waitpid(frozen.pid, os.WUNTRACED)
    try:
        ended = site.command("emergency", "stop", "-o", "json")
        stop = json.loads(ended.stdout)["data"]
        assert ended.returncode == 0, ended.stderr
        assert len(stop["confirmed"]) == 84, "and the other process is frozen still"
        assert "not in the journal yet" in ended.stderr
        status = site.command("emergency", "status", "-o", "json")
        assert len(json.loads(status.stdout)["data"]) == 1
    finally:
        frozen.send_signal(signal.SIGCONT)
        frozen.communicate(timeout=30)
    refused = site.command("device", "write", "0x8000", "CONFIG", "5", "--yes", "--justification", WHY)
    assert refused.returncode == 1
    assert site.command("audit", "verify").returncode == 0


BLOCKED = """
import asyncio, json, threading
from dsmilctl.client import connect

results = {}

def stop():
    async def work():
        client = connect("sim")
        try:
            stop = await client.stop(reason="the screen hangs")
            results["unconfirmed"] = len(stop.unconfirmed)
        finally:
            await client.close()
    asyncio.run(work())

async def main():
    async with connect("sim") as client:
        await client.read(await client.devices(), ["TEMP"])
        thread = threading.Thread(target=stop)
        thread.start()
        thread.join(100)  # the loop stands still until the stop has ended
        results["ended"] = not thread.is_alive()
    print(json.dumps(results))

asyncio.run(main())
"""


def test_a_stop_does_not_wait_for_an_event_loop_that_is_blocked(tmp_path: Path) -> None:
    found = Site(tmp_path).run(BLOCKED)

    assert found == {"unconfirmed": 0, "ended": True}


FULL = """
import asyncio, json, resource
from dsmilctl.client import connect
from dsmilctl.errors import DSMILError
from dsmilctl.model.operation import OperationType, Request

async def main():
    async with connect("sim") as client:
        devices = await client.devices()
        await client.read(devices, ["TEMP"])
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        stop = await client.stop(reason="everything is full")
        refusal = ""
        try:
            await client.change(Request(
                device_id=0x8000, type=OperationType.WRITE, register="DATA", value=1,
                justification="after it all",
            ))
        except DSMILError as error:
            refusal = error.code
        standing = [stop.stop_id for stop in await client.stops()]
        readings = await client.read(devices, ["TEMP"])
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(json.dumps({
        "unconfirmed": len(stop.unconfirmed), "confirmed": len(stop.confirmed), "refusal": refusal,
        "error": stop.latch_error, "standing": standing == [stop.stop_id],
        "read": sum(item.good for item in readings),
    }))

asyncio.run(main())
"""


def test_a_disk_on_which_nothing_can_be_written_holds_no_stop_up_and_it_says_so(tmp_path: Path) -> None:
    found = Site(tmp_path, persist=False, wire_log="").run(FULL)

    assert found["unconfirmed"] == 0
    assert found["confirmed"] == 84
    assert "cannot be latched" in found["error"]
    assert "as long as this process runs" in found["error"]
    assert found["refusal"] == "EMERGENCY_STOP"
    assert found["standing"]
    assert found["read"] == 79


async def test_a_journal_that_cannot_be_written_holds_no_stop_up_and_refuses_the_release(
    home: Paths, tmp_path: Path
) -> None:
    async with simulated(home, tmp_path) as client:
        (home.journal_folder / "journal.lock").mkdir(parents=True)
        stop = await client.stop()
        with pytest.raises(DSMILError) as refused:
            await client.release(justification="it was a drill")
        standing = await client.stops()
        (home.journal_folder / "journal.lock").rmdir()
        await client.release(justification="it was a drill")

    assert stop.unconfirmed == ()
    assert stop.latch_error == ""
    assert refused.value.code == "STATE_UNAVAILABLE"
    assert [item.stop_id for item in standing] == [stop.stop_id]
