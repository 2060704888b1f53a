"""Exit codes: each one that can be reached now, and what stands on stdout and stderr with it."""

from __future__ import annotations

import json

import pytest

from dsmilctl.diagnostics import EXIT_CODES
from tests.commands.shell import STILL, Shell, Variables

ELSEWHERE = {4, 129, 130, 141, 143}
"""4 needs accounts, which a server has; the signals and the closed pipe have tests of their own."""

CASES = {
    0: ("-C sim device read 0x8030", [], None),
    1: ("-C sim device read 0x8009", [], None),
    2: ("-C sim device read 0x9999", [], "DEVICE_NOT_FOUND"),
    3: ("-C sim device read 0x8031", ["disconnect:0x8031"], None),
    5: ("-C sim --timeout 30 --deadline 0.3 device read 0x8031", ["silent:0x8031"], "TIMEOUT"),
    6: ("-C sim device read 0x8030-0x8031", ["disconnect:0x8031"], None),
    7: ("-C sim device write 0x8030 CONFIG 5 --if-value 4 --yes", [], "CONFLICT"),
    8: ("-C sim emergency stop 0x8030-0x8031 --deadline 0.3", ["silent:0x8031"], None),
    9: ("audit verify", [], None),
}
"""Exit code → a line that ends with it, the faults of the simulator, the code of the error on stderr."""


def faulty(faults: list[str]) -> Variables:
    return {"DSMIL_SIM_OPTIONS": json.dumps(json.loads(STILL["DSMIL_SIM_OPTIONS"]) | {"faults": faults})}


def test_every_exit_code_that_help_tells_of_is_tried() -> None:
    assert set(CASES) | ELSEWHERE == set(EXIT_CODES)


@pytest.mark.parametrize("status", CASES)
def test_a_line_ends_with_the_exit_code_that_scripts_rely_on(shell: Shell, status: int) -> None:
    line, faults, code = CASES[status]
    if status == 9:
        shell("dsmilctl -C sim device write 0x8030 CONFIG 5 --yes")
        journal = next((shell.home / "state").glob("journal-*.jsonl"))
        journal.write_bytes(journal.read_bytes().replace(b'"value":5', b'"value":6', 1))

    answer = shell(f"dsmilctl {line} -o json", environment=faulty(faults))

    assert answer.exit == status
    if code:
        assert (answer.out, answer.error.code) == ("", code)
    else:
        assert answer.json["schema"].startswith("dsmilctl/")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("device write 0x8030 CONFIG 5 --yes", "EMERGENCY_STOP"),
        ("device write 0x8009 CONFIG 5 --justification 'to see it refused' --yes", "DEVICE_QUARANTINED"),
        ("device write 0x8001 CONFIG 5 --yes", "JUSTIFICATION_REQUIRED"),
        ("--read-only device write 0x8031 CONFIG 5 --yes", "READ_ONLY"),
    ],
)
def test_a_refusal_ends_with_1_and_says_which_one(shell: Shell, line: str, code: str) -> None:
    shell("dsmilctl -C sim emergency stop 0x8030")

    answer = shell(f"dsmilctl -C sim {line} -o json")

    assert (answer.exit, answer.out, answer.error.code) == (1, "", code)
    assert answer.error.hint


@pytest.mark.parametrize("verb", ["initialize", "connect", "disconnect", "cleanup"])
@pytest.mark.parametrize(
    ("targets", "status"), [("0x8009", 1), ("0x8009-0x800B", 1), ("0x8009,0x8030", 6), ("0x8030", 0)]
)
def test_a_lifecycle_verb_that_quarantine_refuses_ends_with_1_and_with_6_where_some_went(
    shell: Shell, verb: str, targets: str, status: int
) -> None:
    answer = shell(f"dsmilctl -C sim device {verb} {targets} -o json")

    assert answer.exit == status
    assert [bool(row["reason"]) for row in answer.data] == ["quarantined" in str(row) for row in answer.data]


def test_a_device_that_cannot_be_reached_ends_a_lifecycle_verb_with_3(shell: Shell) -> None:
    answer = shell("dsmilctl -C sim device connect 0x8031 -o json", environment=faulty(["disconnect:0x8031"]))

    assert (answer.exit, bool(answer.data[0]["reason"])) == (3, True)


def test_health_says_that_it_looked_at_the_end_of_the_journal_only(shell: Shell) -> None:
    shell("dsmilctl -C sim device write 0x8030 CONFIG 5 --yes")
    shell("dsmilctl -C sim device write 0x8030 CONFIG 6 --yes")
    journal = next((shell.home / "state").glob("journal-*.jsonl"))
    journal.write_bytes(journal.read_bytes().replace(b'"value":5', b'"value":7', 1))

    health = shell("dsmilctl -C sim system health")
    document = shell("dsmilctl -C sim system health -o json")

    row = next(line for line in health.out.splitlines() if line.split()[:1] == ["journal"])
    assert row.split()[1] == "ok"
    assert row.endswith("and its end; the whole of it: dsmilctl audit verify")
    assert document.data["components"]["journal"] == "ok"
    assert document.data["checked"].keys() == document.data["components"].keys()
    assert shell("dsmilctl audit verify").exit == 9


def test_a_bulk_of_which_some_failed_ends_with_6_and_shows_every_result(shell: Shell) -> None:
    line = "bulk write 0x8009,0x8030 CONFIG 5 --justification 'night setpoints' --yes -o json"

    answer = shell(f"dsmilctl -C sim {line}")

    assert answer.exit == 6
    assert [row["status"] for row in answer.data["results"]] == ["DENIED", "SUCCESS"]
    assert answer.data["summary"] == {
        "total": 2,
        "successful": 1,
        "failed": 0,
        "denied": 1,
        "timeouts": 0,
    }


def test_reading_one_after_the_other_can_stop_at_the_first_failure(shell: Shell) -> None:
    line = "dsmilctl -C sim bulk read 0x8030-0x8033 TEMP --stop-on-error -o json"

    answer = shell(line, environment=faulty(["disconnect:0x8031"]))

    assert answer.exit == 6
    assert [row["device_id"] for row in answer.data["results"]] == ["0x8030", "0x8031"]
