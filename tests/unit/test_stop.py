"""The emergency stop: latched first, every device at once, and the truth about each of them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence

import pytest

from dsmilctl.client.interface import HistoryQuery
from dsmilctl.config.paths import Paths
from dsmilctl.errors import (
    ConfigError,
    EmergencyStopActive,
)
from dsmilctl.guard.latch import Latch
from dsmilctl.model.device import Device
from dsmilctl.model.emergency import Confirmation, Stop, StopOutcome
from dsmilctl.model.event import Event, Severity
from dsmilctl.model.register import Register
from tests.rack import SPEED, Lab, Rack, outcomes, write

RELEASE = "the smoke was steam"
STOPPED, UNCONFIRMED, FAILED = StopOutcome.STOPPED, StopOutcome.UNCONFIRMED, StopOutcome.FAILED


def confirmation(stop: Stop, device_id: str) -> Confirmation:
    return next(item for item in stop.confirmations if item.device_id == device_id)


@pytest.mark.parametrize("batch", [True, False])
async def test_every_device_is_driven_to_its_safe_state_and_read_back(home: Paths, batch: bool) -> None:
    rack = Rack(84)
    for device in rack.devices:
        rack.values[device.device_id, "LEVEL"] = 500
        rack.values[device.device_id, "MODE"] = 2

    async with Lab(home, rack, batch=batch).client() as client:
        stop = await client.stop(reason="smoke")

    assert set(outcomes(stop).values()) == {STOPPED}
    assert len(stop.confirmed) == 84
    assert stop.unconfirmed == ()
    assert stop.reason == "emergency stop: smoke"
    assert stop.triggered_by == "ada@bench"
    assert {rack.get(device.device_id, "LEVEL") for device in rack.devices} == {0}
    assert {rack.get(device.device_id, "MODE") for device in rack.devices} == {0}


async def test_the_latch_lies_on_disk_before_the_first_device_is_told(home: Paths) -> None:
    rack = Rack(3)
    lab = Lab(home, rack)
    latch = Latch(home.latch_folder, "lab")
    latched: list[bool] = []
    take = rack.suffer

    async def look(device: Device, verb: str) -> str:
        latched.append(bool(latch.stops()))
        return await take(device, verb)

    rack.suffer = look  # type: ignore[method-assign]  # the device itself looks at the disk
    async with lab.client() as client:
        await client.stop(reason="smoke")

    assert latched
    assert all(latched)


async def test_every_kind_of_dead_device_is_named_and_delays_nobody(home: Paths) -> None:
    rack = Rack(30)
    rack.faults |= {
        "rack-3": "silent",
        "rack-7": "refused",
        ("rack-11", "write"): "broken",
        ("rack-13", "write"): "mute",
        ("rack-17", "write"): "ignores",
        ("rack-19", "read"): "silent",
    }
    rack.values["rack-17", "LEVEL"] = 250

    async with Lab(home, rack).client() as client:
        stop = await client.stop(deadline=0.8)

    dead = {f"rack-{number}" for number in (3, 7, 11, 17, 19)}
    assert {name for name, outcome in outcomes(stop).items() if not outcome.confirmed} >= dead
    living = [item for item in stop.confirmations if item.device_id not in {*dead, "rack-13"}]
    assert {item.outcome for item in living} == {STOPPED}
    assert max(item.elapsed_ms for item in living) < 500
    assert confirmation(stop, "rack-17").error == "LEVEL still reads 250"
    assert "it was told, but" in confirmation(stop, "rack-19").error
    assert "refuses" in confirmation(stop, "rack-7").error
    assert all(confirmation(stop, name).attempts > 1 for name in ("rack-7", "rack-11", "rack-17"))
    assert all(confirmation(stop, name).error for name in dead)


async def test_a_device_that_comes_back_before_the_deadline_is_stopped_after_all(home: Paths) -> None:
    rack = Rack(2)
    rack.faults["rack-1"] = "refused"

    async with Lab(home, rack).client() as client:
        stopping = asyncio.create_task(client.stop(deadline=5))
        while len([verb for verb, device in rack.asked if device == "rack-1"]) < 3:
            await asyncio.sleep(0.01)
        rack.faults.clear()
        stop = await stopping

    assert outcomes(stop) == {"rack-0": STOPPED, "rack-1": STOPPED}
    assert confirmation(stop, "rack-1").attempts > 2


async def test_a_device_slower_than_the_first_attempt_gets_a_longer_one(home: Paths) -> None:
    rack = Rack(1)
    rack.delay = 0.4
    rack.faults["rack-0", "write"] = "slow"

    async with Lab(home, rack).client() as client:
        stop = await client.stop(deadline=4)

    assert outcomes(stop) == {"rack-0": STOPPED}
    assert confirmation(stop, "rack-0").attempts == 2


async def test_a_batch_that_was_told_and_does_not_show_it_does_not_wait_for_silent_ones(home: Paths) -> None:
    rack = Rack(3)
    rack.faults["rack-0"] = "silent"
    heard = itertools.count()

    class Forgetful(rack.batch_driver()):  # type: ignore[misc]  # made for this rack
        async def safe_many(self, devices: Sequence[Device]) -> Sequence[object]:
            next(heard)
            return [None if self.rack.fault(item.device_id, "write") else True for item in devices]

    rack.values["rack-1", "LEVEL"] = 700
    lab = Lab(home, rack)
    lab.registry._kinds["rack"] = Forgetful
    async with lab.client() as client:
        stop = await client.stop(deadline=3)

    assert next(heard) == 1
    assert not outcomes(stop)["rack-0"].confirmed
    assert (outcomes(stop)["rack-1"], outcomes(stop)["rack-2"]) == (STOPPED, STOPPED)
    assert confirmation(stop, "rack-1").elapsed_ms < 2000


async def test_devices_that_cannot_be_driven_need_no_confirmation(home: Paths) -> None:
    rack = Rack(2)
    rack.change(0, registers=(SPEED,))
    rack.change(1, registers=(SPEED, Register("HORN", 6, access="wo", safe=0)))

    async with Lab(home, rack).client() as client:
        stop = await client.stop()

    assert outcomes(stop) == {"rack-0": StopOutcome.NOT_APPLICABLE, "rack-1": STOPPED}
    assert rack.written() == [0]


async def test_quarantined_devices_and_a_read_only_context_are_stopped_too(home: Paths) -> None:
    rack = Rack(2)
    rack.change(0, quarantined=True)

    async with Lab(home, rack).client(read_only=True) as client:
        stop = await client.stop()

    assert outcomes(stop) == {"rack-0": STOPPED, "rack-1": STOPPED}


async def test_a_stop_of_some_devices_holds_those_alone(home: Paths) -> None:
    rack = Rack(3)

    async with Lab(home, rack).client() as client:
        stop = await client.stop([rack.devices[1]], scope="rack-1")
        assert (await client.change(write("rack-0"))).success
        with pytest.raises(EmergencyStopActive):
            await client.change(write("rack-1"))

    assert outcomes(stop) == {"rack-1": STOPPED}
    assert [item.device_id for item in rack.wire if item.what == "MODE"] == ["rack-1"]


async def test_a_stop_of_nobody_stops_nobody(home: Paths) -> None:
    rack = Rack(2)

    async with Lab(home, rack).client() as client:
        stop = await client.stop([], scope="state=error")
        assert (await client.change(write("rack-0"))).success
        assert await client.stops() == []

    assert stop.confirmations == ()


async def test_a_device_that_is_gone_is_latched_and_named(home: Paths) -> None:
    rack = Rack(2)
    gone = Device("rack-9", "gone", "rack")
    stranger = Device("x-1", "of another fleet", "x")

    async with Lab(home, rack).client() as client:
        stop = await client.stop([rack.devices[0], gone, stranger], scope="some")
        (standing,) = await client.stops()

    assert outcomes(stop) == {
        "rack-0": STOPPED,
        "rack-9": UNCONFIRMED,
        "x-1": UNCONFIRMED,
        "driver x": UNCONFIRMED,
    }
    assert set(standing.devices) == {"rack-0", "rack-9", "x-1"}


@pytest.mark.parametrize(
    "reason", ["", "x" * 100_000, "ends \udce4 badly", "[red]\x1b[31m\0", "emergency stop: x"]
)
async def test_any_reason_is_accepted(home: Paths, reason: str) -> None:
    async with Lab(home, Rack(1)).client() as client:
        stop = await client.stop(reason=reason)
        (standing,) = await client.stops()
        verdict = await client.audit_verify()

    assert stop.reason.startswith("emergency stop: ")
    assert stop.reason.count("emergency stop: ") == 1
    assert standing.stop_id == stop.stop_id
    assert verdict.intact


async def test_whoever_watches_a_stop_cannot_end_it(home: Paths) -> None:
    rack = Rack(5)

    def fail(item: Confirmation) -> None:
        raise BrokenPipeError("nobody reads")

    async with Lab(home, rack).client() as client:
        stop = await client.stop(report=fail)

    assert set(outcomes(stop).values()) == {STOPPED}


async def test_a_stop_that_is_interrupted_stays_latched_and_says_what_is_not_known(home: Paths) -> None:
    rack = Rack(3)
    rack.faults["rack-1"] = "silent"

    async with Lab(home, rack).client() as client:
        stopping = asyncio.create_task(client.stop(deadline=60))
        while ("open", "rack-1") not in rack.asked:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        stopping.cancel()
        await asyncio.wait([stopping])
        (standing,) = await client.stops()
        (outcome, intent) = await client.audit(HistoryQuery())

    assert stopping.cancelled()
    assert standing.unconfirmed == ("rack-1",)
    assert (intent.outcome, outcome.outcome) == ("INTENT", "FAILED")
    assert outcome.parameters["unconfirmed"] == ["rack-1"]


async def test_a_driver_that_hangs_fails_or_is_gone_is_named_and_the_others_are_stopped(home: Paths) -> None:
    hanging, failing, living = Rack(2, name="hanging"), Rack(2, name="failing"), Rack(2, name="living")
    hanging.discovery, failing.discovery = 60.0, RuntimeError("no bus")
    lab = Lab(home, hanging, failing, living)
    missing = Rack(1, name="missing")
    lab.context = Lab(home, hanging, failing, missing, living).context
    lab.registry._kinds["missing"] = ConfigError("driver missing needs the package canopen")

    client = lab.client()
    stop = await client.stop(deadline=0.5)
    await client.close()

    assert outcomes(stop) == {
        "driver hanging": UNCONFIRMED,
        "driver failing": UNCONFIRMED,
        "driver missing": UNCONFIRMED,
        "living-0": STOPPED,
        "living-1": STOPPED,
    }
    errors = {item.device_id: item.error for item in stop.confirmations}
    assert "did not name its devices within 0.5 s" in errors["driver hanging"]
    assert "no bus" in errors["driver failing"]
    assert "needs the package canopen" in errors["driver missing"]
    assert max(item.elapsed_ms for item in stop.confirmations if item.outcome is STOPPED) < 450


async def test_two_devices_of_one_name_are_both_stopped(home: Paths) -> None:
    one, other = Rack(1, name="one"), Rack(1, name="other")
    other.devices = [Device("one-0", "the same name", "other", one.devices[0].registers)]

    client = Lab(home, one, other).client()
    stop = await client.stop()
    await client.close()

    assert [item.outcome for item in stop.confirmations] == [STOPPED, STOPPED]
    assert {telegram.device_id for telegram in one.wire + other.wire} == {"one-0"}
    assert one.wire
    assert other.wire


async def test_a_disabled_driver_is_named_for_its_devices_were_not_reached(home: Paths) -> None:
    rack, other = Rack(1), Rack(1, name="other")
    lab = Lab(home, rack, other)
    async with lab.client() as client:
        await client.set_driver("other", enabled=False, reason="being rewired")

    async with lab.client() as client:
        stop = await client.stop()

    assert outcomes(stop) == {"rack-0": STOPPED, "driver other": UNCONFIRMED}
    assert "being rewired" in confirmation(stop, "driver other").error


async def test_damaged_switches_do_not_hold_a_stop_up(home: Paths) -> None:
    rack = Rack(2)
    home.state.mkdir(parents=True)
    home.driver_switches_file.write_text("{")

    client = Lab(home, rack).client()
    stop = await client.stop()
    await client.close()

    assert set(outcomes(stop).values()) == {STOPPED}


async def test_stops_and_releases_are_announced(home: Paths) -> None:
    async with Lab(home, Rack(1)).client() as client:
        events = client.events()
        await client.stop(reason="smoke")
        await client.release(justification=RELEASE)
        first, second = await anext(events), await anext(events)
        await events.aclose()

    assert isinstance(first, Event)
    assert isinstance(second, Event)
    assert (first.type, first.severity) == ("emergency.stop", Severity.CRITICAL)
    assert (second.type, second.severity) == ("emergency.release", Severity.WARNING)


async def test_a_write_under_way_in_another_process_is_broken_off_as_soon_as_that_sees_the_latch(
    home: Paths,
) -> None:
    rack = Rack(1)
    rack.delay = 30.0
    rack.faults["rack-0", "write"] = "slow"
    lab = Lab(home, rack)

    async with lab.client(timeout=60) as writer, lab.client() as stopper:
        writing = asyncio.create_task(writer.change(write("rack-0", value=500)))
        while ("write", "rack-0") not in rack.asked:
            await asyncio.sleep(0.01)
        rack.faults.clear()
        stop = await stopper.stop(deadline=5)
        operation = await asyncio.wait_for(writing, 10)

    assert outcomes(stop) == {"rack-0": STOPPED}
    assert operation.error_code == "EMERGENCY_STOP"
    assert 500 not in rack.written()


async def test_a_change_that_waited_for_its_turn_through_a_stop_leaves_no_intent(home: Paths) -> None:
    rack = Rack(1)

    async with Lab(home, rack).client(timeout=30) as client:
        held = await client._holds.take(["rack-0"], 1.0)
        waiting = asyncio.create_task(client.change(write("rack-0")))
        await asyncio.sleep(0.05)
        await client.stop()
        client._holds.release(held)
        with pytest.raises(EmergencyStopActive):
            await waiting
        records = await client.audit(HistoryQuery(action="device.write"))

    assert [record.outcome for record in records] == ["DENIED"]
