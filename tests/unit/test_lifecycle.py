"""The lifecycle of one device: its way to CONNECTED and back, its lock, and what passes through."""

from __future__ import annotations

import asyncio

import pytest

from dsmilctl.drivers.requirements import require_command, require_known_state
from dsmilctl.errors import DeviceBusy, EmergencyStopActive, InvalidParameter, StateUnavailable
from dsmilctl.model.device import Device, DeviceState
from dsmilctl.model.reading import Quality, Span
from tests.unit.pumps import REGISTERS, SPEED, VALVE, BatchPumps, Plant


async def test_connecting_walks_through_every_state_between() -> None:
    plant = Plant()

    await plant.lifecycle.connect(plant.pump)

    assert plant.pump.state is DeviceState.CONNECTED
    assert plant.driver.did() == ["initialize", "open"]


async def test_connecting_a_connected_device_does_nothing() -> None:
    plant = Plant()

    await plant.lifecycle.connect(plant.pump)
    await plant.lifecycle.connect(plant.pump)

    assert plant.driver.did() == ["initialize", "open"]


async def test_a_device_can_be_closed_and_opened_any_number_of_times_and_is_initialised_once() -> None:
    plant = Plant()

    for _ in range(20):
        await plant.lifecycle.connect(plant.pump)
        await plant.lifecycle.disconnect(plant.pump)

    assert plant.pump.state is DeviceState.DISCONNECTED
    assert plant.driver.did() == ["initialize", *["open", "close"] * 20]


async def test_a_device_that_was_cleaned_up_is_initialised_again() -> None:
    plant = Plant()
    await plant.lifecycle.connect(plant.pump)

    await plant.lifecycle.cleanup(plant.pump)
    await plant.lifecycle.connect(plant.pump)

    assert plant.driver.did() == ["initialize", "open", "close", "initialize", "open"]


async def test_initialising_stops_before_the_conversation() -> None:
    plant = Plant()

    await plant.lifecycle.initialize(plant.pump)

    assert plant.pump.state is DeviceState.INITIALIZED
    assert plant.driver.did() == ["initialize"]
    await plant.lifecycle.connect(plant.pump)
    assert plant.driver.did() == ["initialize", "open"]


async def test_a_step_that_the_table_does_not_know_is_refused_and_changes_nothing() -> None:
    plant = Plant()

    with pytest.raises(DeviceBusy, match="from discovered to disconnected"):
        await plant.lifecycle.disconnect(plant.pump)
    await plant.lifecycle.connect(plant.pump)
    with pytest.raises(DeviceBusy, match="from connected to initialized"):
        await plant.lifecycle.initialize(plant.pump)

    assert plant.pump.state is DeviceState.CONNECTED
    assert not plant.pump.lock.locked()


async def test_an_active_device_leaves_its_activity_before_it_is_closed() -> None:
    plant = Plant()
    await plant.lifecycle.connect(plant.pump)
    plant.lifecycle.move(plant.pump, DeviceState.ACTIVE)

    await plant.lifecycle.disconnect(plant.pump)

    assert plant.pump.state is DeviceState.DISCONNECTED
    assert plant.driver.did("close") == ["close"]


async def test_a_change_of_state_is_dated() -> None:
    plant = Plant()
    plant.clock.advance(5)

    await plant.lifecycle.connect(plant.pump)

    assert plant.pump.status.since == plant.clock.now()


async def test_reading_connects_by_itself() -> None:
    plant = Plant()

    readings = await plant.lifecycle.read(plant.pump, REGISTERS)

    assert [(reading.register, reading.value, reading.quality) for reading in readings] == [
        ("SPEED", 1200, Quality.GOOD),
        ("VALVE", 0, Quality.GOOD),
    ]
    assert plant.pump.status.last_seen == plant.clock.now()


async def test_readings_are_numbered_without_a_hole() -> None:
    plant = Plant(pumps=2)

    first = await plant.lifecycle.read(plant.pumps[0], REGISTERS)
    plant.driver.trouble["read"] = OSError
    second = await plant.lifecycle.read(plant.pumps[1], REGISTERS)

    assert [reading.sequence for reading in first + second] == [1, 2, 3, 4]


