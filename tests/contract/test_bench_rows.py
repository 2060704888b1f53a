"""The rows of the benchmarks: which figure is judged by which bar."""

from __future__ import annotations

import pytest

from bench.machine import GH_THERE
from bench.row import Row


def test_a_rate_is_held_to_the_share_of_its_bar_that_a_slower_machine_can_reach() -> None:
    slow = 2 * GH_THERE

    assert Row("r", 1600, "/s", 3000, at_least=True, gh=slow).met
    assert not Row("r", 1400, "/s", 3000, at_least=True, gh=slow).met
    assert not Row("r", 1600, "/s", 3000, at_least=True).met


def test_a_time_may_be_longer_on_a_slower_machine_and_must_be_shorter_on_a_faster_one() -> None:
    assert Row("t", 150, "ms", 100, gh=2 * GH_THERE).met
    assert not Row("t", 250, "ms", 100, gh=2 * GH_THERE).met
    assert not Row("t", 60, "ms", 100, gh=GH_THERE / 2).met


def test_a_ratio_is_judged_as_it_is_for_both_were_measured_here() -> None:
    assert Row("x", 30, "/s", 10, "peer", 2, at_least=True, gh=2 * GH_THERE).met
    assert not Row("x", 18, "/s", 10, "peer", 2, at_least=True, gh=2 * GH_THERE).met


@pytest.mark.parametrize("peer", [("", 0.0), ("Starlette alone", 9906.0)])
def test_a_scaled_bar_is_printed_with_the_bar_that_it_comes_from(peer: tuple[str, float]) -> None:
    line = Row("r", 2507, "/s", 3000, *peer, at_least=True, absolute=True, gh=60.0).line

    assert "2,507 /s" in line
    assert "≥ 1,950 (3,000 where gh takes 39 ms, not 60) ok" in line
    assert ("0.25 x" in line) == bool(peer[1])
