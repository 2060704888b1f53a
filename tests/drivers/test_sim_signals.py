"""The signals of the simulator: the same for everyone, plausible, and moved by what is done to a device."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from statistics import correlation, mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmilctl.clock import NANOSECONDS
from dsmilctl.drivers.sim.kept import Kept
from dsmilctl.drivers.sim.registers import HOT, MAINTENANCE
from dsmilctl.drivers.sim.signals import Signals
from dsmilctl.testing.clock import START, StandingClock
from tests.drivers.simulators import CONFIG, TEMP, elsewhere, one, simulator, values

MOMENT = START / NANOSECONDS

READ_ELSEWHERE = """
import asyncio, json, sys
from pathlib import Path
from dsmilctl.testing.clock import StandingClock
from tests.drivers.simulators import simulator, values

async def main():
    clock = StandingClock(int(sys.argv[2]))
    driver = simulator(Path(sys.argv[1]), clock, seed=5, devices=200)
    print(json.dumps([await values(driver, device) for device in await driver.discover()]))

asyncio.run(main())
"""


def signals(seed: int = 0, period: float = 1.0, kept: Kept | None = None) -> Signals:
    return Signals(seed, period, "dense", lambda device_id: kept)


async def test_two_processes_see_the_same_values_at_the_same_moment(tmp_path: Path) -> None:
    clock = StandingClock(START + 123_456_789_000)
    here = simulator(tmp_path, clock, seed=5, devices=200)

    there = elsewhere(READ_ELSEWHERE, tmp_path, clock.now())

    assert there == [await values(here, device) for device in await here.discover()]


def test_another_seed_is_another_fleet() -> None:
    one_fleet = [signals(1).state(0x8000 + number, MOMENT) for number in range(84)]
    other = [signals(2).state(0x8000 + number, MOMENT) for number in range(84)]

    same = sum(left == right for left, right in zip(one_fleet, other, strict=True))
    assert same < 5


@given(
    st.integers(), st.integers(0x8000, 0x8000 + 10**6), st.floats(0, 4e9), st.sampled_from([0.1, 1.0, 10.0])
)
def test_at_any_moment_any_device_of_any_fleet_is_plausible(
    seed: int, device_id: int, moment: float, period: float
) -> None:
    status, config, data, temperature, voltage, error = signals(seed, period).state(device_id, moment)

    assert 20 <= temperature <= 100
    assert 10 <= voltage <= 50
    assert (config, data >> 16) == (3, 0)
    assert bool(status & 0x4000_0000) == (temperature >= HOT)
    assert bool(status & 0x8000_0000) == bool(error)


def test_a_devices_temperature_moves_slowly_and_not_at_random() -> None:
    fleet = signals()
    course = [fleet.state(0x8020, MOMENT + second)[3] for second in range(600)]

    assert max(course) - min(course) >= 5
    assert all(abs(after - before) <= 5 for before, after in pairwise(course))


def test_devices_of_a_group_grow_warm_together_and_their_supply_sags() -> None:
    fleet = signals()
    seconds = range(0, 3600, 5)
    first = [fleet.state(0x8018, MOMENT + second) for second in seconds]
    second_ = [fleet.state(0x801A, MOMENT + second) for second in seconds]

    assert correlation([state[3] for state in first], [state[3] for state in second_]) > 0.8
    assert correlation([state[3] for state in first], [state[4] for state in first]) < -0.5


def test_a_few_devices_grow_hot_now_and_then_and_warn() -> None:
    fleet = signals()
    states = [
        fleet.state(0x8000 + number, MOMENT + minute * 60) for number in range(84) for minute in range(120)
    ]

    hot = mean(state[3] >= HOT for state in states)
    assert 0 < hot < 0.02


@pytest.mark.parametrize("period", [1.0, 10.0])
def test_devices_take_turns_to_change_and_each_has_one_turn_in_a_period(period: float) -> None:
    fleet = signals(period=period)
    for number in range(1000):
        fleet.state(0x8000 + number, MOMENT)
    slots = [[character.slot for character in fleet._characters.values()]]
    for second in range(1, 11):
        for number in range(1000):
            fleet.state(0x8000 + number, MOMENT + second)
        slots.append([character.slot for character in fleet._characters.values()])

    turns = [sum(a != b for a, b in zip(before, after, strict=True)) for before, after in pairwise(slots)]
    assert sum(turns) == 1000 * 10 / period
    assert all(abs(count - 1000 / period) <= 20 for count in turns)


def test_between_its_turns_a_device_holds_its_values() -> None:
    fleet = signals(period=10.0)
    states = [fleet.state(0x8000, MOMENT + tenth / 10) for tenth in range(100)]

    assert len(set(states)) <= 2


async def test_a_device_in_maintenance_cools_down_to_ambient_and_warms_up_again(tmp_path: Path) -> None:
    clock = StandingClock()
    driver = simulator(tmp_path, clock)
    device = await one(driver, 0x8039)
    (warm,) = await values(driver, device, "TEMP")

    await driver.write(device, CONFIG, MAINTENANCE)
    course = await temperatures(driver, clock, device.device_id)
    await driver.command(device, "activate", {})
    back = await temperatures(driver, clock, device.device_id)

    assert abs(course[0] - warm) <= 5
    assert course[-1] <= 26
    assert all(after - before <= 3 for before, after in pairwise(course))
    assert abs(back[0] - course[-1]) <= 5
    assert back[-1] >= 35


async def temperatures(driver: object, clock: StandingClock, device_id: object) -> list[int]:
    """The temperature of a device over ten minutes."""
    fleet = driver._signals  # type: ignore[attr-defined]  # the course of time is quicker told without the driver
    course = []
    for _ in range(60):
        course.append(fleet.state(device_id, clock.now() / NANOSECONDS)[3])
        clock.advance(10)
    return course


def test_a_stopped_device_draws_no_load() -> None:
    idle = Kept(config=MAINTENANCE, since=START - 3600 * NANOSECONDS)
    states = [signals(kept=idle).state(0x8000 + number, MOMENT) for number in range(84)]

    assert {state[4] for state in states} == {12, 24, 48}
    assert all(22 <= state[3] <= 26 for state in states)


def test_a_writing_that_says_nothing_of_service_leaves_the_signals_alone() -> None:
    written = signals(kept=Kept(data=7)).state(0x8000, MOMENT)
    plain = signals().state(0x8000, MOMENT)

    assert written[3:] == plain[3:]
    assert (written[0], written[2]) == (plain[0], 7)


async def test_a_written_value_shows_at_once_within_the_same_moment(tmp_path: Path) -> None:
    driver = simulator(tmp_path)
    device = await one(driver)
    await values(driver, device)

    for value in (1, 2, 3):
        await driver.write(device, CONFIG, value)
        assert await values(driver, device, "CONFIG") == [value]


async def test_temperature_is_a_whole_number_of_degrees(tmp_path: Path) -> None:
    driver = simulator(tmp_path)

    (answer,) = await driver.read(await one(driver), [TEMP])

    assert type(answer) is int