async def test_a_value_that_cannot_be_is_bad_and_says_why() -> None:
    plant = Plant()
    plant.driver.values["pump-0"] = [4_000_000_000]

    (reading,) = await plant.lifecycle.read(plant.pump, [SPEED])

    assert (reading.quality, reading.value) == (Quality.BAD, 4_000_000_000)
    assert "3000 rpm" in reading.error


async def test_an_answer_that_is_an_error_is_the_error_of_its_register_alone() -> None:
    plant = Plant()
    plant.driver.values["pump-0"] = [InvalidParameter("no register SPEED"), 7]

    speed, valve = await plant.lifecycle.read(plant.pump, REGISTERS)

    assert (speed.quality, speed.error, speed.error_code) == (
        Quality.BAD,
        "no register SPEED",
        "INVALID_PARAMETER",
    )
    assert (valve.quality, valve.value) == (Quality.GOOD, 7)
    assert plant.pump.state is DeviceState.CONNECTED


async def test_a_part_of_a_register_is_refused_by_a_driver_that_reads_whole_ones() -> None:
    plant = Plant()

    (reading,) = await plant.lifecycle.read(plant.pump, [SPEED], span=Span(4, 4))

    assert reading.error_code == "INVALID_PARAMETER"
    assert plant.driver.did("read") == []


async def test_a_change_asks_its_guard_at_the_last_moment_and_goes_no_further_when_it_refuses() -> None:
    plant = Plant()

    def latched(device: Device) -> None:
        raise EmergencyStopActive(f"{device.name} is stopped")

    for change in (
        plant.lifecycle.apply_write(plant.pump, VALVE, 1, before=latched),
        plant.lifecycle.apply_command(plant.pump, "prime", {}, before=latched),
        plant.lifecycle.apply_reset(plant.pump, before=latched),
    ):
        with pytest.raises(EmergencyStopActive):
            await change

    assert plant.driver.did("write", "prime", "reset") == []
    assert plant.pump.state is DeviceState.CONNECTED
    assert plant.pump.failures == 0
    assert plant.events == []


async def test_a_change_is_carried_out_and_counted() -> None:
    plant = Plant()

    await plant.lifecycle.apply_write(plant.pump, VALVE, 1)
    answer = await plant.lifecycle.apply_command(plant.pump, "prime", {})
    await plant.lifecycle.apply_reset(plant.pump)
    await plant.lifecycle.apply_safe_state(plant.pump)

    assert answer == "primed"
    assert plant.driver.did() == ["initialize", "open", "write", "prime", "reset", "write"]
    assert plant.pump.statistics.writes == 3


@pytest.mark.parametrize("refusal", [InvalidParameter("out of range"), StateUnavailable("disk full")])
async def test_a_refusal_of_the_driver_is_no_failure_of_the_device(refusal: Exception) -> None:
    plant = Plant()
    plant.driver.trouble["write"] = lambda: refusal

    with pytest.raises(type(refusal)):
        await plant.lifecycle.apply_write(plant.pump, VALVE, 1)

    assert plant.pump.state is DeviceState.CONNECTED
    assert plant.events == []


async def test_two_requests_to_one_device_wait_for_each_other() -> None:
    plant = Plant()
    plant.driver.hanging = {"write"}
    await plant.lifecycle.connect(plant.pump)

    writing = asyncio.create_task(plant.lifecycle.apply_write(plant.pump, VALVE, 1))
    reading = asyncio.create_task(plant.lifecycle.read(plant.pump, [SPEED]))
    await asyncio.sleep(0.01)
    before = plant.driver.did("write", "read")
    plant.driver.release.set()
    await asyncio.gather(writing, reading)

    assert before == ["write"]
    assert plant.driver.did("write", "read") == ["write", "read"]


async def test_a_device_that_is_held_for_the_whole_deadline_is_busy_not_broken() -> None:
    plant = Plant()
    plant.driver.hanging = {"write"}
    holder = asyncio.create_task(plant.lifecycle.apply_write(plant.pump, VALVE, 1, 30))
    await asyncio.sleep(0.01)

    (reading,) = await plant.lifecycle.read(plant.pump, [SPEED], deadline=0.02)
    with pytest.raises(DeviceBusy, match="pump-0 is busy"):
        await plant.lifecycle.disconnect(plant.pump, 0.02)
    plant.driver.release.set()
    await holder

    assert reading.error_code == "DEVICE_BUSY"
    assert plant.pump.state is DeviceState.CONNECTED
    assert plant.pump.failures == 0


