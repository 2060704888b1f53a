"""The past of simulated devices: the signals of that time, with failures planted in it."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmilctl.clock import NANOSECONDS
from dsmilctl.drivers.contract import Answer, DriverContext
from dsmilctl.drivers.sim.driver import SimDriver
from dsmilctl.drivers.sim.failures import DURATIONS, FLAP, HOUR, WEEK, Failure, planted
from dsmilctl.drivers.sim.options import SimOptions
from dsmilctl.drivers.sim.registers import ERROR_BIT, OVER_TEMPERATURE, REGISTERS, WARNING_BIT
from dsmilctl.errors import NetworkError
from dsmilctl.model.device import Device

NOW = 1_795_219_200 * NANOSECONDS
"""2026-11-21 00:00 UTC."""

DAY = 24 * HOUR
TABLE = {register.name: register for register in REGISTERS}


class Moving:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> int:
        """Where it stands."""
        return self.time

    def monotonic(self) -> float:
        """The same in seconds."""
        return self.time / NANOSECONDS


def driver(folder: Path, clock: Moving, **options: object) -> SimDriver:
    """A simulator that looks back 30 days."""
    settings = SimOptions(**{"past_days": 30, "persist": False} | options)  # type: ignore[arg-type] # mixed
    return SimDriver(settings, DriverContext(folder, clock, logging.getLogger("test")))


def device(number: int) -> Device:
    """A device with the registers of all."""
    return Device(number, "one", "sim", REGISTERS)


def past(
    simulator: SimDriver, number: int, register: str, since: int, until: int
) -> list[tuple[int, Answer]]:
    """What a register held."""
    return list(simulator.past(device(number), TABLE[register], since, until))


def failures(kind: str, seed: int = 0) -> list[Failure]:
    """The failures of a kind that lie wholly within the 30 days."""
    found = planted(seed, 84, "dense", NOW - 30 * DAY, NOW)
    return [item for item in found if item.kind == kind and item.begin > NOW - 30 * DAY and item.end < NOW]


def untouched(number: int, since: int, until: int) -> bool:
    """Whether no failure of the device lies in a stretch."""
    return all(item.device_id != number for item in planted(0, 84, "dense", since, until))


@pytest.mark.parametrize("register", ["STATUS", "CONFIG", "DATA", "TEMP", "VOLTAGE", "ERROR"])
async def test_the_past_is_what_a_reader_of_that_time_would_have_met(tmp_path: Path, register: str) -> None:
    simulator, clock = driver(tmp_path, Moving()), Moving()
    reader = driver(tmp_path, clock)
    compared = 0
    for number in (0x8000, 0x8017, 0x8044):
        for days in (1, 12, 29):
            since, until = NOW - days * DAY, NOW - days * DAY + 2 * HOUR
            if not untouched(number, since, until):
                continue
            for moment, value in past(simulator, number, register, since, until):
                clock.time = moment
                assert list(await reader.read(device(number), [TABLE[register]])) == [value], moment
                compared += 1
    assert compared > 100


def test_the_past_begins_30_days_before_the_simulator_and_ends_where_it_begins(tmp_path: Path) -> None:
    simulator = driver(tmp_path, Moving())
    everything = [moment for moment, _ in simulator.past(device(0x8000), TABLE["TEMP"], None, None)]

    assert simulator.past_end == NOW
    assert everything[0] == NOW - 30 * DAY
    assert everything[-1] == NOW - 300 * NANOSECONDS
    assert everything == sorted(set(everything))
    assert len(everything) == 30 * 24 * 12
    assert past(simulator, 0x8000, "TEMP", NOW, NOW + DAY) == []


def test_a_simulator_that_begins_later_tells_the_same_of_the_same_time(tmp_path: Path) -> None:
    later = Moving()
    later.time += 11 * HOUR + 123_456_789
    stretch = (NOW - 20 * DAY, NOW - 13 * DAY)

    for failure in failures("overheating")[:2]:
        first = past(driver(tmp_path, Moving()), failure.device_id, "TEMP", *stretch)
        second = past(driver(tmp_path, later), failure.device_id, "TEMP", *stretch)
        assert first == second
        assert first


def test_another_seed_has_other_values_and_other_failures(tmp_path: Path) -> None:
    one, other = driver(tmp_path, Moving()), driver(tmp_path, Moving(), seed=7)

    assert past(one, 0x8000, "TEMP", NOW - DAY, NOW) != past(other, 0x8000, "TEMP", NOW - DAY, NOW)
    assert planted(0, 84, "dense", NOW - WEEK, NOW) != planted(7, 84, "dense", NOW - WEEK, NOW)


def test_an_overheating_device_warns_and_then_reports_over_temperature(tmp_path: Path) -> None:
    simulator = driver(tmp_path, Moving())
    for failure in failures("overheating"):
        span = (failure.begin, failure.end - 1)
        heat = dict(past(simulator, failure.device_id, "TEMP", *span))
        status = dict(past(simulator, failure.device_id, "STATUS", *span))
        errors = dict(past(simulator, failure.device_id, "ERROR", *span))

        middle = failure.begin + 4 * HOUR
        assert heat[middle] == 108
        assert _whole(status[middle]) & ERROR_BIT
        assert errors[middle] == OVER_TEMPERATURE
        assert max(int(value) for value in heat.values() if isinstance(value, int)) == 108
        assert any(value & WARNING_BIT and not value & ERROR_BIT for value in map(_whole, status.values()))
        before = past(simulator, failure.device_id, "TEMP", failure.begin - HOUR, failure.begin - 1)
        assert max(_whole(value) for _, value in before) < 95
    assert failures("overheating")


def test_a_drifting_voltage_sinks_by_three_tenths_and_is_right_again(tmp_path: Path) -> None:
    simulator = driver(tmp_path, Moving())
    for failure in failures("drifting"):
        values = [
            _whole(value)
            for _, value in past(simulator, failure.device_id, "VOLTAGE", failure.begin, failure.end - 1)
        ]
        after = past(simulator, failure.device_id, "VOLTAGE", failure.end, failure.end + HOUR)

        first, last = values[:24], values[-24:]
        assert sum(last) / sum(first) == pytest.approx(0.7, abs=0.08)
        assert min(_whole(value) for _, value in after) > max(last)
    assert failures("drifting")


def test_a_flapping_device_is_silent_every_other_five_minutes(tmp_path: Path) -> None:
    simulator = driver(tmp_path, Moving(), past_interval=60)
    for failure in failures("flapping"):
        answers = past(simulator, failure.device_id, "TEMP", failure.begin, failure.end - 1)

        for moment, answer in answers:
            silent = (moment - failure.begin) // FLAP % 2 == 0
            assert isinstance(answer, NetworkError) is silent
        assert len(answers) == 4 * 60
    assert failures("flapping")


@given(seed=st.integers(0, 2**31), week=st.integers(2000, 4000), devices=st.integers(1, 200))
def test_every_week_has_one_failure_of_each_kind_and_spares_the_quarantined(
    seed: int, week: int, devices: int
) -> None:
    found = planted(seed, devices, "dense", week * WEEK, (week + 1) * WEEK - 1)
    inside = [item for item in found if week * WEEK <= item.begin < (week + 1) * WEEK]

    assert sorted(item.kind for item in inside) == sorted(DURATIONS)
    for item in inside:
        assert item.end - item.begin == DURATIONS[item.kind]
        assert item.end <= (week + 1) * WEEK
        assert 0x8000 <= item.device_id < 0x8000 + min(devices, 84)
        assert item.device_id not in (0x8009, 0x800A, 0x800B, 0x8019, 0x8029)


def test_a_simulator_without_a_past_knows_none(tmp_path: Path) -> None:
    simulator = driver(tmp_path, Moving(), past_days=0)

    assert simulator.past_end is None
    assert past(simulator, 0x8000, "TEMP", NOW - DAY, NOW) == []


def _whole(answer: Answer) -> int:
    assert isinstance(answer, int)
    return answer
