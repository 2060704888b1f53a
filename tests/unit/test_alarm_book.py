"""The book of alarms: what raises one, what does not, and what a bad day makes of it."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmilctl.clock import SYSTEM
from dsmilctl.drivers.contract import DriverContext
from dsmilctl.drivers.managed import Managed
from dsmilctl.drivers.sim.driver import SimDriver
from dsmilctl.errors import NotFound
from dsmilctl.fleet.alarm_file import AlarmFile
from dsmilctl.fleet.alarms import Alarms
from dsmilctl.fleet.thresholds import critical_limits, thresholds_of
from dsmilctl.model.alarm import AlarmEvent, AlarmState, Condition, alarm_id_of
from dsmilctl.model.device import DeviceState
from dsmilctl.model.event import Event, Severity
from dsmilctl.model.reading import Quality, Reading
from dsmilctl.model.register import Register
from tests.unit.test_alarm_states import CRITICAL, HIGH, OVEN, Plant

ERROR, BAD = "0x8003:ERROR", "0x8003:TEMP:BAD_VALUE"
MANY = 10_000


def test_a_value_that_hovers_around_its_limit_raises_one_alarm_and_not_hundreds() -> None:
    plant = Plant()

    for _ in range(500):
        plant.reads(80.4)
        plant.reads(79.6)

    assert plant.states() == {HIGH: AlarmState.UNACKNOWLEDGED}
    assert [event.type for event in plant.told] == ["alarm.state"]
    plant.reads(78.4)
    assert plant.states() == {HIGH: AlarmState.RETURNED}


def test_a_critical_value_has_to_be_reset_when_it_is_over() -> None:
    plant = Plant()
    plant.reads(97.0)
    assert not plant.acts("reset", CRITICAL)
    plant.acts("acknowledge", CRITICAL)
    plant.acts("acknowledge", HIGH)

    plant.reads(40.0)

    assert plant.states() == {CRITICAL: AlarmState.LATCHED}
    assert plant.book.get(CRITICAL).acknowledged_by == "ada"
    assert [event.severity for event in plant.told[:2]] == [Severity.WARNING, Severity.CRITICAL]
    assert plant.acts("reset", CRITICAL)
    assert plant.states() == {}


@pytest.mark.parametrize(
    ("value", "quality", "code", "raised"),
    [
        (900.0, Quality.BAD, "", True),
        (None, Quality.BAD, "HARDWARE_ERROR", True),
        (None, Quality.BAD, "TIMEOUT", False),
        (None, Quality.BAD, "DEVICE_BUSY", False),
        (40.0, Quality.STALE, "TIMEOUT", False),
        (99.0, Quality.STALE, "TIMEOUT", False),
    ],
)
def test_only_what_a_device_answers_is_a_bad_value(
    value: float | None, quality: Quality, code: str, raised: bool
) -> None:
    plant = Plant()

    plant.reads(value, quality, code)
    assert plant.states() == ({BAD: AlarmState.UNACKNOWLEDGED} if raised else {})

    plant.reads(40.0)
    assert plant.states() == ({BAD: AlarmState.RETURNED} if raised else {})


def test_a_value_that_cannot_be_ends_no_alarm_of_one_that_was_too_high() -> None:
    plant = Plant()
    plant.reads(90.0)

    plant.reads(-300.0, Quality.BAD)

    assert plant.book.get(HIGH).active


def test_a_device_is_in_error_until_it_answers_and_not_only_until_it_is_tried_again() -> None:
    plant = Plant()
    oven = plant.oven
    oven.state, oven.reason, oven.failures = DeviceState.ERROR, "0x8003 did not answer within 2 s", 1
    plant.book.look(oven)
    assert plant.book.get(ERROR).message == oven.reason

    oven.state = DeviceState.INITIALIZED
    plant.book.look_at_all({0x8003: oven})
    assert plant.states() == {ERROR: AlarmState.UNACKNOWLEDGED}

    oven.state, oven.failures = DeviceState.CONNECTED, 0
    plant.book.look_at_all({0x8003: oven})
    assert plant.states() == {ERROR: AlarmState.RETURNED}
    assert plant.book.get(ERROR).message == "0x8003 answers again"


def test_a_quarantined_device_has_no_alarms() -> None:
    plant = Plant()
    plant.oven.device = msgspec.structs.replace(OVEN, quarantined=True)
    plant.oven.state = DeviceState.ERROR
    plant.book.know([plant.oven])

    plant.reads(97.0)
    plant.book.look(plant.oven)

    assert plant.states() == {}


def test_alarms_of_a_device_that_is_gone_end_unless_its_driver_is_only_absent() -> None:
    plant = Plant()
    plant.reads(97.0)

    plant.book.know([], complete=False)
    assert set(plant.states()) == {HIGH, CRITICAL}

    plant.book.know([])
    assert plant.states() == {}
    with pytest.raises(NotFound):
        plant.book.respond(HIGH, AlarmEvent.ACKNOWLEDGE, "ada")


def test_what_was_kept_goes_on_where_it_was(tmp_path: Path) -> None:
    plant, file = Plant(), AlarmFile(tmp_path / "alarms" / "plant.json")
    plant.reads(97.0)
    plant.acts("acknowledge", HIGH)
    file.keep(plant.book.all())

    again = Plant(file.load())
    again.reads(40.0)

    assert again.states() == {CRITICAL: AlarmState.LATCHED}
    assert (tmp_path / "alarms" / "plant.json").stat().st_mode & 0o777 == 0o600


def test_a_damaged_or_unwritable_file_of_alarms_is_told_and_costs_no_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "plant.json").write_bytes(b'[{"id": "0x8003')
    (tmp_path / "file").touch()

    with caplog.at_level(logging.WARNING):
        assert AlarmFile(tmp_path / "plant.json").load() == []
        AlarmFile(tmp_path / "file" / "plant.json").keep([])

    assert "alarms begin anew" in caplog.text
    assert "could not be kept" in caplog.text


@pytest.mark.parametrize("fact", ["", "nan", "inf", "hot"])
def test_a_critical_limit_that_is_no_number_is_none(fact: str) -> None:
    oven = msgspec.structs.replace(OVEN, facts=(("TEMP.critical", fact),))

    assert critical_limits(oven) == {}
    assert critical_limits(OVEN) == {"TEMP": 95}


@pytest.mark.parametrize("register", [Register("S", type="str", high=1), Register("W", access="wo", high=1)])
def test_what_is_no_number_or_cannot_be_read_has_no_limits(register: Register) -> None:
    assert thresholds_of(register) == ()


NAMES = st.text(min_size=1, max_size=20)


@given(st.tuples(NAMES, NAMES), st.tuples(NAMES, NAMES))
def test_an_id_fits_into_a_path_and_belongs_to_one_alarm(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    ids = [alarm_id_of(device, register, Condition.HIGH) for device, register in (one, other)]

    assert all(re.fullmatch(r"[A-Za-z0-9_.:-]+", alarm_id) for alarm_id in ids)
    assert (ids[0] == ids[1]) is (one == other)


def test_ten_thousand_devices_that_flap_have_ten_thousand_alarms_and_not_one_more() -> None:
    told: list[Event] = []
    book = Alarms(told.append)
    driver = SimDriver(SimDriver.options(), DriverContext(Path()))
    devices = [Managed(msgspec.structs.replace(OVEN, device_id=number), driver, 0) for number in range(MANY)]
    book.know(devices)

    for value in (85.0, 79.0, 85.0, 79.0, 85.0):
        now = SYSTEM.now()
        book.take([Reading(number, "TEMP", value, now, "°C") for number in range(MANY)])
    shaking = len(told)
    for value in (20.0, 85.0, 20.0):
        book.take([Reading(0, "TEMP", value, SYSTEM.now(), "°C")])

    assert shaking == MANY, "the dead-band keeps the others quiet"
    assert len(told) == MANY + 3
    assert len(book.all()) == MANY
    assert book.counts() == {AlarmState.UNACKNOWLEDGED: MANY - 1, AlarmState.RETURNED: 1}