async def test_a_stop_does_not_wait_for_whoever_holds_the_device() -> None:
    plant = Plant()
    plant.driver.hanging = {"read"}
    reading = asyncio.create_task(plant.lifecycle.read(plant.pump, [SPEED]))
    await asyncio.sleep(0.01)

    await plant.lifecycle.apply_safe_state(plant.pump, 1.0)

    assert plant.driver.did("read", "write") == ["read", "write"]
    plant.driver.release.set()
    await reading


async def test_a_stop_while_the_device_is_being_connected_disturbs_neither() -> None:
    plant = Plant()
    plant.driver.hanging = {"open"}
    connecting = asyncio.create_task(plant.lifecycle.connect(plant.pump))
    stopping = asyncio.create_task(plant.lifecycle.apply_safe_state(plant.pump))
    await asyncio.sleep(0.01)

    plant.driver.release.set()
    await asyncio.gather(connecting, stopping)

    assert plant.pump.state is DeviceState.CONNECTED
    assert plant.driver.did("write") == ["write"]
    assert plant.events == []


async def test_a_request_that_is_cancelled_leaves_the_device_usable() -> None:
    plant = Plant()
    for verb in ("initialize", "open", "read"):
        plant.driver.hanging = {verb}
        reading = asyncio.create_task(plant.lifecycle.read(plant.pump, [SPEED]))
        await asyncio.sleep(0.01)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    plant.driver.hanging = set()

    (reading_after,) = await plant.lifecycle.read(plant.pump, [SPEED], deadline=1.0)

    assert reading_after.good
    assert plant.driver.did() == ["initialize", "initialize", "open", "open", "read", "read"]


async def test_a_batch_of_plain_devices_is_one_question_and_needs_no_conversation() -> None:
    plant = Plant(BatchPumps(), pumps=3)

    readings = await plant.lifecycle.read_many([(pump, [SPEED]) for pump in plant.pumps])

    assert [reading.device_id for (reading,) in readings] == ["pump-0", "pump-1", "pump-2"]
    assert plant.driver.did() == ["read_many"] * 3
    assert {pump.state for pump in plant.pumps} == {DeviceState.CONNECTED}


async def test_a_batch_skips_a_device_that_has_to_be_connected_first() -> None:
    plant = Plant(BatchPumps(), pumps=2)
    await plant.lifecycle.connect(plant.pumps[1])
    await plant.lifecycle.disconnect(plant.pumps[1])
    plant.driver.calls.clear()

    readings = await plant.lifecycle.read_many([(pump, [SPEED]) for pump in plant.pumps])

    assert [reading.good for (reading,) in readings] == [True, True]
    assert plant.driver.calls == [("read_many", "pump-0"), ("open", "pump-1"), ("read", "pump-1")]


async def test_a_driver_without_batches_is_asked_device_by_device() -> None:
    plant = Plant(pumps=3)

    readings = await plant.lifecycle.read_many([(pump, [SPEED]) for pump in plant.pumps])

    assert len(readings) == 3
    assert plant.driver.did("read") == ["read"] * 3
    assert await plant.lifecycle.apply_safe_many(plant.pumps) == [None, None, None]


async def test_a_command_that_a_driver_does_not_declare_is_refused_with_the_nearest_one() -> None:
    plant = Plant()

    require_command(plant.pump, "prime")
    with pytest.raises(InvalidParameter, match="no command 'prme'") as refusal:
        require_command(plant.pump, "prme")

    assert refusal.value.hint == "Did you mean prime?"


async def test_a_device_that_was_never_discovered_is_refused() -> None:
    plant = Plant()
    require_known_state(plant.pump)
    plant.pump.state = DeviceState.UNKNOWN

    with pytest.raises(DeviceBusy, match="was not discovered"):
        require_known_state(plant.pump)
    with pytest.raises(DeviceBusy, match="from unknown to initialized"):
        await plant.lifecycle.connect(plant.pump)

    assert plant.driver.did() == []
