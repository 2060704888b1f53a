"""Ends of an emergency stop: releases, latches that cannot be written, and writes that cross a stop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from dsmilctl.client.interface import HistoryQuery
from dsmilctl.config.paths import Paths
from dsmilctl.errors import (
    EmergencyStopActive,
    JustificationRequired,
    NotFound,
    ReadOnly,
    StateUnavailable,
)
from dsmilctl.guard.evidence import Evidence
from dsmilctl.guard.journal import Entry
from dsmilctl.model.device import Device
from dsmilctl.model.emergency import StopOutcome
from dsmilctl.model.operation import OperationStatus
from dsmilctl.model.register import Register, Value
from tests.rack import LEVEL, SETPOINT, Lab, Rack, RackDriver, outcomes, write

RELEASE = "the smoke was steam"
STOPPED, UNCONFIRMED, FAILED = StopOutcome.STOPPED, StopOutcome.UNCONFIRMED, StopOutcome.FAILED


async def test_a_release_needs_a_justification_and_a_context_that_is_not_read_only(home: Paths) -> None:
    lab = Lab(home, Rack(1))

    async with lab.client() as client, lab.client(read_only=True) as reader:
        await client.stop()
        with pytest.raises(JustificationRequired):
            await client.release(justification="because")
        with pytest.raises(ReadOnly):
            await reader.release(justification=RELEASE)
        assert len(await client.stops()) == 1
        released = await client.release(justification=RELEASE)
        records = await client.audit(HistoryQuery(action="emergency.release"))
        assert (await client.change(write("rack-0"))).success

    assert [stop.released_by for stop in released] == ["ada@bench"]
    assert [record.outcome for record in records] == ["SUCCESS", "INTENT", "DENIED", "DENIED"]
    assert records[1].parameters["justification"] == RELEASE


async def test_a_device_that_is_stopped_while_all_are_being_released_stays_stopped(
    home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The release is let through and on record, and then somebody else presses the button."""
    rack = Rack(2)
    record = Evidence.record

    async with Lab(home, rack).client() as client, Lab(home, rack).client() as other:
        first = await client.stop([rack.devices[0]])

        async def recorded(evidence: Evidence, entries: Sequence[Entry]) -> None:
            await record(evidence, entries)
            if entries[0].action == "emergency.release":
                monkeypatch.setattr(Evidence, "record", record)
                await other.stop([rack.devices[1]], reason="smoke again")

        monkeypatch.setattr(Evidence, "record", recorded)
        released = await client.release(justification=RELEASE)
        left = await client.stops()
        with pytest.raises(EmergencyStopActive, match="smoke again"):
            await client.change(write("rack-1"))
        assert (await client.change(write("rack-0"))).success

    assert [stop.stop_id for stop in released] == [first.stop_id]
    assert [stop.devices for stop in left] == [("rack-1",)]


async def test_of_all_stops_only_those_that_somebody_has_seen_are_released(home: Paths) -> None:
    rack = Rack(2)

    async with Lab(home, rack).client() as client:
        seen = await client.stop([rack.devices[0]])
        later = await client.stop([rack.devices[1]])
        released = await client.release(justification=RELEASE, standing=[seen.stop_id])
        again = await client.release(justification=RELEASE, standing=[seen.stop_id])
        left = await client.stops()

    assert ([stop.stop_id for stop in released], again) == ([seen.stop_id], [])
    assert [stop.stop_id for stop in left] == [later.stop_id]


async def test_one_of_several_stops_can_be_released_and_an_unknown_one_is_named(home: Paths) -> None:
    rack = Rack(2)

    async with Lab(home, rack).client() as client:
        one = await client.stop([rack.devices[0]])
        other = await client.stop([rack.devices[1]])
        with pytest.raises(NotFound, match="stop-0000"):
            await client.release("stop-0000", justification=RELEASE)
        await client.release(one.stop_id, justification=RELEASE)

        assert [stop.stop_id for stop in await client.stops()] == [other.stop_id]
        assert (await client.change(write("rack-0"))).success
        assert [stop.stop_id for stop in await client.stop_history()] == [other.stop_id, one.stop_id]


async def test_a_release_that_cannot_be_journalled_is_refused(home: Paths) -> None:
    async with Lab(home, Rack(1)).client() as client:
        await client.stop()
        lock = home.journal_folder / "journal.lock"
        lock.unlink()
        lock.mkdir()
        with pytest.raises(StateUnavailable):
            await client.release(justification=RELEASE)

        assert len(await client.stops()) == 1


