"""`dsmilctl record token`: the test of a token from its beginning to its end, as a script does it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.archive.old_files import response, token_test, write_database
from tests.commands.shell import Shell


def machine(tmp_path: Path) -> str:
    """The root of a machine with Dell's tokens and one warm zone."""
    tokens = tmp_path / "machine/sys/devices/platform/dell-smbios.0/tokens"
    tokens.mkdir(parents=True)
    (tokens / "0481_location").write_text("0x0031\n")
    (tokens / "0481_value").write_text("0x0002\n")
    zone = tmp_path / "machine/sys/class/thermal/thermal_zone0"
    zone.mkdir(parents=True)
    (zone / "type").write_text("x86_pkg_temp\n")
    (zone / "temp").write_text("61000\n")
    return str(tmp_path / "machine")


def test_a_test_without_a_recorder_gets_a_recording_of_its_own_with_values_and_temperatures(
    shell: Shell,
) -> None:
    begun = shell("dsmilctl -C sim record token begin 0x481 --set 1 --expect 1 -o json")
    assert begun.exit == 0, begun.err
    assert (begun.data["group_id"], begun.data["source"]) == (0, "0x8001 STATUS")
    assert begun.data["operation_type"] == "write"

    ended = shell("dsmilctl -C sim record token end 0x481 --retries 2 --notes fine -o json").data

    assert (ended["outcome"], ended["retry_count"], ended["notes"]) == ("success", 2, "fine")
    assert ended["final_value"] == begun.data["initial_value"]
    assert ended["duration_ms"] > 0
    assert 0 < ended["temperature_before"] < 125
    assert 0 < ended["temperature_after"] < 125
    (recording,) = shell("dsmilctl record list -o json").data
    assert (recording["type"], recording["status"]) == ("single", "completed")
    assert shell("dsmilctl record check").exit == 0


def test_fault_153_values_come_from_the_kernels_tokens_where_the_context_has_them(
    shell: Shell, tmp_path: Path
) -> None:
    context = shell(f"dsmilctl context add dell --driver host --option root={machine(tmp_path)}")
    assert context.exit == 0, context.err

    begun = shell("dsmilctl -C dell record token begin 0x481 -o json")

    assert (begun.data["initial_value"], begun.data["source"]) == ("0x00000002", "tokens 0x0481_value")
    ended = shell("dsmilctl -C dell record token end -o json").data
    assert ended["temperature_before"] == ended["temperature_after"] == 61


def test_while_a_recording_runs_its_tests_go_into_it(shell: Shell) -> None:
    inner = (
        "dsmilctl -C sim record token begin 0x4C7; dsmilctl -C sim record token end --error E7 --message no"
    )

    outer = shell(f"dsmilctl -C sim record run -n outer -o json -- sh -c '{inner}'")

    assert outer.exit == 0
    shown = shell("dsmilctl record show outer -o json").data
    assert shown["token_tests"] == 1
    (test,) = shell("dsmilctl record token list --outcome failed --recording outer -o json").data
    assert (test["group_id"], test["device_id"]) == (5, 11)
    assert (test["error_code"], test["error_message"], test["success"]) == ("E7", "no", False)
    assert shell("dsmilctl record check").exit == 0


def test_a_quarantined_device_is_not_asked_for_the_value_of_its_token(shell: Shell) -> None:
    begun = shell("dsmilctl -C sim record token begin 0x489 -o json").data

    assert (begun["initial_value"], begun["source"]) == (None, None)
    assert shell("dsmilctl -C sim audit log -o json").data == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("begin 0x47F", "0x47F is none of the 72 tokens"),
        ("begin", "which token"),
        ("bgin 0x480", "no action"),
        ("end", "there is no archive"),
        ("list --final 1", "--final is not for list"),
        ("begin 0x480 --retries 1", "--retries is not for begin"),
        ("begin 0x480 --method telepathy", "telepathy"),
        ("list --outcome maybe", "no outcome 'maybe'"),
    ],
)
def test_a_wrong_line_is_told_and_ends_with_2(shell: Shell, line: str, says: str) -> None:
    answer = shell(f"dsmilctl -C sim record token {line}")

    assert answer.exit == 2
    assert says in answer.err


def test_a_test_shows_the_operations_that_came_with_it_and_in_the_window_behind_it(shell: Shell) -> None:
    write = "dsmilctl -C sim device write 0x8001 CONFIG 5 --yes --justification 'tested at night'"
    script = f"dsmilctl -C sim record token begin 0x481; {write}; dsmilctl -C sim record token end; {write}"
    (shell.home / "script.sh").write_text(script)

    outer = shell("dsmilctl -C sim record run -n outer -o json -- sh script.sh")

    assert outer.exit == 0, outer.err
    show = "dsmilctl record token show 0x481 -o json"
    wide = shell(show, environment={"DSMIL_ARCHIVE__CORRELATION_WINDOW": "60"}).data["tied"]
    narrow = shell(show, environment={"DSMIL_ARCHIVE__CORRELATION_WINDOW": "0"}).data["tied"]
    assert [(item["kind"], item["what"]) for item in wide] == 2 * [
        ("operation", "device.write 0x8001: SUCCESS")
    ]
    assert [item["strength"] for item in narrow] == [1.0]
    assert 0 < wide[1]["strength"] < 1
    assert shell("dsmilctl record token show 0x482").exit == 2


def test_an_old_database_is_imported_and_what_was_repaired_is_said(shell: Shell) -> None:
    tests = [token_test(), token_test(test_id=8, token_id=5)]
    write_database(shell.home / "old.db", token_tests=tests, dsmil_responses=[response()])

    answer = shell("dsmilctl record import old.db -o json")

    assert answer.exit == 0
    assert answer.data["rows"] == {"token_tests": 1, "discovery_log": 1, "dsmil_responses": 1}
    assert answer.data["repaired"]["groups 96 to 101"] == 1
    assert "none of the 72" in answer.err
    (test,) = shell("dsmilctl record token list -o json").data
    assert (test["token"], test["group_id"], test["outcome"]) == ("0x4C7", 5, "success")
    assert shell("dsmilctl record check").exit == 0


def test_an_old_dsm_file_is_refused(shell: Shell) -> None:
    (shell.home / "old.dsm").write_bytes(b"DSML\x01\x00\x00\x00")

    answer = shell("dsmilctl record import old.dsm")

    assert answer.exit == 2
    assert "pickled objects, which are never loaded" in answer.err
