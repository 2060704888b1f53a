"""`dsmilctl backup`: back up, list, verify and restore, as a person or a script does it."""

from __future__ import annotations

import pytest

from tests.commands.shell import Shell

FIELDS = {"name", "created", "size", "files", "recordings", "rows", "verified"}


@pytest.fixture
def recorded(shell: Shell) -> int:
    """How many readings were recorded into the archive of this home."""
    done = shell("dsmilctl -C sim record run -n tour --for 0.5s --interval 0.1 @all TEMP -o json")
    return int(done.data["readings"])


def test_the_tour_of_record_report_backup_loss_restore_and_check_gives_the_same_rows(
    shell: Shell, recorded: int
) -> None:
    rows = shell("dsmilctl record query -o json").data

    made = shell("dsmilctl backup create --name tour -o json")
    shell("rm -r data/archive")
    assert shell("dsmilctl record query").exit == 2
    restored = shell("dsmilctl backup restore tour --confirm tour -o json")

    assert made.exit == restored.exit == 0
    assert set(made.data) >= FIELDS
    assert (made.data["recordings"], made.data["rows"]) == (1, recorded)
    assert made.data["verified"] is not None
    assert shell("dsmilctl record query -o json").data == rows
    assert shell("dsmilctl record check").exit == 0


def test_backups_are_listed_newest_first_with_stable_fields(shell: Shell, recorded: int) -> None:
    assert shell("dsmilctl backup list -o json").data == []
    shell("dsmilctl backup create")
    shell("dsmilctl backup create --name second --no-verify")

    found = shell("dsmilctl backup list -o json").data

    assert found[0]["name"] == "second"
    assert all(set(row) == FIELDS for row in found)
    assert [row["verified"] is None for row in found] == [True, False]
    shown = shell("dsmilctl backup show second -o json").data
    assert shown["tables"]["readings"] == recorded
    assert "archive/archive.db" in {entry["name"] for entry in shown["contents"]}


def test_a_damaged_backup_ends_verify_with_9_names_the_file_and_is_not_restored(
    shell: Shell, recorded: int
) -> None:
    shell("dsmilctl backup create --name x")
    shell("dsmilctl backup verify x")
    victim = max((shell.home / "data/backups/objects").iterdir(), key=lambda path: path.stat().st_size)
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 16
    victim.write_bytes(content)
    before = shell("dsmilctl record query -o json").data

    verified = shell("dsmilctl backup verify x -o json")
    restored = shell("dsmilctl backup restore x --confirm x -o json")

    assert (verified.exit, restored.exit) == (9, 9)
    assert {row["where"] for row in verified.data} == {f"objects/{victim.name}"}
    assert restored.error.code == "CHECK_FAILED"
    assert victim.name in restored.error.message
    assert shell("dsmilctl record query -o json").data == before


def test_a_restore_backs_up_what_is_there_and_needs_the_name_typed(shell: Shell, recorded: int) -> None:
    shell("dsmilctl backup create --name first")
    shell("dsmilctl -C sim record run -n later --for 0.3s")

    unasked = shell("dsmilctl backup restore first -o json")
    wrong = shell("dsmilctl backup restore first --confirm frist -o json")
    restored = shell("dsmilctl backup restore first --confirm first -o json")

    assert unasked.error.code == wrong.error.code == "CONFIRMATION_REQUIRED"
    assert unasked.exit == wrong.exit == 2
    assert len(shell("dsmilctl record list -o json").data) == 1
    back = restored.data["saved"]
    assert shell(f"dsmilctl backup restore {back} --confirm {back}").exit == 0
    assert len(shell("dsmilctl record list -o json").data) == 2


def test_a_restore_is_refused_with_7_while_a_recorder_is_at_work(shell: Shell, recorded: int) -> None:
    shell("dsmilctl backup create --name x")

    line = "dsmilctl backup restore x --confirm x -o json"
    answer = shell(f"dsmilctl -C sim record run -n outer -- {line}")

    assert answer.exit == 7
    assert "another recorder is at work" in answer.err


def test_a_backup_that_there_is_not_is_told_with_the_nearest(shell: Shell, recorded: int) -> None:
    shell("dsmilctl backup create --name nightly")

    answer = shell("dsmilctl backup restore nihgtly --confirm nihgtly -o json")

    assert (answer.exit, answer.error.code) == (2, "NOT_FOUND")
    assert answer.error.hint == "Did you mean nightly?"


def test_settings_policy_and_journal_come_along_and_tokens_do_not_and_that_is_said(
    shell: Shell, recorded: int
) -> None:
    (shell.home / "config").mkdir(exist_ok=True)
    (shell.home / "config/config.toml").write_text("retry = 2\n")
    (shell.home / "state/tokens").mkdir(mode=0o700, parents=True, exist_ok=True)
    (shell.home / "state/tokens/plant").write_text("hush-hush")
    shell("dsmilctl -C sim device write 0x8001 CONFIG 5 --yes")
    (shell.home / "config/contexts.toml").write_text("[far]\nurl = 'http://ada:hush-hush@vault'\n")

    made = shell("dsmilctl backup create --name x -o json")
    shell("dsmilctl backup restore x --to out")

    assert "config/contexts.toml, state/tokens/plant" in made.err
    assert (shell.home / "out/config/config.toml").read_text() == "retry = 2\n"
    assert list((shell.home / "out/state").glob("journal-*.jsonl"))
    everything = b"".join(path.read_bytes() for path in (shell.home / "out").rglob("*") if path.is_file())
    assert b"hush-hush" not in everything


