"""Bad days: configurations that are wrong, folders that cannot be written, disks that are full."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.shell import Shell, largest_file

READ = "dsmilctl -C sim device read 0x8030 CONFIG"
WRITE = "dsmilctl -C sim device write 0x8030 CONFIG 5 --yes"
STOP = "dsmilctl -C sim emergency stop 0x8030"


def settings(shell: Shell, text: str) -> Path:
    """The user's settings file with this content."""
    file = shell.home / "config/config.toml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    return file


def test_every_mistake_in_the_settings_is_told_at_once_with_its_place(shell: Shell) -> None:
    file = settings(shell, 'timeuot = 5\nretry = "many"\n\n[reconnect]\ncap = -1\n')

    answer = shell(READ)
    checked = shell("dsmilctl config validate -o json")

    assert (answer.exit, answer.out) == (2, "")
    assert "3 errors in the configuration" in answer.err
    assert f"{file}:1:1: unknown setting 'timeuot'. Did you mean timeout?" in answer.err
    assert f"{file}:2:1: retry should be a whole number of attempts" in answer.err
    assert f"{file}:5:1: reconnect.cap should be" in answer.err
    assert answer.err.splitlines()[-1] == "hint: dsmilctl config validate checks again"
    assert checked.exit == 2
    assert len(checked.data) == 3


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("config.toml", b"timeout = {", "is not TOML"),
        ("config.toml", b"\xff\xfe", "is not UTF-8"),
        ("config.yaml", b"timeout: 5", "settings are TOML"),
    ],
)
def test_a_settings_file_that_cannot_be_read_is_refused_and_named(
    shell: Shell, name: str, content: bytes, said: str
) -> None:
    settings(shell, "").unlink()
    (shell.home / "config" / name).write_bytes(content)

    answer = shell(f"{READ} -o json")

    assert (answer.exit, answer.out) == (2, "")
    assert answer.error.code == "CONFIG"
    assert name in answer.error.message and said in answer.error.message


def test_two_settings_files_side_by_side_are_refused(shell: Shell) -> None:
    settings(shell, "timeout = 5").with_suffix(".yaml").write_text("timeout: 6")

    answer = shell(READ)

    assert answer.exit == 2
    assert "only one of them can hold the settings" in answer.err


def test_a_folder_in_the_place_of_the_settings_is_refused(shell: Shell) -> None:
    settings(shell, "").unlink()
    (shell.home / "config/config.toml").mkdir()

    answer = shell(READ)

    assert answer.exit == 2
    assert "config.toml: cannot be read: Is a directory" in answer.err


def test_help_the_doctor_and_an_emergency_stop_work_whatever_is_wrong_with_the_settings(shell: Shell) -> None:
    settings(shell, "timeuot = 5")

    stop = shell(STOP)
    doctor = shell("dsmilctl doctor -o json")

    assert stop.exit == 0
    assert "1 of 1 confirmed" in stop.out
    assert "the settings are wrong, so the defaults are used" in stop.err
    assert doctor.exit == 9
    assert {"settings", "context"} <= {row["check"] for row in doctor.data if row["status"] == "problem"}
    assert shell("dsmilctl config path").exit == 0
    assert shell("dsmilctl device --help").exit == 0


def test_an_emergency_stop_finds_the_built_in_contexts_whatever_is_wrong_with_the_others(
    shell: Shell,
) -> None:
    settings(shell, "")
    (shell.home / "config/contexts.toml").write_text("[[contexts]")
    (shell.home / "config/policy.yaml").write_text("x: [")

    assert shell(READ).exit == 2
    assert shell(STOP).exit == 0
    unknown = shell("dsmilctl -C plant emergency stop")
    assert unknown.exit == 2
    assert "NOTHING WAS STOPPED" in unknown.err
    assert "contexts.toml:1:11" in unknown.err


