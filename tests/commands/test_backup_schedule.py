"""`dsmilctl backup schedule`: what makes backups by itself, and how one that fails is seen."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmilctl.archive.backup.attempts import Attempt
from dsmilctl.archive.backup.schedule import Schedule, every_of, policy_of
from dsmilctl.clock import NANOSECONDS
from dsmilctl.errors import InvalidParameter
from tests.commands.shell import Shell

HOUR = 3600 * NANOSECONDS


def program(shell: Shell, name: str, script: str) -> None:
    """A program of that name in the PATH of a shell."""
    file = shell.home / "bin" / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


@pytest.fixture
def cron(shell: Shell) -> Path:
    """A machine with cron and without systemd of the user; the crontab is a file."""
    crontab = shell.home / "crontab.txt"
    program(shell, "systemctl", "exit 1")
    program(
        shell, "crontab",
        f'if [ "$1" = -l ]; then cat {crontab}; else cat > {crontab}.new && mv {crontab}.* {crontab}; fi',
    )  # fmt: skip
    return crontab


@pytest.fixture
def systemd(shell: Shell) -> Path:
    """A machine with systemd of the user; what systemctl is asked for is kept."""
    asked = shell.home / "asked.txt"
    program(shell, "systemctl", f'echo "$@" >> {asked}')
    program(shell, "crontab", "exit 1")
    shell.environment["XDG_CONFIG_HOME"] = str(shell.home / "xdg")
    return asked


def test_what_would_be_installed_is_printed_and_nothing_is_changed(shell: Shell, cron: Path) -> None:
    printed = shell("dsmilctl backup schedule --every 6h --to s3://vault/x -o json").data

    assert "OnCalendar=0/6:00" in printed["timer"]
    assert "--to=s3://vault/x" in printed["service"]
    assert printed["cron"].startswith("0 */6 * * * ")
    assert not cron.exists()
    assert shell("dsmilctl backup schedule --status -o json").data["scheduled"] is False


def test_a_line_of_cron_is_installed_once_told_and_removed_and_the_others_stay(
    shell: Shell, cron: Path
) -> None:
    cron.write_text("MAILTO=ada\n17 * * * * something # else\n")

    for _ in range(2):
        assert shell("dsmilctl backup schedule --install --every daily").exit == 0

    _, _, line = cron.read_text().splitlines()
    assert line.startswith("@daily ") and "backup create --keep=" in line
    status = shell("dsmilctl backup schedule --status -o json").data
    assert (status["scheduled"], status["by"], status["every_s"]) == (True, "cron", 86400)
    shell("dsmilctl backup schedule --remove")
    assert cron.read_text() == "MAILTO=ada\n17 * * * * something # else\n"
    assert shell("dsmilctl backup schedule --status -o json").data["scheduled"] is False


def test_the_line_of_cron_makes_a_verified_backup_and_lets_old_ones_go(shell: Shell, cron: Path) -> None:
    shell("dsmilctl -C sim record run -n tour --for 0.3s")
    shell("dsmilctl backup schedule --install --every 5m --keep last=2")
    command = cron.read_text().partition("*/5 * * * * ")[2].replace("\\%", "%")

    for _ in range(3):
        assert subprocess.run(["/bin/sh", "-c", command], cwd="/", check=False).returncode == 0

    rows = shell("dsmilctl backup list -o json").data
    assert len(rows) == 2
    assert all(row["verified"] for row in rows)
    assert shell("dsmilctl backup schedule --status -o json").data["last"] == "ok"


def test_a_timer_of_systemd_is_installed_told_and_removed(shell: Shell, systemd: Path) -> None:
    assert shell("dsmilctl backup schedule --install --every weekly").exit == 0

    units = sorted((shell.home / "xdg/systemd/user").iterdir())
    assert [unit.suffix for unit in units] == [".service", ".timer"]
    assert f"enable --now {units[1].name}" in systemd.read_text()
    if shutil.which("systemd-analyze"):
        done = subprocess.run(
            ["systemd-analyze", "verify", "--user", *units], capture_output=True, text=True, check=False
        )
        assert units[0].stem not in done.stderr, done.stderr
    assert shell("dsmilctl backup schedule --status -o json").data["by"] == "systemd"
    assert shell("dsmilctl backup schedule --remove").exit == 0
    assert list((shell.home / "xdg/systemd/user").iterdir()) == []
    assert f"disable --now {units[1].name}" in systemd.read_text()


def test_without_systemd_and_cron_what_another_scheduler_needs_is_pointed_to(shell: Shell) -> None:
    program(shell, "systemctl", "exit 1")
    environment = {"PATH": str(shell.home / "bin")}

    answer = shell.run("backup", "schedule", "--install", "-o", "json", environment=environment)

    assert answer.exit == 2
    assert "backup schedule prints" in (answer.error.hint or "")


@pytest.mark.parametrize(
    "line", ["--every 7m", "--every 0h", "--every sometimes", "--keep last", "--keep often=3"]
)
def test_an_interval_or_a_rule_that_there_is_not_is_refused(shell: Shell, line: str) -> None:
    answer = shell(f"dsmilctl backup schedule {line} -o json")

    assert (answer.exit, answer.error.code) == (2, "INVALID_PARAMETER")


def test_a_backup_that_failed_is_seen_in_status_doctor_and_schedule_until_one_is_good(shell: Shell) -> None:
    shell("dsmilctl -C sim record run -n tour --for 0.3s")
    assert shell("dsmilctl record status -o json").data["backup"] == "none"
    (shell.home / "data/backups").write_text("a file where the folder should be")

    assert shell("dsmilctl backup create").exit != 0

    status = shell("dsmilctl record status -o json").data
    assert status["backup"] == "failed"
    assert "backups" in status["backup_message"]
    doctor = shell("dsmilctl doctor -o json")
    assert ("backup", "problem") in {(row["check"], row["status"]) for row in doctor.data}
    assert doctor.exit == 9
    assert shell("dsmilctl backup schedule --status").exit == 9
    (shell.home / "data/backups").unlink()
    assert shell("dsmilctl backup create").exit == 0
    assert shell("dsmilctl record status -o json").data["backup"] == "ok"
    assert ("backup", "ok") in {
        (row["check"], row["status"]) for row in shell("dsmilctl doctor -o json").data
    }


def test_a_backup_that_fails_is_an_event_of_the_recording_that_runs(shell: Shell) -> None:
    shell("mkdir -p data && touch data/backups")

    shell("dsmilctl -C sim record run -n tour -- sh -c 'sleep 0.3; dsmilctl backup create; true'")

    query = "SELECT severity, message FROM events WHERE type = ''backup.failed''".replace("''", "'")
    (event,) = shell(f'dsmilctl record query -o json --sql "{query}"').data
    assert event["severity"] == "error"
    assert "backups" in event["message"]
    assert shell("dsmilctl record check").exit == 0


def test_a_backup_that_is_overdue_is_an_event_of_the_recording_that_runs_once(shell: Shell) -> None:
    shell("dsmilctl -C sim record run -n tour --for 0.3s")
    shell("dsmilctl backup create")
    file = shell.home / "state/backup.json"
    attempt = msgspec.json.decode(file.read_bytes(), type=Attempt)
    file.write_bytes(msgspec.json.encode(msgspec.structs.replace(attempt, good=attempt.good - 25 * HOUR)))

    shell("DSMIL_ARCHIVE__HEALTH_INTERVAL=0.1 dsmilctl -C sim record run -n later --for 1s")

    query = "SELECT type, severity FROM events WHERE type LIKE 'backup%'"
    assert shell(f'dsmilctl record query -o json --sql "{query}"').data == [
        {"type": "backup.stale", "severity": "warning"}
    ]
    assert shell("dsmilctl record status -o json").data["backup"] == "stale"


@pytest.mark.parametrize(
    ("attempt", "hours", "state"),
    [
        (Attempt(), 0, "none"),
        (Attempt(good=1, name="x"), 23, "ok"),
        (Attempt(good=1, name="x"), 25, "stale"),
        (Attempt(good=1, name="x", every=7 * 86400), 25, "ok"),
        (Attempt(good=1, name="x", every=3600), 3, "stale"),
        (Attempt(good=1, name="x", every=3600, problem="the disk is full"), 0, "failed"),
    ],
)
def test_a_backup_is_overdue_after_a_day_or_twice_its_interval(
    attempt: Attempt, hours: int, state: str
) -> None:
    assert attempt.state(hours * HOUR)[0] == state


@given(st.text(st.characters(exclude_characters="\0\n", exclude_categories=["Cs"]), max_size=40))
def test_whatever_a_path_is_made_of_cron_and_systemd_get_it_as_it_is(path: str) -> None:
    plan = Schedule(name="x", every=every_of("daily"), command=["echo", path])
    line = plan.cron_line.partition(" ")[2].replace("\\%", "%").replace(" >/dev/null 2>&1", "")

    done = subprocess.run(
        ["/bin/sh", "-c", line.replace("echo", "printf %s", 1)], capture_output=True, check=False
    )

    assert done.stdout.decode() == path
    assert plan.crontab_without(plan.crontab_with("a\n")) == "a\n"


def test_rules_are_read_as_one_word() -> None:
    policy = policy_of("last=3, daily=14,yearly=2")

    assert (policy.last, policy.daily, policy.yearly, policy.weekly) == (3, 14, 2, 0)
    with pytest.raises(InvalidParameter):
        policy_of("daily=-1")
