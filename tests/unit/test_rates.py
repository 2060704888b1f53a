"""Rates: so many at once, so many in a period, the same for every process, and no lock-out by a clock."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsmilctl.errors import RateLimitError, StateUnavailable
from dsmilctl.guard.rates import Bucket, Rates
from tests.unit.evidence import WallClock

TEN_A_MINUTE = Bucket(10, 60.0)


@pytest.fixture(params=["file", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "state" / "rates.json" if request.param == "file" else None


def taken(rates: Rates, count: int, *keys: tuple[str, Bucket]) -> int:
    """How many of `count` attempts went through."""
    passed = 0
    for _ in range(count):
        try:
            rates.take(keys)
            passed += 1
        except RateLimitError:
            continue
    return passed


def test_a_full_bucket_gives_its_capacity_at_once_and_then_refuses(place: Path | None) -> None:
    rates = Rates(place, WallClock())

    assert taken(rates, 30, ("ada/write", TEN_A_MINUTE)) == 10

    with pytest.raises(RateLimitError) as caught:
        rates.take([("ada/write", TEN_A_MINUTE)])
    assert caught.value.code == "RATE_LIMITED"
    assert caught.value.retry_after == pytest.approx(6.0)
    assert "ada/write" in caught.value.message
    assert caught.value.hint == "try again in 6 s"


def test_after_retry_after_exactly_one_more_is_let_through(place: Path | None) -> None:
    clock = WallClock()
    rates = Rates(place, clock)
    taken(rates, 10, ("ada/write", TEN_A_MINUTE))

    clock.advance(5.99)
    assert taken(rates, 3, ("ada/write", TEN_A_MINUTE)) == 0
    clock.advance(0.01)
    assert taken(rates, 3, ("ada/write", TEN_A_MINUTE)) == 1
    clock.advance(600)
    assert taken(rates, 30, ("ada/write", TEN_A_MINUTE)) == 10


def test_one_identity_does_not_use_up_what_belongs_to_another(place: Path | None) -> None:
    rates = Rates(place, WallClock())
    taken(rates, 10, ("ada/write", TEN_A_MINUTE))

    assert taken(rates, 10, ("bob/write", TEN_A_MINUTE)) == 10


def test_an_empty_bucket_keeps_the_tokens_of_the_others(place: Path | None) -> None:
    rates = Rates(place, WallClock())
    once = ("ada/0x8000", Bucket(1, 3600.0))
    operation = ("ada/write", TEN_A_MINUTE)

    assert taken(rates, 8, operation, once) == 1

    assert taken(rates, 20, operation) == 9


def test_the_longest_wait_of_several_empty_buckets_is_named(place: Path | None) -> None:
    rates = Rates(place, WallClock())
    short, long = ("ada/write", Bucket(1, 1.0)), ("ada/0x8000", Bucket(1, 100.0))
    rates.take([short, long])

    with pytest.raises(RateLimitError) as caught:
        rates.take([short, long])

    assert caught.value.retry_after == pytest.approx(100.0)
    assert "ada/0x8000" in caught.value.message


def test_the_same_bucket_named_twice_costs_two(place: Path | None) -> None:
    key = ("ada/write", TEN_A_MINUTE)

    assert taken(Rates(place, WallClock()), 10, key, key) == 5


def test_a_bucket_without_capacity_lets_nothing_through(place: Path | None) -> None:
    rates = Rates(place, WallClock())

    with pytest.raises(RateLimitError) as caught:
        rates.take([("ada/reset", Bucket(0, 60.0))])
    assert caught.value.retry_after > 0


def test_a_clock_that_jumped_back_a_year_locks_nobody_out_for_longer_than_the_period(
    place: Path | None,
) -> None:
    clock = WallClock()
    rates = Rates(place, clock)
    taken(rates, 10, ("ada/write", TEN_A_MINUTE))
    clock.advance(-365 * 86_400)

    with pytest.raises(RateLimitError) as caught:
        rates.take([("ada/write", TEN_A_MINUTE)])

    assert caught.value.retry_after <= 60
    clock.advance(caught.value.retry_after)
    assert taken(rates, 5, ("ada/write", TEN_A_MINUTE)) == 1
    clock.advance(60)
    assert taken(rates, 30, ("ada/write", TEN_A_MINUTE)) == 10


def test_a_second_process_finds_what_the_first_has_used(tmp_path: Path) -> None:
    path, clock = tmp_path / "rates.json", WallClock()
    taken(Rates(path, clock), 7, ("ada/write", TEN_A_MINUTE))

    assert taken(Rates(path, clock), 7, ("ada/write", TEN_A_MINUTE)) == 3
    assert path.stat().st_mode & 0o777 == 0o600


def test_buckets_that_are_full_again_are_forgotten(tmp_path: Path) -> None:
    path, clock = tmp_path / "rates.json", WallClock()
    rates = Rates(path, clock)
    for number in range(50):
        rates.take([(f"user-{number}", TEN_A_MINUTE)])
    clock.advance(61)

    rates.take([("ada/write", TEN_A_MINUTE)])

    assert path.read_text().count(":") == 1


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff", b'{"ada/write":"x"}', b'{"ada/write":1}trailing']
)
def test_a_state_that_a_crash_cut_short_starts_again_full(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "rates.json"
    path.write_bytes(content)

    assert taken(Rates(path, WallClock()), 11, ("ada/write", TEN_A_MINUTE)) == 10


def test_a_limit_that_cannot_be_counted_is_not_passed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StateUnavailable):
        Rates(tmp_path / "file" / "rates.json").take([("ada/write", TEN_A_MINUTE)])


@settings(deadline=None)
@given(
    capacity=st.integers(1, 20),
    period=st.floats(0.1, 1000),
    steps=st.lists(st.floats(-2000, 2000), max_size=60),
)
def test_however_the_clock_runs_a_wait_never_exceeds_the_period(
    capacity: int, period: float, steps: list[float]
) -> None:
    clock, bucket = WallClock(), Bucket(capacity, period)
    rates = Rates(None, clock)
    for step in steps:
        clock.advance(step)
        try:
            rates.take([("key", bucket)])
        except RateLimitError as refusal:
            assert 0 < refusal.retry_after <= period + 1e-6


@settings(deadline=None)
@given(capacity=st.integers(1, 10), steps=st.lists(st.floats(0, 30), min_size=1, max_size=100))
def test_no_window_of_one_period_ever_passes_twice_the_capacity(capacity: int, steps: list[float]) -> None:
    clock, bucket = WallClock(), Bucket(capacity, 10.0)
    rates = Rates(None, clock)
    passed: list[float] = []
    for step in steps:
        clock.advance(step)
        if taken(rates, 1, ("key", bucket)):
            passed.append(clock.monotonic())

    for begin in passed:
        assert sum(begin <= time < begin + 10.0 for time in passed) <= 2 * capacity
