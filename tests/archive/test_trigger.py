"""Trigger: readings are kept around events, with what came before them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dsmilctl.archive.expression import Expression
from dsmilctl.archive.places import Places
from dsmilctl.archive.recording import new_recording
from dsmilctl.archive.store import Store
from dsmilctl.archive.trigger import Trigger
from dsmilctl.archive.writer import Writer
from dsmilctl.model.device import Device
from dsmilctl.model.reading import Quality, Reading
from dsmilctl.model.register import Register
from dsmilctl.testing.clock import START, StandingClock
from tests.archive.stand import rows

DEVICE = Device("boiler", "boiler", "sim", (Register("TEMP", type="f64"),))


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    with Store(Places(tmp_path)) as store:
        writer = store.begin(new_recording("x", START))
        yield writer
        store.end(writer, "completed")


class Second:
    """A trigger that is fed one reading a second."""

    def __init__(self, writer: Writer, pre: float, post: float, room: int = 1000) -> None:
        self.clock = StandingClock()
        expression = Expression("TEMP > 80", [DEVICE])
        self.trigger = Trigger(expression, writer, pre=pre, post=post, room=room, clock=self.clock)
        self.kept: list[float] = []

    def feed(self, *values: float, quality: Quality = Quality.GOOD) -> list[float]:
        """What is kept of these; a value's decimals tell which one it is."""
        before = len(self.kept)
        for value in values:
            reading = Reading("boiler", "TEMP", value, self.clock.now(), quality=quality)
            self.kept += [float(item.value or 0) for item in self.trigger.take([reading])]
            self.clock.advance(1)
        return self.kept[before:]


def events(writer: Writer, tmp_path: Path) -> list[str]:
    writer.flush()
    return [row[0] for row in rows(Places(tmp_path), "SELECT type FROM events ORDER BY event_id")]


def test_what_came_before_an_event_is_kept_in_order_and_what_came_long_before_is_not(writer: Writer) -> None:
    second = Second(writer, pre=3, post=0)

    assert second.feed(20.1, 20.2, 20.3, 20.4, 20.5) == []
    assert second.feed(81.6) == [20.3, 20.4, 20.5, 81.6]
    assert second.feed(82.7, 20.8) == [82.7]


def test_what_comes_after_an_event_is_kept_for_its_time_and_a_new_event_makes_it_longer(
    writer: Writer, tmp_path: Path
) -> None:
    second = Second(writer, pre=0, post=2)

    assert second.feed(81.1, 20.2, 81.3, 20.4, 20.5, 20.6) == [81.1, 20.2, 81.3, 20.4]
    assert events(writer, tmp_path) == ["trigger.began", "trigger.ended"]
    assert not second.trigger.open


def test_nothing_is_kept_twice_when_a_second_event_follows_soon(writer: Writer) -> None:
    second = Second(writer, pre=10, post=0)

    second.feed(20.1, 81.2, 20.3, 81.4)

    assert second.kept == [20.1, 81.2, 20.3, 81.4]


def test_the_ring_holds_no_more_than_its_room_and_what_it_lost_of_an_event_is_a_gap(
    writer: Writer, tmp_path: Path
) -> None:
    second = Second(writer, pre=100, post=0, room=3)

    assert second.feed(*(20 + number / 100 for number in range(10)), 81.5) == [20.07, 20.08, 20.09, 81.5]
    writer.flush()
    assert rows(Places(tmp_path), "SELECT missed FROM gaps") == [(7,)]


def test_a_value_that_cannot_be_trusted_is_no_event(writer: Writer) -> None:
    second = Second(writer, pre=1, post=0)

    assert second.feed(999.0, quality=Quality.BAD) == []


def test_a_wall_clock_that_jumps_moves_no_event(writer: Writer) -> None:
    second = Second(writer, pre=2, post=2)
    second.feed(20.1, 20.2, 20.3)
    second.clock.set_now(START - 3600 * 10**9)
    begun = second.feed(81.4)
    second.clock.set_now(START + 7200 * 10**9)

    assert begun == [20.2, 20.3, 81.4]
    assert second.feed(20.5, 20.6, 20.7) == [20.5]
