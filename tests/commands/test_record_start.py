"""`dsmilctl record start|stop|note|status`: a recorder that goes on by itself."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.commands.shell import STILL, Shell

START = "dsmilctl -C sim record start --name night --interval 50ms @all TEMP"
FAST = {"DSMIL_ARCHIVE__HEALTH_INTERVAL": "0.05"}


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A shell in whose home no recorder is left behind."""
    shell = Shell(tmp_path, {**STILL, **FAST})
    yield shell
    shell("dsmilctl record stop")


def status_when(shell: Shell, readings: int) -> dict[str, Any]:
    """The status as soon as so many readings are written."""
    for _ in range(600):
        found: dict[str, Any] = shell("dsmilctl record status -o json").data
        if found["health"] and found["health"]["readings"] >= readings:
            return found
        time.sleep(0.05)
    raise AssertionError("the recorder writes nothing")


def test_fault_198_a_started_recorder_outlives_its_command_and_keeps_everything_until_it_is_stopped(
    shell: Shell,
) -> None:
    begun = shell(f"{START} -o json")
    assert begun.exit == 0, begun.err
    process = begun.data["process"]

    assert os.getsid(process) == process, "no terminal that closes ends it"
    status = status_when(shell, 100)
    ended = shell("dsmilctl record stop night --notes 'the night is over' -o json")

    assert status["recorder"] == f"process {process}"
    assert (status["health"]["state"], status["health"]["detached"]) == ("recording", True)
    assert Path(status["health"]["log"]).stat().st_size > 0
    assert (ended.exit, ended.data["status"]) == (0, "completed")
    assert ended.data["readings"] >= status["health"]["readings"]
    assert shell("dsmilctl record show night -o json").data["notes"] == "the night is over"
    assert shell("dsmilctl record check -o json").exit == 0
    assert shell("dsmilctl record status -o json").data["recorder"] is None


def test_a_second_start_is_refused_with_7_and_names_who_records(shell: Shell) -> None:
    process = shell(f"{START} -o json").data["process"]

    answer = shell(f"{START} -o json")

    assert (answer.exit, answer.error.code) == (7, "CONFLICT")
    assert f"process {process}" in answer.error.message


def test_what_keeps_a_recorder_from_beginning_is_told_by_the_command_that_started_it(shell: Shell) -> None:
    nowhere = shell("dsmilctl -C nowhere record start -n x -o json")
    nothing = shell("dsmilctl -C sim record start -n x 0x9999 -o json")
    no_kind = shell("dsmilctl -C sim record start -n x --type odd -o json")

    assert (nowhere.exit, nowhere.error.code) == (2, "NOT_FOUND")
    assert (nothing.exit, nothing.error.code) == (2, "DEVICE_NOT_FOUND")
    assert (no_kind.exit, no_kind.error.target) == (2, "--type")


def test_a_killed_recorder_is_told_aborted_by_the_next_start(shell: Shell) -> None:
    first = shell(f"{START} -o json").data
    status_when(shell, 100)
    os.kill(first["process"], signal.SIGKILL)

    second = shell(f"{START} -o json")

    assert second.exit == 0, second.err
    assert f"recording {first['recording_id']} was not ended by its recorder" in second.err
    rows = shell("dsmilctl record list -o json").data
    assert {row["recording_id"]: row["status"] for row in rows}[first["recording_id"]] == "aborted"
    assert min(row["readings"] for row in rows if row["status"] == "aborted") >= 100


def test_notes_are_kept_with_their_time_while_a_recording_runs_and_afterwards(shell: Shell) -> None:
    shell(START)
    during = shell("dsmilctl record note last 'the fan was cleaned' -o json")
    shell("dsmilctl record stop")
    afterwards = shell("dsmilctl record note night 'and it was loud 😀' -o json")

    rows = shell(
        "dsmilctl record query -o json --sql 'SELECT type, message FROM events ORDER BY timestamp'"
    ).data
    assert [row["message"] for row in rows if row["type"] == "note"] == [
        "the fan was cleaned", "and it was loud 😀",
    ]  # fmt: skip
    assert during.data["timestamp"] < afterwards.data["timestamp"]
    assert shell("dsmilctl record check -o json").exit == 0, "the archive is as it was closed last"
    assert shell("dsmilctl record note nothing 'x' -o json").error.code == "NOT_FOUND"
    assert shell("dsmilctl record note night ' ' -o json").exit == 2


def test_fault_199_a_recording_ends_as_whoever_stops_it_says_and_no_other_one_does(shell: Shell) -> None:
    shell(START)

    other = shell("dsmilctl record stop another -o json")
    wrong = shell("dsmilctl record stop --status done -o json")
    ended = shell("dsmilctl record stop --status failed -o json")
    nobody = shell("dsmilctl record stop -o json")

    assert (other.exit, other.error.code) == (7, "CONFLICT")
    assert (wrong.exit, wrong.error.target) == (2, "--status")
    assert (ended.exit, ended.data["status"]) == (0, "failed")
    assert (nobody.exit, nobody.error.code) == (2, "NOT_FOUND"), "nothing to stop is no success"


def test_a_started_recording_ends_by_itself_when_its_time_is_over(shell: Shell) -> None:
    shell(f"{START} --for 300ms")

    for _ in range(600):
        (row,) = shell("dsmilctl record list -o json").data
        if row["status"] != "running":
            break
        time.sleep(0.05)

    assert row["status"] == "completed"
    assert row["readings"] > 0