def block(folder: Path) -> None:
    """Put a file where a folder would have to be made."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("")


async def test_a_latch_that_cannot_be_written_goes_to_the_runtime_folder_and_says_so(home: Paths) -> None:
    rack = Rack(2)
    block(home.latch_folder)
    lab = Lab(home, rack)

    async with lab.client() as client:
        stop = await client.stop()
    async with lab.client() as client:
        with pytest.raises(EmergencyStopActive):
            await client.change(write("rack-0"))

    assert set(outcomes(stop).values()) == {STOPPED}
    assert "until that can be written" in stop.latch_error


async def test_a_latch_that_can_be_written_nowhere_holds_in_memory_and_can_be_released(home: Paths) -> None:
    rack = Rack(2)
    block(home.latch_folder)
    block(home.runtime / "latch")

    async with Lab(home, rack).client() as client:
        stop = await client.stop(reason="smoke")
        with pytest.raises(EmergencyStopActive):
            await client.change(write("rack-0"))
        standing = await client.stops()

    assert set(outcomes(stop).values()) == {STOPPED}
    assert "as long as this process runs" in stop.latch_error
    assert not stop.latched
    assert {(item.stop_id, item.latched) for item in standing} >= {(stop.stop_id, False)}


async def test_a_stop_that_lies_in_memory_alone_is_released_by_its_name(home: Paths) -> None:
    rack = Rack(1)

    async with Lab(home, rack).client() as client:
        block(home.latch_folder)
        block(home.runtime / "latch")
        stop = await client.stop()
        home.latch_folder.unlink()
        (home.runtime / "latch").unlink()
        with pytest.raises(EmergencyStopActive):
            await client.change(write("rack-0"))
        (released,) = await client.release(stop.stop_id, justification=RELEASE)
        assert (await client.change(write("rack-0"))).success

    assert released.stop_id == stop.stop_id
    assert released.released_by == "ada@bench"


async def test_a_write_under_way_is_broken_off_and_the_device_is_made_safe_again(home: Paths) -> None:
    rack = Rack(1)
    rack.delay = 0.3
    rack.faults["rack-0", "write"] = "slow"

    async with Lab(home, rack).client(timeout=10) as client:
        writing = asyncio.create_task(client.change(write("rack-0", value=500)))
        while ("write", "rack-0") not in rack.asked:
            await asyncio.sleep(0.01)
        stop = await client.stop(deadline=5)
        operation = await writing

    assert outcomes(stop) == {"rack-0": STOPPED}
    assert operation.status is OperationStatus.TIMEOUT
    assert operation.error_code == "EMERGENCY_STOP"
    assert "broke it off" in operation.error
    assert 500 not in rack.written()
    assert rack.get("rack-0", "LEVEL") == 0


async def test_a_write_that_lands_behind_a_stop_of_another_process_is_followed_by_the_safe_state(
    home: Paths,
) -> None:
    """Between the last look at the latch and the device there is always a moment."""
    rack = Rack(1)
    lab = Lab(home, rack)
    elsewhere = lab.client()

    class Overtaken(RackDriver):
        async def write(self, device: Device, register: Register, value: Value) -> None:
            if value == 500:
                elsewhere._stop_control.engage("smoke", "@all", None)
            await self.rack.take(device, register.name, value)

    lab.registry._kinds["rack"] = type("Driver", (Overtaken,), {"rack": rack})
    async with lab.client() as client:
        operation = await client.change(write("rack-0", value=500))

    assert (operation.status, operation.error_code) == (OperationStatus.FAILED, "EMERGENCY_STOP")
    assert "came while it was under way" in operation.error
    assert [item.value for item in rack.wire if item.what == "LEVEL"] == [500, 0]


DRIVEN = {
    "driven": ((LEVEL,), "", "the device was driven to its safe state again", ""),
    "no safe state": ((SETPOINT,), "", "the device has no safe state that it could be driven to", "by hand"),
    "refused": ((LEVEL,), "refused", "the device was NOT driven to its safe state again: rack-0", "by hand"),
}


@pytest.mark.parametrize("lands", [True, False], ids=["lands", "broken off"])
@pytest.mark.parametrize("case", DRIVEN)
async def test_a_change_that_a_stop_overtook_says_whether_its_device_was_driven_again(
    home: Paths, case: str, lands: bool
) -> None:
    registers, fault, told, hint = DRIVEN[case]
    rack = Rack(1)
    rack.change(0, registers=registers)
    lab = Lab(home, rack)
    elsewhere = lab.client()

    class Overtaken(RackDriver):
        async def write(self, device: Device, register: Register, value: Value) -> None:
            if value == 5:
                elsewhere._stop_control.engage("smoke", "@all", None)
                if not lands:
                    self.rack.faults["rack-0", "write"] = fault
                    await asyncio.Event().wait()
            await self.rack.take(device, register.name, value)
            self.rack.faults["rack-0", "write"] = fault

    lab.registry._kinds["rack"] = type("Driver", (Overtaken,), {"rack": rack})
    async with lab.client(timeout=5) as client:
        operation = await client.change(write("rack-0", registers[0].name))
        (record, *_) = await client.audit(HistoryQuery(action="device.write"))

    assert operation.error_code == "EMERGENCY_STOP"
    assert told in operation.error and operation.error == record.parameters["error"]
    assert hint in operation.hint
    assert ("was driven" in operation.error) == (0 in rack.written("LEVEL"))