@pytest.mark.parametrize("options", ["-o jsn", "--fields nonsense -o json", "--log-file /", "--progress bar"])
def test_no_option_about_the_output_keeps_an_emergency_stop_from_stopping(shell: Shell, options: str) -> None:
    answer = shell(f"{STOP} {options}")

    assert answer.exit == 0
    assert "warning" in answer.err
    assert "stop-" in answer.out
    assert len(shell("dsmilctl -C sim emergency status -o json").data) == 1


def test_a_policy_that_is_damaged_lets_nothing_be_changed_and_everything_be_read(shell: Shell) -> None:
    settings(shell, "")
    (shell.home / "config/policy.yaml").write_text("policies: [")

    assert shell(READ).exit == 0
    refused = shell(f"{WRITE} -o json")
    assert refused.exit == 1
    assert refused.error.code == "STATE_UNAVAILABLE"
    assert "policy.yaml" in refused.error.message


def test_validate_finds_a_context_that_is_not_there_and_a_policy_that_cannot_be_used(shell: Shell) -> None:
    settings(shell, 'context = "nosuch"\n')
    (shell.home / "config/policy.yaml").write_text("policies: [")

    found = shell("dsmilctl config validate -o json")

    assert found.exit == 2
    assert f"{shell.home}/config/config.toml:1: no context 'nosuch'" in found.out
    assert "policy.yaml:" in found.out


def test_without_a_state_folder_reads_go_on_changes_are_refused_and_a_stop_is_tried(shell: Shell) -> None:
    (shell.home / "state").write_text("a file where the folder should be")

    assert shell(READ).exit == 0
    assert shell("dsmilctl -C sim device list 0x8030").exit == 0
    assert shell("dsmilctl -C sim stream devices 0x8030 --count 1").exit == 0
    refused = shell(f"{WRITE} -o json")
    assert refused.exit == 1
    assert refused.error.code in ("STATE_UNAVAILABLE", "EMERGENCY_STOP")
    assert str(shell.home / "state") in refused.error.message
    stop = shell(f"{STOP} --deadline 0.3")
    assert stop.exit == 8, "the simulator cannot keep what it is told"
    assert "0 of 1 confirmed" in stop.out
    assert "cannot be latched" in stop.err
    doctor = shell("dsmilctl doctor -o json")
    assert {"check": "state folder", "status": "problem"}.items() <= next(
        row.items() for row in doctor.data if row["check"] == "state folder"
    )


def test_a_folder_that_nobody_may_enter_holds_up_neither_a_stop_nor_the_doctor(shell: Shell) -> None:
    shut = shell.home / "shut"
    shut.mkdir(mode=0o000)
    there = {"DSMIL_HOME": str(shut)}
    try:
        stop = shell(f"{plain()} {STOP} --deadline 0.3", environment=there)
        doctor = shell(f"{plain()} dsmilctl doctor -o json", environment=there)
    finally:
        shut.chmod(0o700)

    assert stop.exit == 8, "the simulator cannot keep what it is told"
    assert "0 of 1 confirmed" in stop.out
    assert "NOT LATCHED" in stop.err
    assert doctor.exit == 9
    rows = {row["check"]: row for row in doctor.data}
    for name in ("state folder", "data folder", "secrets"):
        assert rows[name]["status"] == "problem"
        assert rows[name]["fix"] == f"chmod u+rwx {shut}"


def plain() -> str:
    """What makes a command obey the modes of files, which root alone does not."""
    return "setpriv --bounding-set -all --inh-caps -all" if os.geteuid() == 0 else ""


