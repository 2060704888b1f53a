"""The simulated devices: who they are, what they answer, what they take and what they refuse."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dsmilctl.drivers.sim.options import SimOptions
from dsmilctl.drivers.sim.roster import device_id_of, index_of
from dsmilctl.errors import DSMILError, InvalidParameter
from dsmilctl.model.device import Device, Risk
from dsmilctl.model.reading import Quality, Span, judge
from dsmilctl.model.register import Register
from dsmilctl.testing.clock import StandingClock
from tests.drivers.simulators import CONFIG, DATA, STATUS, TEMP, one, simulator, values

QUARANTINED = [0x8009, 0x800A, 0x800B, 0x8019, 0x8029]


async def test_the_84_devices_of_the_dense_layout_are_numbered_without_a_gap(tmp_path: Path) -> None:
    devices = await simulator(tmp_path).discover()

    assert [device.device_id for device in devices] == list(range(0x8000, 0x8054))
    assert [device.device_id for device in devices if device.quarantined] == QUARANTINED
    assert len({device.name for device in devices}) == 84


async def test_the_nibble_layout_leaves_four_ids_between_two_groups(tmp_path: Path) -> None:
    devices = await simulator(tmp_path, layout="nibble").discover()

    ids = [device.device_id for device in devices]
    assert ids == [0x8000 + 16 * group + index for group in range(7) for index in range(12)]
    assert ids[-1] == 0x806B
    assert [device.device_id for device in devices if device.quarantined] == QUARANTINED


@pytest.mark.parametrize("layout", ["dense", "nibble"])
async def test_groups_and_risks_fit_the_facts(tmp_path: Path, layout: str) -> None:
    devices = await simulator(tmp_path, layout=layout).discover()

    groups = ["core", "security", "network", "processing", "storage", "peripheral", "training"]
    assert [device.group for device in devices] == [group for group in groups for _ in range(12)]
    assert {device.risk for device in devices if device.group == "core"} == {Risk.CRITICAL}
    assert {device.risk for device in devices if device.group == "training"} == {Risk.LOW}


async def test_a_device_tells_what_a_person_wants_to_know_of_it(tmp_path: Path) -> None:
    wipe = await one(simulator(tmp_path), 0x8009)

    assert (wipe.name, wipe.shown_id, wipe.driver) == ("Emergency Wipe Controller", "0x8009", "sim")
    assert (wipe.default_register, wipe.key_registers) == ("STATUS", ("TEMP", "VOLTAGE"))
    assert dict(wipe.facts) == {
        "model": "DSMIL (simulated)",
        "firmware": "5.2.0",
        "position": "group 0 (Core Security & Emergency), device 9",
    }


async def test_fewer_devices_are_the_first_ones(tmp_path: Path) -> None:
    assert [device.device_id for device in await simulator(tmp_path, devices=3).discover()] == [
        0x8000,
        0x8001,
        0x8002,
    ]


@pytest.mark.parametrize("layout", ["dense", "nibble"])
async def test_beyond_84_the_pattern_of_groups_and_risks_repeats_under_other_names(
    tmp_path: Path, layout: str
) -> None:
    devices = await simulator(tmp_path, devices=10_000, layout=layout).discover()

    assert len({device.device_id for device in devices}) == len({device.name for device in devices}) == 10_000
    assert all(known.device_id < more.device_id for known, more in pairwise(devices))  # type: ignore[operator]  # they are numbers
    for known, repeated in zip(devices, devices[84:168], strict=False):
        assert (repeated.group, repeated.risk) == (known.group, known.risk)
        assert repeated.name == f"{known.name} (rack 2)"
    assert [device.device_id for device in devices if device.quarantined] == QUARANTINED


@pytest.mark.parametrize("layout", ["dense", "nibble"])
def test_an_id_and_its_place_in_the_roster_are_found_from_each_other(layout: Any) -> None:
    assert [index_of(device_id_of(index, layout), layout) for index in range(100_000)] == list(range(100_000))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"devices": 0}, "devices"),
        ({"devices": 1_000_001}, "devices"),
        ({"layout": "wide"}, "layout"),
        ({"period": 0}, "period"),
        ({"device": 84}, "device"),
        ({"faults": "silent:@all"}, "faults"),
    ],
)
def test_options_that_cannot_be_are_refused_by_name(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=problem):
        msgspec.convert(options, SimOptions)


async def test_every_register_answers_in_its_own_terms(tmp_path: Path) -> None:
    driver = simulator(tmp_path)

    for device in await driver.discover():
        status, config, data, temperature, voltage, error = await values(driver, device)
        assert status & 1
        assert config == 3
        assert 0 <= data <= 0xFFFF
        assert 10 <= temperature <= 90
        assert 10 <= voltage <= 50
        assert error == 0


async def test_a_batch_answers_the_same_as_single_questions(tmp_path: Path) -> None:
    driver = simulator(tmp_path, devices=500, faults=("wrong:*/7",))
    devices = await driver.discover()

    batch = await driver.read_many([(device, device.registers) for device in devices])

    assert [list(answers or ()) for answers in batch] == [await values(driver, device) for device in devices]


async def test_a_batch_may_ask_every_device_something_else(tmp_path: Path) -> None:
    driver = simulator(tmp_path)
    first, second, *_ = await driver.discover()

    batch = await driver.read_many([(first, (TEMP,)), (second, (DATA, TEMP)), (first, [CONFIG])])

    temperature, data_and_temperature, config = batch
    assert list(temperature or ()) == await values(driver, first, "TEMP")
    assert list(data_and_temperature or ()) == await values(driver, second, "DATA", "TEMP")
    assert list(config or ()) == [3]


async def test_an_unknown_register_is_refused_beside_good_answers(tmp_path: Path) -> None:
    driver = simulator(tmp_path)
    device = await one(driver)

    good, bad = await driver.read(device, [TEMP, Register("HUMIDITY", 9)])

    assert isinstance(good, int)
    assert isinstance(bad, InvalidParameter)
    assert "TEMP" in bad.hint


async def test_a_device_of_another_driver_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match="boiler-1 is not a simulated device"):
        await simulator(tmp_path).read(Device("boiler-1", "Boiler", "modbus"), [TEMP])


@pytest.mark.parametrize(
    ("span", "value"),
    [(Span(0, 4), 0x1234_5678), (Span(0, 1), 0x78), (Span(1, 2), 0x3456), (Span(3, 1), 0x12)],
)
async def test_a_part_of_a_register_is_its_bytes_little_endian(
    tmp_path: Path, span: Span, value: int
) -> None:
    driver = simulator(tmp_path)
    device = await one(driver)
    await driver.write(device, CONFIG, 0x1234_5678)

    assert await driver.read(device, [CONFIG], span) == [value]


async def test_a_block_has_64_bytes_that_stay_and_overlap_as_bytes_do(tmp_path: Path) -> None:
    driver = simulator(tmp_path)
    device = await one(driver)

    block = [(await driver.read(device, [DATA], Span(at, 1)))[0] for at in range(64)]
    (word,) = await driver.read(device, [DATA], Span(17, 4))

    assert word == int.from_bytes(bytes(block[17:21]), "little")  # type: ignore[arg-type]  # bytes are whole numbers
    assert len(set(block)) > 16
    assert await driver.read(device, [DATA], Span(17, 4)) == [word]


@pytest.mark.parametrize(
    ("register", "span", "words"),
    [
        (CONFIG, Span(0, 5), "at most 4 bytes"),
        (CONFIG, Span(0, 0), "at most 4 bytes"),
        (CONFIG, Span(61, 4), "0 … 60"),
        (CONFIG, Span(-1, 4), "0 … 60"),
        (STATUS, Span(4, 4), "0 … 0"),
    ],
)
async def test_a_part_outside_of_the_register_is_refused_with_what_is_inside(
    tmp_path: Path, register: Register, span: Span, words: str
) -> None:
    driver = simulator(tmp_path)

    with pytest.raises(InvalidParameter) as refusal:
        await driver.read(await one(driver), [register], span)

    assert words in refusal.value.hint


async def test_a_part_of_an_unknown_register_is_refused_too(tmp_path: Path) -> None:
    driver = simulator(tmp_path)

    (answer,) = await driver.read(await one(driver), [Register("HUMIDITY", 9)], Span(0, 4))

    assert isinstance(answer, InvalidParameter)


@pytest.mark.parametrize("register", [STATUS, TEMP], ids=lambda register: register.name)
async def test_a_register_that_is_measured_cannot_be_written(tmp_path: Path, register: Register) -> None:
    driver = simulator(tmp_path)

    with pytest.raises(InvalidParameter, match="read-only"):
        await driver.write(await one(driver), register, 1)


@pytest.mark.parametrize("value", [-1, 2**32, 1.5, "1", True])
async def test_a_value_that_no_register_holds_is_refused(tmp_path: Path, value: Any) -> None:
    driver = simulator(tmp_path)

    with pytest.raises(InvalidParameter):
        await driver.write(await one(driver), CONFIG, value)

    assert await values(driver, await one(driver), "CONFIG") == [3]


async def test_the_safe_state_is_maintenance_and_no_data(tmp_path: Path) -> None:
    driver = simulator(tmp_path)
    device = await one(driver)

    await driver.safe_state(device)

    assert await values(driver, device, "STATUS", "CONFIG", "DATA") == [0, 0x8000_0000, 0]


async def test_a_batch_stop_drives_every_device_to_what_a_single_stop_does(tmp_path: Path) -> None:
    driver = simulator(tmp_path, devices=300)
    devices = await driver.discover()

    assert set(await driver.safe_many(devices)) == {True}

    for device in devices:
        status, config, data = await values(driver, device, "STATUS", "CONFIG", "DATA")
        assert (status & 1, config, data) == (0, 0x8000_0000, 0)


async def test_a_batch_stop_of_nothing_is_nothing(tmp_path: Path) -> None:
    assert await simulator(tmp_path).safe_many([]) == []
    assert list(tmp_path.iterdir()) == []


async def test_a_wrong_device_answers_what_cannot_be_and_is_not_believed(tmp_path: Path) -> None:
    driver = simulator(tmp_path, faults=("wrong:0x8001",))
    good, wrong, *_ = await driver.discover()

    for device, quality in ((good, Quality.GOOD), (wrong, Quality.BAD)):
        answers = dict(zip(device.registers, await values(driver, device), strict=True))
        for register in device.registers:
            if register.name in ("TEMP", "VOLTAGE"):
                answer = answers[register]
                assert not isinstance(answer, DSMILError)
                assert judge(register, answer)[0] is quality
    status, error = await values(driver, wrong, "STATUS", "ERROR")
    assert status & 0x8000_0000
    assert error


async def test_a_wrong_device_still_takes_what_is_written_and_can_be_stopped(tmp_path: Path) -> None:
    driver = simulator(tmp_path, faults=("wrong:@all",))
    device = await one(driver)

    await driver.write(device, DATA, 5)
    written = await values(driver, device, "DATA")
    stopped = await driver.safe_many([device])

    assert (written, stopped) == ([5], [True])
    assert await values(driver, device, "CONFIG", "DATA") == [0x8000_0000, 0]


async def test_without_persistence_what_is_written_is_kept_in_memory_and_no_file_is_made(
    tmp_path: Path,
) -> None:
    driver = simulator(tmp_path, persist=False)
    device = await one(driver)

    await driver.write(device, DATA, 5)

    assert await values(driver, device, "DATA") == [5]
    assert await driver.forget() == 1
    assert await values(driver, device, "DATA") != [5]
    assert list(tmp_path.iterdir()) == []


async def test_a_clock_that_jumps_back_gives_the_values_of_then(tmp_path: Path) -> None:
    clock = StandingClock()
    driver = simulator(tmp_path, clock)
    device = await one(driver)
    before = await values(driver, device)

    clock.set_now(clock.now() + 3600 * 10**9)
    later = await values(driver, device)
    clock.set_now(clock.now() - 3600 * 10**9)

    assert later != before
    assert await values(driver, device) == before
