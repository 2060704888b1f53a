"""Confirmation: a change is shown and asked for first, and never happens where nobody can be asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands.shell import STILL, Shell
from tests.commands.terminal import Terminal

WRITE = ("-C", "sim", "device", "write", "0x8030", "CONFIG", "5")
BULK = ("-C", "sim", "bulk", "write", "0x8030-0x8032", "CONFIG", "5", "--justification", "night setpoints")
STOPPED = "dsmilctl -C sim emergency stop 0x8030"


def config_of(shell: Shell, device: str = "0x8030") -> int:
    """What the CONFIG register of a device holds."""
    value: int = shell(f"dsmilctl -C sim device read {device} CONFIG -o json").data[0]["value"]
    return value


def wire_log(shell: Shell) -> Path:
    """Have every change that reaches a simulated device written to a file."""
    log = shell.home / "wire.log"
    options = json.loads(STILL["DSMIL_SIM_OPTIONS"]) | {"wire_log": str(log)}
    shell.environment["DSMIL_SIM_OPTIONS"] = json.dumps(options)
    return log


@pytest.mark.parametrize(
    "line",
    [
        "-C sim device write 0x8030 CONFIG 5",
        "-C sim device configure 0x8030 threshold=5",
        "-C sim device activate 0x8030",
        "-C sim device reset 0x8030-0x8031",
        "-C sim device command 0x8030 identify",
        "-C sim bulk write 0x8030 CONFIG 5",
        "-C sim bulk run operations.csv",
        "-C sim bulk undo bulk-0123456789ab",
        "-C sim sim reset",
        "-C sim emergency release --justification 'smoke was a drill'",
        "audit restart --reason 'a new disk'",
    ],
)
def test_where_nobody_can_be_asked_nothing_is_even_opened(shell: Shell, line: str) -> None:
    answer = shell(f"dsmilctl {line} -o json")

    assert (answer.exit, answer.out) == (2, "")
    assert answer.error.code == "CONFIRMATION_REQUIRED"
    assert answer.error.target in ("--yes", "--confirm CONTEXT")
    assert not (shell.home / "state").exists(), "nothing was connected, nothing was kept"


def test_a_write_shows_old_and_new_and_happens_when_a_person_says_yes(shell: Shell) -> None:
    with Terminal(shell, *WRITE) as terminal:
        terminal.waits_for("sim: 0x8030 CONFIG 0x00000003 → 0x00000005? [y/N] ")
        terminal.types("y\n")
        assert terminal.ends() == 0

    assert "SUCCESS" in terminal.seen
    assert config_of(shell) == 5


@pytest.mark.parametrize("answer", ["n\n", "\n", "Y es\n", "\x04"])
def test_a_write_does_not_happen_when_a_person_says_anything_else(shell: Shell, answer: str) -> None:
    with Terminal(shell, *WRITE) as terminal:
        terminal.waits_for("[y/N]")
        terminal.types(answer)
        assert terminal.ends() == 1

    assert "nothing was changed" in terminal.seen
    assert config_of(shell) == 3


def test_what_the_guard_refuses_is_not_asked_for(shell: Shell) -> None:
    with Terminal(shell, "-C", "sim", "device", "write", "0x8001", "DATA", "5") as terminal:
        assert terminal.ends() == 1

    assert "[y/N]" not in terminal.seen
    assert "needs a justification" in terminal.seen


def test_a_bulk_shows_its_plan_asks_once_and_says_how_it_went(shell: Shell) -> None:
    with Terminal(shell, *BULK) as terminal:
        terminal.waits_for("[y/N]")
        plan = terminal.seen
        terminal.types("y\n")
        assert terminal.ends() == 0

    assert "plan: 3 changes in sim" in plan
    assert plan.count("write CONFIG  0x00000003  0x00000005") == 3
    assert "sim: make 3 of 3 changes? [y/N]" in plan
    assert "3 of 3 changes made (COMPLETED)" in terminal.seen
    assert config_of(shell, "0x8032") == 5


def test_a_bulk_that_is_declined_changes_nothing(shell: Shell) -> None:
    with Terminal(shell, *BULK) as terminal:
        terminal.waits_for("[y/N]")
        terminal.types("n\n")
        assert terminal.ends() == 1

    assert config_of(shell) == 3
    assert not list((shell.home / "state").glob("bulks/*/*"))


def test_a_plan_says_how_many_are_refused_and_how_many_unreachable(shell: Shell) -> None:
    options = json.loads(STILL["DSMIL_SIM_OPTIONS"]) | {"faults": ["disconnect:0x8031"]}
    line = ("-C", "sim", "bulk", "write", "0x8009,0x8030,0x8031", "CONFIG", "5", *BULK[-2:])
    with Terminal(shell, *line, environment={"DSMIL_SIM_OPTIONS": json.dumps(options)}) as terminal:
        terminal.waits_for("[y/N]")
        terminal.types("y\n")
        assert terminal.ends() == 6

    assert "sim: make 1 of 3 changes (1 refused, 1 unreachable)?" in terminal.seen
    assert config_of(shell) == 5


def test_a_plan_of_many_changes_is_cut_short_and_counted(shell: Shell) -> None:
    line = ("-C", "sim", "bulk", "write", "0x8018-0x803B", "CONFIG", "5", *BULK[-2:])
    with Terminal(shell, *line, rows=60) as terminal:
        terminal.waits_for("[y/N]")
        terminal.types("n\n")
        assert terminal.ends() == 1

    assert "… and 16 more; --dry-run shows all of them" in terminal.seen


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), "needs a justification of 10 to 512 characters"),
        (("--justification", "smoke was a drill", "--approval", "X"), "no approvals in context sim"),
        (("stop-00000000", "--justification", "smoke was a drill"), "no emergency stop 'stop-00000000'"),
    ],
)
def test_a_release_that_cannot_be_is_refused_before_anybody_is_asked(
    shell: Shell, words: tuple[str, ...], code: str
) -> None:
    shell("dsmilctl -C sim emergency stop 0x8030")

    with Terminal(shell, "-C", "sim", "emergency", "release", *words) as terminal:
        terminal.waits_for("hint: ")

    assert code in terminal.seen
    assert "Type sim" not in terminal.seen


def test_a_release_takes_the_name_of_the_context(shell: Shell) -> None:
    release = ("-C", "sim", "emergency", "release", "--justification", "smoke was a drill")
    shell(STOPPED)
    for typed, status, left in (("yes\n", 1, 1), ("sim\n", 0, 0)):
        with Terminal(shell, *release) as terminal:
            terminal.waits_for("Type sim to go on: ")
            terminal.types(typed)
            assert terminal.ends() == status
        assert len(shell("dsmilctl -C sim emergency status -o json").data) == left

    shell(STOPPED)
    wrong = shell("dsmilctl -C sim emergency release --confirm local --justification 'smoke was a drill'")
    assert wrong.exit == 2
    assert "--confirm local is not the name of the context\nhint: --confirm sim" in wrong.err


def test_an_emergency_stop_never_asks(shell: Shell) -> None:
    assert shell(STOPPED).exit == 0
    with Terminal(shell, "-C", "sim", "emergency", "stop", "0x8031") as terminal:
        assert terminal.ends() == 0


def test_a_dry_run_gives_the_verdicts_of_the_real_run_and_tells_no_device_anything(shell: Shell) -> None:
    log = wire_log(shell)
    lines = (
        "device write 0x8030 CONFIG 5",
        "device write 0x8001 CONFIG 5",
        "device write 0x8030 TEMP 5",
        "device write 0x8033 CONFIG 5 --if-value 9",
        "device write 0x8009 CONFIG 5",
        "device command 0x8030 explode",
        "bulk write 0x8030-0x8031 CONFIG 5",
        "bulk write 0x8009,0x8030 CONFIG 7 --justification 'night setpoints'",
    )

    planned = [shell(f"dsmilctl -C sim {line} --dry-run -o json") for line in lines]
    told = log.exists()
    real = [shell(f"dsmilctl -C sim {line} --yes -o json") for line in lines]

    assert not told
    assert [answer.exit for answer in planned] == [answer.exit for answer in real] == [0, 1, 2, 7, 1, 2, 1, 6]
    assert [answer.err for answer in planned] == [answer.err for answer in real]
    assert planned[0].data["status"] == "PLANNED"
    assert len(log.read_text().splitlines()) == 2


def test_a_bulk_can_be_undone_with_a_plan_of_its_own(shell: Shell) -> None:
    bulk_id = shell.run(*BULK, "--yes", "-o", "json").data["id"]
    kept = shell(f"dsmilctl -C sim bulk status {bulk_id} -o json").data

    with Terminal(shell, "-C", "sim", "bulk", "undo", bulk_id) as terminal:
        terminal.waits_for("[y/N]")
        assert "write CONFIG  0x00000005  0x00000003" in terminal.seen
        terminal.types("y\n")
        assert terminal.ends() == 0

    assert kept["summary"]["successful"] == 3
    assert [config_of(shell, f"0x803{index}") for index in range(3)] == [3, 3, 3]


def test_with_read_only_nothing_is_changed_but_a_stop_stops(shell: Shell) -> None:
    for line in (
        "device write 0x8030 CONFIG 5 --yes",
        "context use local",
        "config set timeout 5",
        "sim reset -y",
        "audit restart --reason 'a new disk' --yes",
    ):
        answer = shell(f"dsmilctl --read-only -C sim {line} -o json")
        assert (answer.exit, answer.error.code) == (1, "READ_ONLY"), line
    assert shell("dsmilctl --read-only -C sim device read 0x8030").exit == 0
    assert shell(f"{STOPPED} --read-only").exit == 0
    shell("dsmilctl context add watched --driver sim --read-only")
    answer = shell("dsmilctl -C watched device write 0x8031 CONFIG 5 --yes -o json")
    assert (answer.exit, answer.error.code) == (1, "READ_ONLY")


def test_selectors_come_from_stdin_one_a_line_or_with_commas(shell: Shell) -> None:
    answer = shell("dsmilctl -C sim device read - TEMP -o json", stdin="0x8030\n0x8031,0x8032\n\n")

    assert [row["device_id"] for row in answer.data] == ["0x8030", "0x8031", "0x8032"]
    empty = shell("dsmilctl -C sim device read - -o json", stdin="\n")
    assert (empty.exit, empty.error.message) == (2, "no device on stdin")
    assert shell("dsmilctl -C sim device read -", stdin=b"\xff\x00\x1b[2J").exit == 2