def test_a_journal_that_cannot_be_written_lets_nothing_be_changed(shell: Shell) -> None:
    shell(WRITE)
    lock = next((shell.home / "state").glob("journal*.lock"))
    lock.unlink()
    lock.mkdir()

    refused = shell(f"{WRITE} -o json")
    bulk = shell(
        "dsmilctl -C sim bulk write 0x8030-0x8031 CONFIG 6 --justification 'night setpoints' --yes -o json"
    )

    assert (refused.exit, bulk.exit) == (1, 1)
    assert refused.error.code == "STATE_UNAVAILABLE"
    assert shell(f"{READ} -o json").data[0]["value"] == 5
    stop = shell(STOP)
    assert stop.exit == 0
    assert "the journal missed emergency.stop" in stop.err


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk that has room for a few small files only."""
    folder = tmp_path / "full"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=64", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_on_a_full_disk_reads_go_on_changes_are_refused_and_an_emergency_stop_goes_ahead(
    full: Path, shell: Shell
) -> None:
    shell.environment["DSMIL_HOME"] = str(full)
    assert shell(WRITE).exit == 0
    filler = full / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass  # full now

    assert shell(READ).exit == 0
    refused = shell(f"{WRITE} -o json")
    assert refused.exit == 1
    assert refused.error.code == "STATE_UNAVAILABLE"
    stop = shell(f"{STOP} --deadline 0.5")
    assert stop.exit in (0, 8)
    assert "stop-" in stop.out
    filler.unlink()
    assert shell("dsmilctl audit verify").exit == 0
    assert shell(READ).exit == 0


def test_output_that_does_not_fit_on_the_disk_is_an_error(shell: Shell) -> None:
    answer = shell("dsmilctl -C sim device list -o json > /dev/full")

    assert answer.exit == 1
    assert answer.err.startswith('{"error":{"code":"STATE_UNAVAILABLE"')
    assert "standard output: No space left on device" in answer.err


UNMEASURED = {"COVERAGE_PROCESS_START": "", "COVERAGE_PROCESS_CONFIG": "", "COVERAGE_LINES": ""}
"""Coverage would want to write a file of its own at the end, and could not either."""


def test_a_file_that_may_not_grow_is_told_and_nothing_is_changed(shell: Shell) -> None:
    shell(WRITE)

    answer = shell.run(
        *WRITE.split()[1:4],
        "write",
        "0x8030",
        "CONFIG",
        "9",
        "--yes",
        limits=largest_file(64),
        environment=UNMEASURED,
    )

    assert answer.exit == 1
    assert answer.err.startswith("dsmilctl: ")
    assert shell(f"{READ} -o json").data[0]["value"] == 5


@pytest.mark.parametrize("form", ["table", "json"])
def test_a_stop_that_is_latched_nowhere_does_not_look_like_one_that_holds(shell: Shell, form: str) -> None:
    shell(READ)

    stop = shell.run(
        *STOP.split()[1:],
        "-o",
        form,
        limits=largest_file(0),
        environment={**UNMEASURED, "DSMIL_SIM_OPTIONS": '{"persist": false}'},
    )

    assert stop.exit == 8
    assert "NOT LATCHED: nothing keeps anybody from changing the devices again" in stop.err
    if form == "json":
        assert (stop.data["latched"], stop.data["unconfirmed"]) == (False, [])
    else:
        assert "1 of 1 confirmed" in stop.out
    assert shell(f"{WRITE}").exit == 0, "as it said"


def test_a_stop_that_is_latched_until_the_next_boot_holds_and_says_so(shell: Shell) -> None:
    shell(READ)
    (shell.home / "state/latch").write_text("a file where the folder should be")

    stop = shell(f"{STOP} -o json")
    (shell.home / "state/latch").unlink()

    assert (stop.exit, stop.data["latched"]) == (0, True)
    assert "until that can be written" in stop.data["latch_error"]
    assert shell(f"{WRITE} -o json").error.code == "EMERGENCY_STOP"


def test_stdin_that_is_closed_is_nobody_who_could_confirm(shell: Shell) -> None:
    answer = shell("dsmilctl -C sim device write 0x8030 CONFIG 5 <&-")

    assert answer.exit == 2
    assert "nobody is here to confirm it" in answer.err


def test_stdout_and_stderr_that_are_closed_keep_no_command_from_its_work(shell: Shell) -> None:
    assert shell(f"{WRITE} >&- 2>&-").exit == 0
    assert shell("dsmilctl --version >&-").exit == 0
    assert shell("dsmilctl -C sim device raed 2>&-").exit == 2
    assert json.loads(shell(f"{READ} -o json").out)["data"][0]["value"] == 5
