"""The clocks: the machine's, the one that stands, and how a moment is written."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmilctl.clock import NANOSECONDS, SYSTEM, Clock, rfc3339
from dsmilctl.testing.clock import START, StandingClock


def test_the_systems_clock_tells_the_machines_time() -> None:
    before, now, after = time.time_ns(), SYSTEM.now(), time.time_ns()

    assert before <= now <= after


def test_the_systems_monotonic_clock_never_goes_back() -> None:
    moments = [SYSTEM.monotonic() for _ in range(1000)]

    assert moments == sorted(moments)


def test_a_standing_clock_stands_until_it_is_moved() -> None:
    clock = StandingClock()

    first = (clock.now(), clock.monotonic())
    clock.advance(1.5)

    assert first[0] == START
    assert clock.now() == START + 1_500_000_000
    assert clock.monotonic() == first[1] + 1.5


def test_a_wall_clock_that_is_set_back_leaves_the_monotonic_one_alone() -> None:
    clock = StandingClock()
    before = clock.monotonic()

    clock.set_now(0)

    assert clock.now() == 0
    assert clock.monotonic() == before


def test_time_does_not_pass_backwards() -> None:
    with pytest.raises(ValueError, match="forwards"):
        StandingClock().advance(-1)


def test_a_standing_clock_is_a_clock_wherever_one_is_taken() -> None:
    clock: Clock = StandingClock(now=7, monotonic=3.0)

    assert (clock.now(), clock.monotonic()) == (7, 3.0)


@pytest.mark.parametrize(
    ("timestamp", "digits", "text"),
    [
        (0, 3, "1970-01-01T00:00:00.000Z"),
        (1_790_000_000_123_456_789, 3, "2026-09-21T14:13:20.123Z"),
        (1_790_000_000_123_456_789, 6, "2026-09-21T14:13:20.123456Z"),
        (2**31 * NANOSECONDS, 3, "2038-01-19T03:14:08.000Z"),
        (-1, 6, "1969-12-31T23:59:59.999999Z"),
    ],
)
def test_a_moment_is_written_as_rfc_3339_in_utc(timestamp: int, digits: int, text: str) -> None:
    assert rfc3339(timestamp, digits) == text


@given(st.integers(min_value=0, max_value=253_402_300_799 * NANOSECONDS))
def test_every_moment_up_to_the_year_9999_reads_back_to_the_microsecond(timestamp: int) -> None:
    read = datetime.strptime(rfc3339(timestamp, 6), "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)

    since = read - datetime(1970, 1, 1, tzinfo=UTC)
    microseconds = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    assert microseconds == timestamp // 1000
