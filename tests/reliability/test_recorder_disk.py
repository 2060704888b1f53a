"""Disks that take nothing: a recorder goes on, says so, resumes by itself, and counts what it lost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from dsmilctl.archive.check import check_archive
from dsmilctl.archive.places import Places
from dsmilctl.archive.supervision import Supervision
from dsmilctl.config.paths import Paths
from tests.archive.stand import rows, table
from tests.commands.shell import STILL, Shell

FAST = {"DSMIL_ARCHIVE__HEALTH_INTERVAL": "0.05"}
RECORD = ("-C", "sim", "record", "start", "@all", "TEMP", "-n", "x", "--interval", "20ms")
TEN_SECONDS = 200
"""Looks of 50 ms: ten times the second in which a recorder has to say that it is degraded."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with little space."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or not sys.platform.startswith("linux"):
        pytest.skip("mounting a small disk needs root on Linux")
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this machine mounts no tmpfs")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A shell that leaves no recorder behind."""
    home = tmp_path / "home"
    home.mkdir()
    shell = Shell(home, {**STILL, **FAST})
    yield shell
    for folder in ("archive", "disk/archive"):
        shell(f"dsmilctl record stop --archive {tmp_path / folder}")


def state_when(shell: Shell, archive: Path, wanted: str, readings: int = 0) -> Any:
    """What the recorder tells of itself, once its state is so and it has written as much."""
    home = shell.home
    folders = Paths(*(home / name for name in ("config", "state", "data", "cache", "run", "system")))
    supervision = Supervision(folders.recorder_folder(archive))
    for _ in range(TEN_SECONDS):
        health = supervision.health()
        if health is not None and health.state == wanted and health.readings >= readings:
            return health
        time.sleep(0.05)
    raise AssertionError(f"the recorder is not {wanted}: {supervision.health()}")


def fill(disk: Path) -> Path:
    """Leave no byte free."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1024 * 1024, 4096):
            with suppress(OSError):
                while True:
                    file.write(b"x" * size)
    return ballast


def events(places: Places) -> list[str]:
    found = rows(places, "SELECT type FROM events WHERE type LIKE 'recorder%' ORDER BY event_id")
    return [row[0] for row in found]


def missing(places: Places) -> int:
    """How many numbers are missing among those of the readings that are kept.

    The first ticks are left out: whoever else reads the fleet as it begins numbers its readings, too.
    """
    found = sorted(table(places).column("sequence").to_pylist())[400:]
    assert len(set(found)) == len(found), "nothing is there twice"
    return int(found[-1] - found[0] + 1 - len(found))


@pytest.mark.parametrize("waiting", [2_000_000, 1000])
def test_a_full_disk_is_told_and_after_it_recording_goes_on_and_what_was_lost_is_counted(
    shell: Shell, disk: Path, waiting: int
) -> None:
    places = Places(disk / "archive")
    setting = {"DSMIL_ARCHIVE__WAITING_READINGS": str(waiting)}
    begun = shell.run(*RECORD, "--archive", str(places.folder), environment=setting)
    assert begun.exit == 0, begun.err
    state_when(shell, places.folder, "recording", 500)

    ballast = fill(disk)
    degraded = state_when(shell, places.folder, "degraded")
    status = shell(f"dsmilctl record status --archive {places.folder} -o json").data["health"]
    reads = shell("dsmilctl -C sim device read 0x8000 TEMP")
    time.sleep(1)
    ballast.unlink()
    resumed = state_when(shell, places.folder, "recording", degraded.readings + 500)
    ended = shell(f"dsmilctl record stop --archive {places.folder} -o json")

    assert "full" in degraded.problem
    assert status["state"] == "degraded"
    assert reads.exit == 0, "what has nothing to do with the disk goes on"
    assert ended.data["status"] == "completed"
    assert events(places) == ["recorder.degraded", "recorder.resumed"]
    lost = missing(places)
    assert rows(places, "SELECT coalesce(sum(missed), 0) FROM gaps") == [(lost,)]
    assert (lost > 0) is (waiting == 1000), "as long as there is memory for it nothing is lost"
    assert resumed.problem == ""
    assert check_archive(places, disk / "backups").sound


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
@pytest.mark.parametrize(
    ("call", "problem"),
    [("pwrite64", problem) for problem in ("ENOSPC", "EIO", "EROFS", "EDQUOT")] + [("fdatasync", "EIO")],
)
def test_a_disk_that_fails_for_a_while_costs_no_reading(
    tmp_path: Path, shell: Shell, call: str, problem: str
) -> None:
    places = Places(tmp_path / "archive")
    begun = shell.run(*RECORD, "--archive", str(places.folder), "-o", "json")
    assert begun.exit == 0, begun.err
    state_when(shell, places.folder, "recording", 500)

    with failing(begun.data["process"], places, call, problem):
        if call == "fdatasync":
            written = shell(
                f"dsmilctl -C sim device write 0x8001 DATA 5 --yes --justification 'while it is {problem}'"
            )
            assert written.exit == 0, written.err
        degraded = state_when(shell, places.folder, "degraded")
    resumed = state_when(shell, places.folder, "recording", degraded.readings + 500)
    ended = shell(f"dsmilctl record stop --archive {places.folder} -o json")

    assert ended.data["status"] == "completed"
    assert (resumed.problem, resumed.missed) == ("", 0)
    assert missing(places) == 0
    assert events(places)[:2] == ["recorder.degraded", "recorder.resumed"]
    assert check_archive(places, tmp_path / "backups").sound


@contextmanager
def failing(process: int, places: Places, call: str, problem: str) -> Iterator[None]:
    """While this is entered a system call of a process fails on the files of an archive's database."""
    line = ["strace", "-f", "-qq", "-o", os.devnull, "-p", str(process)]
    line += ["-P", str(places.database), "-P", f"{places.database}-wal"]
    line += ["-e", f"trace={call}", "-e", f"inject={call}:error={problem}"]
    tracer = subprocess.Popen(line, stderr=subprocess.PIPE)
    try:
        time.sleep(0.2)
        if tracer.poll() is not None:
            pytest.skip("this machine does not let one process trace another")
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.communicate()
