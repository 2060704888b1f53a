"""The states of an alarm: whatever happens in whatever order, the table holds, and the guide prints it."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from dsmilctl.drivers.contract import DriverContext
from dsmilctl.drivers.managed import Managed
from dsmilctl.drivers.sim.driver import SimDriver
from dsmilctl.errors import Conflict, NotFound
from dsmilctl.fleet.alarms import Alarms
from dsmilctl.model.alarm import TRANSITIONS, VERBS, Alarm, AlarmEvent, AlarmState
from dsmilctl.model.device import Device
from dsmilctl.model.event import Event
from dsmilctl.model.reading import Quality, Reading
from dsmilctl.model.register import Register
from dsmilctl.reference.alarm_states import state_table
from dsmilctl.testing.clock import StandingClock
from tests.contract.source import ROOT

S, E = AlarmState, AlarmEvent
TEMPERATURE = Register("TEMP", type="f64", unit="°C", low=5, high=80)
OVEN = Device(0x8003, "oven", "sim", (TEMPERATURE,), facts=(("TEMP.critical", "95"),))
LOW, HIGH, CRITICAL = "0x8003:TEMP:LOW", "0x8003:TEMP:HIGH", "0x8003:TEMP:HIGH_HIGH"
BAND = 0.02 * (80 - 5)
VALUES = [0.0, 5.0, 6.0, 6.5, 40.0, 78.0, 79.0, 80.0, 81.0, 93.0, 94.0, 95.0, 120.0]


class Plant:
    """An oven with a thermometer, and the book of its alarms."""

    def __init__(self, kept: list[Alarm] | None = None) -> None:
        self.clock = StandingClock()
        self.told: list[Event] = []
        self.book = Alarms(self.told.append, kept or [], self.clock)
        driver = SimDriver(SimDriver.options(), DriverContext(ROOT))
        self.oven = Managed(OVEN, driver, 0)
        self.book.know([self.oven])

    def reads(self, value: float | None, quality: Quality = Quality.GOOD, code: str = "") -> None:
        """Somebody reads the thermometer."""
        now = self.clock.now()
        self.book.take([Reading(0x8003, "TEMP", value, now, "°C", quality, error_code=code)])

    def acts(self, verb: str, alarm_id: str, seconds: float = 3600.0) -> bool:
        """Whether somebody may do that."""
        try:
            self.book.respond(alarm_id, VERBS[verb], "ada", until=self.book.shelf(seconds))
        except (Conflict, NotFound):
            return False
        return True

    def states(self) -> dict[str, AlarmState]:
        """The alarms that are not normal."""
        return {alarm.id: alarm.state for alarm in self.book.all()}


class Expected:
    """One alarm as the table and the words of the guide have it."""

    def __init__(self, alarm_id: str) -> None:
        self.alarm_id = alarm_id
        self.state = S.NORMAL
        self.active = False
        self.shelved_for = 0.0

    def reads(self, value: float) -> None:
        """A value of the thermometer."""
        band = BAND if self.active else 0.0
        beyond = {LOW: value < 5 + band, HIGH: value > 80 - band, CRITICAL: value >= 95 - band}
        if beyond[self.alarm_id] is not self.active:
            self.active = not self.active
            over = E.LATCH if self.alarm_id == CRITICAL else E.CLEAR
            self.state = TRANSITIONS[self.state, E.RAISE if self.active else over]

    def acts(self, verb: str) -> bool:
        """What a person does; whether that can be."""
        found = TRANSITIONS.get((self.state, VERBS[verb]))
        if found is None or self.state is S.NORMAL:
            return False
        if VERBS[verb] is E.SHELVE:
            self.shelved_for = 3600.0
        self.state = self.back() if VERBS[verb] is E.UNSHELVE else found
        return True

    def waits(self, seconds: float) -> None:
        """Time passes; a shelf comes to its end."""
        self.shelved_for -= seconds
        if self.state is S.SHELVED and self.shelved_for <= 0:
            self.state = self.back()

    def back(self) -> AlarmState:
        """Where an alarm comes back from its shelf."""
        if self.active:
            return S.UNACKNOWLEDGED
        return S.LATCHED if self.alarm_id == CRITICAL else S.NORMAL


def test_the_table_is_printed_in_the_guide() -> None:
    assert state_table() in (ROOT / "docs/alarms.md").read_text(encoding="utf-8"), "make docs writes it anew"


def test_every_state_can_be_reached_and_left() -> None:
    reached = {S.NORMAL}
    for _ in S:
        reached |= {end for (begin, _), end in TRANSITIONS.items() if begin in reached}

    assert reached == set(S)
    assert {begin for (begin, _), end in TRANSITIONS.items() if end is not begin} == set(S)


def happenings() -> st.SearchStrategy[tuple[str, float | str]]:
    """A value that is read, time that passes, something that a person does."""
    reads = st.tuples(st.just("read"), st.sampled_from(VALUES))
    waits = st.tuples(st.just("wait"), st.sampled_from([1.0, 60.0, 1800.0, 4000.0]))
    acts = st.tuples(st.sampled_from(sorted(VERBS)), st.sampled_from([LOW, HIGH, CRITICAL]))
    return st.one_of(reads, waits, acts)


@example([("read", 90.0), ("shelve", HIGH), ("wait", 1800.0), ("wait", 1800.0)])
@example([("read", 90.0), ("shelve", HIGH), ("read", 40.0), ("wait", 4000.0)])
@example([("read", 90.0), ("acknowledge", HIGH), ("shelve", HIGH), ("unshelve", HIGH), ("read", 40.0)])
@example([("read", 97.0), ("shelve", CRITICAL), ("read", 40.0), ("unshelve", CRITICAL), ("reset", CRITICAL)])
@example([("read", 97.0), ("ack", CRITICAL), ("read", 40.0), ("read", 97.0), ("shelve", CRITICAL)])
@given(st.lists(happenings(), max_size=40))
@settings(max_examples=200, deadline=None)
def test_whatever_happens_every_alarm_is_where_the_table_says(story: list[tuple[str, float | str]]) -> None:
    plant, expected = Plant(), {name: Expected(name) for name in (LOW, HIGH, CRITICAL)}
    for what, argument in story:
        if isinstance(argument, str):
            assert plant.acts(what, argument) is expected[argument].acts(what)
        elif what == "read":
            plant.reads(argument)
            for alarm in expected.values():
                alarm.reads(argument)
        else:
            plant.clock.advance(argument)
            for alarm in expected.values():
                alarm.waits(argument)

        found = {name: alarm.state for name, alarm in expected.items() if alarm.state is not S.NORMAL}
        assert plant.states() == found
        assert {item.id for item in plant.book.all() if item.active} == {
            name for name, alarm in expected.items() if alarm.active and name in found
        }
