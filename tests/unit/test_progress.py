"""Progress: how far a command is, for programs as JSON, for people as a line, and for nobody not at all."""

from __future__ import annotations

import json

import pytest

from dsmilctl.commands.progress import Progress
from dsmilctl.testing.clock import StandingClock


def test_programs_read_what_is_done_the_rate_and_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    clock = StandingClock()
    with Progress("changed", 4, "json", clock) as progress:
        for failed in (False, True, False, False):
            clock.advance(0.5)
            progress.step(failed=failed)

    lines = [json.loads(line)["progress"] for line in capsys.readouterr().err.splitlines()]
    assert [line["done"] for line in lines] == [1, 2, 3, 4]
    assert lines[1] == {"done": 2, "total": 4, "failed": 1, "rate": 2.0, "remaining_s": 1.0}


def test_what_happens_in_one_moment_is_told_once_and_the_last_step_always(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Progress("changed", 1000, "json", StandingClock()) as progress:
        for _ in range(1000):
            progress.step()

    lines = [json.loads(line)["progress"]["done"] for line in capsys.readouterr().err.splitlines()]
    assert lines[-1] == 1000
    assert len(lines) <= 2


def test_without_a_terminal_nothing_is_told_unless_it_is_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for mode in ("auto", "none"):
        with Progress("changed", 2, mode) as progress:
            progress.step()

    assert capsys.readouterr().err == ""