def test_a_backup_under_read_only_lets_none_go(shell: Shell, recorded: int) -> None:
    shell("dsmilctl backup create --name one")

    refused = shell("dsmilctl --read-only backup create --name two --keep last=1 -o json")

    assert (refused.exit, refused.error.code) == (1, "READ_ONLY")
    assert shell("dsmilctl --read-only backup create --name three").exit == 0
    assert [row["name"] for row in shell("dsmilctl backup list -o json").data] == ["three", "one"]


def test_old_backups_go_by_the_rules_and_only_when_somebody_says_so(shell: Shell, recorded: int) -> None:
    for name in ("one", "two", "three"):
        shell(f"dsmilctl backup create --name {name}")

    dry = shell("dsmilctl backup prune --keep-last 1 --dry-run -o json")
    unasked = shell("dsmilctl backup prune --keep-last 1 -o json")
    nothing = shell("dsmilctl backup prune --yes -o json")
    assert [row["action"] for row in dry.data] == ["keep", "remove", "remove"]
    assert unasked.error.code == "CONFIRMATION_REQUIRED"
    assert (nothing.exit, nothing.error.code) == (2, "INVALID_PARAMETER")
    assert len(shell("dsmilctl backup list -o json").data) == 3

    assert shell("dsmilctl backup prune --keep-last 1 --yes").exit == 0

    assert [row["name"] for row in shell("dsmilctl backup list -o json").data] == ["three"]
    assert shell("dsmilctl backup verify --all").exit == 0


def test_an_encrypted_backup_takes_secrets_along_and_opens_with_its_passphrase_only(
    shell: Shell, recorded: int
) -> None:
    (shell.home / "state/tokens").mkdir(mode=0o700, parents=True, exist_ok=True)
    (shell.home / "state/tokens/plant").write_text("hush-hush")
    (shell.home / "phrase").write_text("correct horse\n")
    key = {"DSMIL_BACKUP_PASSPHRASE": "correct horse"}

    made = shell("dsmilctl backup create --encrypt --name x -o json", environment=key)
    again = shell("dsmilctl backup create --encrypt --passphrase-file phrase -o json")

    assert (made.exit, again.exit) == (0, 0)
    assert made.data["verified"] is not None
    assert again.data["stored"] == 0
    assert len(shell("dsmilctl backup list -o json").data) == 2, "what there is needs no passphrase"
    unasked = shell("dsmilctl backup verify x -o json")
    wrong = shell("dsmilctl backup restore x --to out -o json", environment={"DSMIL_BACKUP_PASSPHRASE": "no"})
    assert (unasked.exit, unasked.error.code) == (2, "CONFIRMATION_REQUIRED")
    assert (wrong.exit, wrong.error.code) == (4, "AUTHENTICATION_FAILED")
    assert not (shell.home / "out").exists()
    assert shell("dsmilctl backup restore x --to out", environment=key).exit == 0
    assert (shell.home / "out/state/tokens/plant").read_text() == "hush-hush"


def test_without_pyrage_an_encrypted_backup_names_the_extra_to_install(shell: Shell, recorded: int) -> None:
    (shell.home / "sitecustomize.py").write_text(
        "import importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'pyrage' else find(name, *rest)\n"
    )

    answer = shell("dsmilctl backup create --encrypt -o json", environment={"PYTHONPATH": str(shell.home)})

    assert (answer.exit, answer.error.code) == (2, "MISSING_EXTRA")
    assert "dsmilctl[backup]" in (answer.error.hint or "")


def test_one_recording_of_a_backup_is_added_to_the_archive(shell: Shell, recorded: int) -> None:
    shell("dsmilctl backup create --name x")
    shell("rm -r data/archive")
    shell("dsmilctl -C sim record run -n later --for 0.3s")

    restored = shell("dsmilctl backup restore x --recording tour -o json")
    again = shell("dsmilctl backup restore x --recording tour -o json")

    assert restored.exit == 0
    assert {row["name"] for row in shell("dsmilctl record list -o json").data} == {"tour", "later"}
    assert shell("dsmilctl record show tour -o json").data["readings"] == recorded
    assert (again.exit, again.error.code) == (7, "CONFLICT")
    assert shell("dsmilctl record check").exit == 0


def test_the_size_of_a_backup_is_that_of_the_files_in_it(shell: Shell, recorded: int) -> None:
    archive = shell.home / "data/archive"

    made = shell("dsmilctl backup create -o json").data

    files = [archive / "archive.db", *(archive / "segments").iterdir()]
    assert (made["files"], made["size"]) == (len(files), sum(file.stat().st_size for file in files))
