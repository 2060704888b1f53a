"""Recovery: an archive that turns out to be damaged says that there is a backup, and a person is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands.shell import Shell
from tests.commands.terminal import Terminal


@pytest.fixture
def damaged(shell: Shell) -> Path:
    """A database without its beginning, of which there is a verified backup."""
    shell("dsmilctl -C sim record run -n tour --for 0.3s")
    shell("dsmilctl backup create --name night")
    database = shell.home / "data/archive/archive.db"
    database.write_bytes(bytes(4096) + database.read_bytes()[4096:])
    return database


def test_186_a_damaged_database_is_told_with_the_way_back(shell: Shell, damaged: Path) -> None:
    for line in ("record list", "record query", "record status", "record run -n x --for 1s"):
        answer = shell(f"dsmilctl -C sim {line} -o json")

        assert (answer.exit, answer.error.code) == (1, "STATE_UNAVAILABLE")
        assert "dsmilctl backup restore last" in (answer.error.hint or "")


def test_a_person_is_asked_and_gets_the_rows_of_the_backup(shell: Shell, damaged: Path) -> None:
    content = damaged.read_bytes()

    with Terminal(shell, "record", "list") as terminal:
        terminal.waits_for("Type night to go on: ")
        terminal.types("night\n")
        assert terminal.ends() == 0

    assert "tour" in terminal.seen.partition("in its place")[2]
    assert shell("dsmilctl record check").exit == 0
    (kept,) = (shell.home / "data").glob("archive.replaced-*")
    assert (kept / "archive.db").read_bytes() == content, "what is damaged is kept aside"


def test_a_person_who_says_no_changes_nothing(shell: Shell, damaged: Path) -> None:
    content = damaged.read_bytes()

    with Terminal(shell, "record", "list") as terminal:
        terminal.waits_for("Type night to go on: ")
        terminal.types("no\n")
        assert terminal.ends() == 1

    assert damaged.read_bytes() == content


def test_178_the_check_sees_backups_whatever_their_name_and_says_what_is_wrong_with_them(
    shell: Shell,
) -> None:
    def told() -> list[str]:
        rows = shell("dsmilctl record check -o json").data
        return [row["what"] for row in rows if row["layer"] == "backups"]

    shell("dsmilctl -C sim record run -n tour --for 0.3s")
    assert told() == ["there is no backup"]
    shell("dsmilctl backup create --name before-upgrade --no-verify")
    assert told() == ["before-upgrade was never read back"]
    shell("dsmilctl backup verify last")
    assert told() == []
    (shell.home / "data/backups/before-upgrade.json").write_text("{")
    assert len(told()) == 2
