"""What is made cannot be unmade by how it is shown, and what is refused leaves evidence."""

from __future__ import annotations

import re
import shlex

import pytest

from dsmilctl.commands.stop_line import StopLine, read_stop_line
from tests.commands.shell import Shell


@pytest.mark.parametrize("option", ["--fields nope", "--jq '.data|error(\"no\")'"])
def test_a_change_is_shown_whole_where_the_format_does_not_fit_it(shell: Shell, option: str) -> None:
    answer = shell(f"dsmilctl -C sim device write 0x8030 CONFIG 5 --yes {option}")

    assert answer.exit == 0
    assert "SUCCESS" in answer.out
    assert "everything is shown instead" in answer.err


@pytest.mark.parametrize(
    "line", ["record token begin 0x481 --archive archive", "record run -n tour --for 300ms --archive archive"]
)
def test_what_was_made_is_shown_whole_where_the_fields_do_not_fit_it(shell: Shell, line: str) -> None:
    answer = shell(f"dsmilctl -C sim {line} --fields nope -o json")

    assert answer.exit == 0, answer.err
    assert answer.data["recording_id"]
    assert "everything is shown instead" in answer.err


def test_the_id_that_undoes_a_bulk_is_shown_whatever_fields_are_asked_for(shell: Shell) -> None:
    answer = shell(
        "dsmilctl -C sim bulk write 0x8030-0x8031 CONFIG 7 --yes --justification 'a new setpoint'"
        " -o json --fields nope"
    )

    assert answer.exit == 0
    assert shell(f"dsmilctl -C sim bulk undo {answer.data['id']} --yes").exit == 0


def test_a_plan_that_is_refused_wholly_is_in_the_journal(shell: Shell) -> None:
    refused = shell("dsmilctl -C sim device reset 0x8000-0x8001 --yes")

    assert refused.exit == 1
    records = shell("dsmilctl -C sim audit log --outcome DENIED -o json").data
    assert [record["target"] for record in records] == ["0x8001", "0x8000"]
    assert {record["action"] for record in records} == {"device.reset"}


def test_a_dry_run_that_is_refused_leaves_nothing(shell: Shell) -> None:
    shell("dsmilctl -C sim device reset 0x8000-0x8001 --dry-run")

    assert shell("dsmilctl -C sim audit log -o json").data == []


@pytest.mark.parametrize(
    "line", ["--deadline 2x", "--deadline 500ms", "--yes", "-y", "-o nonsense", "--fields nope"]
)
def test_a_slip_in_an_option_holds_no_stop_up(shell: Shell, line: str) -> None:
    answer = shell(f"dsmilctl -C sim emergency stop {line}")

    assert answer.exit == 0
    assert len(shell("dsmilctl -C sim emergency status -o json").data) == 1


@pytest.mark.parametrize(
    "line",
    [
        "dsmilctl -C simm emergency stop",
        "dsmilctl -C sim --timeout abc emergency stop",
        "dsmilctl -C sim emergency stop --reason",
        "dsmilctl -C sim emergency stop --nonsense",
        "dsmilctl -C sim emergency stop 0x9999",
    ],
)
def test_a_stop_that_was_not_understood_says_so_first(shell: Shell, line: str) -> None:
    answer = shell(line)

    assert answer.exit == 2
    assert "NOTHING WAS STOPPED" in answer.err
    assert shell("dsmilctl -C sim emergency status -o json").data == []


def test_durations_have_units_everywhere(shell: Shell) -> None:
    answer = shell(
        "dsmilctl -C sim --timeout 500ms --deadline 1m stream devices 0x8000 --interval 100ms --for 300ms"
    )

    assert answer.exit == 0
    assert answer.lines[0]["interval"] == 0.1
    assert answer.lines[-1]["reason"] == "time"


@pytest.mark.parametrize("line", ["-C sim emergency stop", "--context sim emergency stop", "emergency stop"])
def test_the_plainest_stop_waits_for_no_parser_and_is_the_same_stop(shell: Shell, line: str) -> None:
    shell("dsmilctl context use sim")

    quick = shell(f"dsmilctl {line}", environment={"PYTHONPROFILEIMPORTTIME": "1"})
    parsed = shell(f"dsmilctl {line} --yes", environment={"PYTHONPROFILEIMPORTTIME": "1"})
    stops = shell("dsmilctl -C sim emergency status -o json").data

    assert (quick.exit, parsed.exit) == (0, 0)
    assert "84 of 84 confirmed" in quick.out and "84 of 84 confirmed" in parsed.out
    assert not re.search(r"\| +typer$", quick.err, re.MULTILINE)
    assert re.search(r"\| +typer$", parsed.err, re.MULTILINE)
    assert [stop["scope"] for stop in stops] == ["@all", "@all"]
    assert [len(stop["confirmed"]) for stop in stops] == [84, 84]


@pytest.mark.parametrize(
    ("line", "order"),
    [
        ("emergency stop", StopLine()),
        ("-C sim emergency stop", StopLine(context="sim")),
        ("--context=sim emergency stop", StopLine(context="sim")),
        ("emergency stop -C sim --json", StopLine(context="sim", output="json")),
        ("emergency stop --reason 'smoke in -C hall'", StopLine(reason="smoke in -C hall")),
        ("emergency stop --reason=fire --deadline 500ms", StopLine(reason="fire", deadline="500ms")),
        ("-o json emergency stop", StopLine(output="json")),
        ("emergency stop 0x8030", None),
        ("emergency stop --reason", None),
        ("emergency stop --reason ''", None),
        ("emergency stop --reason -C", None),
        ("emergency --reason fire stop", None),
        ("--deadline 2s emergency stop", None),
        ("emergency stop -C sim -C local", None),
        ("emergency stop -o json --json", None),
        ("emergency stop --yes", None),
        ("emergency stop --help", None),
        ("emergency status", None),
        ("stop emergency", None),
        ("-C emergency stop", None),
        ("--read-only emergency stop", None),
    ],
)
def test_a_line_is_taken_for_a_stop_of_everything_when_it_says_no_more(
    line: str, order: StopLine | None
) -> None:
    assert read_stop_line(shlex.split(line)) == order


def test_a_stop_with_a_reason_as_json_needs_no_parser_and_says_all_of_it(shell: Shell) -> None:
    line = "emergency stop -C sim --reason 'smoke in the hall' -o json"

    quick = shell(f"dsmilctl {line}", environment={"PYTHONPROFILEIMPORTTIME": "1"})

    assert quick.exit == 0
    assert quick.data["reason"] == "emergency stop: smoke in the hall"
    assert len(quick.data["confirmed"]) == len(quick.data["devices"]) == 84
    assert not re.search(r"\| +typer$", quick.err, re.MULTILINE)
