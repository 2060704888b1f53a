"""Faults on demand: what a fault's text means, and how a device with it behaves through the lifecycle."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmilctl.drivers.lifecycle import Lifecycle
from dsmilctl.drivers.managed import Managed, Reconnect
from dsmilctl.drivers.sim import SimDriver
from dsmilctl.drivers.sim.faults import ARGUMENTS, Fault, Faults, parse_fault
from dsmilctl.drivers.sim.options import Layout
from dsmilctl.drivers.sim.roster import device_id_of
from dsmilctl.errors import InvalidParameter, NetworkError, OperationTimeout
from dsmilctl.model.device import DeviceState
from dsmilctl.model.event import Event
from dsmilctl.testing.clock import StandingClock
from tests.drivers.simulators import CONFIG, TEMP, simulator


class Fleet:
    """Simulated devices behind the lifecycle, and the events that it announced."""

    def __init__(self, state: Path, clock: StandingClock | None = None, **options: Any) -> None:
        self.clock = clock or StandingClock()
        self.events: list[Event] = []
        self.driver: SimDriver = simulator(state, self.clock, **options)
        self.lifecycle = Lifecycle(
            clock=self.clock, reconnect=Reconnect(first=1.0, jitter=0.0), announce=self.events.append
        )
        self.devices: dict[int | str, Managed] = {}

    async def discover(self) -> list[Managed]:
        devices = [Managed(device, self.driver, self.clock.now()) for device in await self.driver.discover()]
        self.devices = {managed.device.device_id: managed for managed in devices}
        return devices


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("silent:0x8003", Fault("silent", 0.0, 0x8003, 0x8003)),
        ("silent:32771", Fault("silent", 0.0, 0x8003, 0x8003)),
        ("disconnect:0x8003-0x8007", Fault("disconnect", 0.0, 0x8003, 0x8007)),
        ("wrong:0x8003..0x8007", Fault("wrong", 0.0, 0x8003, 0x8007)),
        ("slow:@all:0.5", Fault("slow", 0.5)),
        ("flapping:*/10:3", Fault("flapping", 3.0, step=10)),
    ],
)
def test_a_fault_is_a_kind_devices_and_perhaps_seconds(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault


@pytest.mark.parametrize(
    ("text", "why", "hint"),
    [
        ("slient:@all", "no fault 'slient'", "Did you mean silent?"),
        ("quiet", "no fault 'quiet'", "silent:SEL"),
        ("silent", "'' names no devices", "*/10"),
        ("silent:", "'' names no devices", "*/10"),
        ("silent:boiler-1", "'boiler-1' names no devices", "*/10"),
        ("silent:*/0", "names no device", "*/10"),
        ("silent:0x8007-0x8003", "reversed", "lower id first"),
        ("silent:@all:5", "takes no argument", "write silent:SEL"),
        ("slow:@all", "positive number of seconds", "write slow:SEL:SECONDS"),
        ("slow:@all:soon", "positive number of seconds", "write slow:SEL:SECONDS"),
        ("slow:@all:nan", "positive number of seconds", "write slow:SEL:SECONDS"),
        ("flapping:@all:-1", "positive number of seconds", "write flapping:SEL:PERIOD"),
    ],
)
def test_a_fault_that_cannot_be_is_refused_with_what_would_be_right(text: str, why: str, hint: str) -> None:
    with pytest.raises(InvalidParameter) as refusal:
        parse_fault(text)

    assert why in refusal.value.message
    assert text in refusal.value.message
    assert hint in refusal.value.hint


@given(st.text() | st.from_regex(r"(silent|slow):(0x)?[0-9a-f]{0,30}(-[0-9]{0,30})?(:.*)?", fullmatch=True))
def test_no_text_whatever_raises_anything_but_our_error(text: str) -> None:
    try:
        fault = parse_fault(text)
    except InvalidParameter:
        return
    assert fault.kind in ARGUMENTS


def test_a_simulator_with_a_wrong_fault_is_refused_when_it_is_made(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match="no fault"):
        simulator(tmp_path, faults=("loud:@all",))


@pytest.mark.parametrize("layout", ["dense", "nibble"])
def test_every_tenth_device_is_every_tenth_in_the_order_of_the_fleet(layout: Layout) -> None:
    faults = Faults(["silent:*/10"], layout)

    met = [index for index in range(84) if faults.of(device_id_of(index, layout))]

    assert met == [9, 19, 29, 39, 49, 59, 69, 79]


def test_of_two_faults_on_one_device_the_first_counts() -> None:
    faults = Faults(["slow:0x8003:2", "silent:@all"], "dense")

    assert [fault.kind for fault in (faults.of(0x8003), faults.of(0x8004)) if fault] == ["slow", "silent"]


async def test_a_silent_device_times_out_and_the_next_one_answers(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, faults=("silent:0x8001",))
    first, silent, *_ = await fleet.discover()

    readings = await fleet.lifecycle.read_many([(first, [TEMP]), (silent, [TEMP])], deadline=0.05)

    assert readings[0][0].good
    assert readings[1][0].error_code == "TIMEOUT"
    assert silent.state is DeviceState.ERROR
    assert [event.device_id for event in fleet.events] == [0x8001]


@pytest.mark.parametrize("verb", ["write", "command", "reset", "safe_state"])
async def test_a_silent_device_answers_no_change_either(tmp_path: Path, verb: str) -> None:
    fleet = Fleet(tmp_path, faults=("silent:0x8000",))
    device, *_ = await fleet.discover()
    change: dict[str, Callable[[], Awaitable[object]]] = {
        "write": lambda: fleet.lifecycle.apply_write(device, CONFIG, 1, 0.05),
        "command": lambda: fleet.lifecycle.apply_command(device, "activate", {}, 0.05),
        "reset": lambda: fleet.lifecycle.apply_reset(device, 0.05),
        "safe_state": lambda: fleet.lifecycle.apply_safe_state(device, 0.05),
    }

    with pytest.raises(OperationTimeout):
        await change[verb]()

    assert not (tmp_path / "sim.json").exists()


async def test_a_slow_device_answers_late_and_within_a_longer_deadline(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, faults=("slow:0x8000:0.1",))
    device, *_ = await fleet.discover()

    (hasty,) = await fleet.lifecycle.read(device, [TEMP], deadline=0.02)
    (patient,) = await fleet.lifecycle.read(device, [TEMP], deadline=10.0)

    assert hasty.error_code == "TIMEOUT"
    assert patient.good


async def test_a_disconnected_device_refuses_to_be_opened(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, faults=("disconnect:0x8000",))
    device, *_ = await fleet.discover()

    with pytest.raises(NetworkError, match="0x8000"):
        await fleet.lifecycle.connect(device)
    (reading,) = await fleet.lifecycle.read(device, [TEMP])

    assert reading.error_code == "NETWORK_ERROR"
    assert device.state is DeviceState.ERROR


async def test_a_flapping_device_fails_and_works_by_the_clock_and_each_turn_is_told_once(
    tmp_path: Path,
) -> None:
    clock = StandingClock(0)
    fleet = Fleet(tmp_path, clock, faults=("flapping:0x8000:10",))
    device, *_ = await fleet.discover()

    good = []
    for _ in range(40):
        ((reading,),) = await fleet.lifecycle.read_many([(device, [TEMP])])
        good.append(reading.good)
        clock.advance(1)

    assert good == [*[False] * 10, *[True] * 10] * 2
    messages = [event.message for event in fleet.events]
    assert len(messages) == 4
    assert messages[1] == messages[3] == "0x8000 answers again after 10 failures"


async def test_of_a_batch_the_faulty_are_left_to_be_asked_on_their_own(tmp_path: Path) -> None:
    faults = ("silent:0x8000", "slow:0x8001:1", "disconnect:0x8002", "wrong:0x8003", "flapping:0x8004:1")
    driver = simulator(tmp_path, StandingClock(0), faults=faults)
    devices = (await driver.discover())[:6]

    reads = await driver.read_many([(device, (TEMP,)) for device in devices])
    stops = await driver.safe_many(devices)

    assert [answer is None for answer in reads] == [True, True, True, False, True, False]
    assert stops == [None, None, None, True, None, True]


async def test_ten_thousand_devices_of_which_a_thousand_are_dead_delay_nobody(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, devices=10_000, faults=("silent:*/10",))
    devices = await fleet.discover()
    loop = asyncio.get_running_loop()

    begun = loop.time()
    readings = await fleet.lifecycle.read_many([(device, (TEMP,)) for device in devices], deadline=0.5)
    took = loop.time() - begun

    dead = [device.device.device_id for device in devices if device.state is DeviceState.ERROR]
    assert dead == [0x8000 + index for index in range(10_000) if (index + 1) % 10 == 0]
    assert sum(reading.good for (reading,) in readings) == 9000
    assert [reading.device_id for (reading,) in readings] == [0x8000 + index for index in range(10_000)]
    assert len(fleet.events) == 1000
    assert took < 5


async def test_the_living_of_a_fleet_are_stopped_while_the_dead_are_still_asked(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, devices=10_000, faults=("silent:*/10",))
    devices = await fleet.discover()

    answers = await fleet.lifecycle.apply_safe_many(devices)

    assert (answers.count(True), answers.count(None)) == (9000, 1000)
    living = [device for device, answer in zip(devices, answers, strict=True) if answer]
    readings = await fleet.lifecycle.read_many([(device, (CONFIG,)) for device in living])
    assert {reading.value for (reading,) in readings} == {0x8000_0000}
