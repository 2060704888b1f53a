"""Soak: a recorder at 10,000 readings a second with backups beside it grows neither memory nor files."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dsmilctl.archive.check import check_archive
from dsmilctl.archive.places import Places
from tests.archive.stand import rows
from tests.commands.shell import Shell

SOAK = bool(os.environ.get("DSMIL_SOAK"))
SECONDS = float(os.environ.get("DSMIL_SOAK_SECONDS", "3600" if SOAK else "30"))
BACKUP_EVERY = 300 if SECONDS >= 1800 else SECONDS / 5
DEVICES, RATE = 1000, 10_000
WARM = SECONDS / 3
"""Seconds after which a recorder has filled its caches and has sealed, synced and been backed up."""

STRETCH = max(60.0, SECONDS / 30)
"""Seconds of which the smallest size counts: what sealing and packing need for a moment is no growth."""

SLOPE = 1024
"""Kilobytes an hour that memory may grow once it is warm; told by ten minutes and more."""

MOST = 150 * 1024
"""Kilobytes of a recorder of a thousand devices."""


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A shell with a thousand simulated devices that change by themselves."""
    settings = {
        "DSMIL_SIM_OPTIONS": json.dumps({"devices": DEVICES}),
        "DSMIL_ARCHIVE__RESPONSE_INTERVAL": "3600",
        "DSMIL_ARCHIVE__SEGMENT_READINGS": "200000",
    }
    shell = Shell(tmp_path, settings)
    yield shell
    shell("dsmilctl record stop", timeout=120)


def resident(process: int) -> int:
    """Kilobytes of memory that a process has."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("the recorder has no memory")


def least(samples: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """The smallest size in each stretch of samples, with the middle of the stretch."""
    stretches: dict[float, list[int]] = {}
    for moment, size in samples:
        stretches.setdefault((moment // STRETCH + 0.5) * STRETCH, []).append(size)
    return [(middle, min(sizes)) for middle, sizes in stretches.items()]


def slope(samples: list[tuple[float, int]]) -> float:
    """Kilobytes an hour: the line of least squares through samples of seconds and kilobytes."""
    mean_time = sum(moment for moment, _ in samples) / len(samples)
    mean_size = sum(size for _, size in samples) / len(samples)
    above = sum((moment - mean_time) * (size - mean_size) for moment, size in samples)
    return 3600 * above / sum((moment - mean_time) ** 2 for moment, _ in samples)


def check_what_comes_back(shell: Shell, backup: str) -> None:
    """R6: a backup that was made meanwhile comes back whole into another folder."""
    restored = shell(f"dsmilctl backup restore {backup} --to back -o json", timeout=300)
    assert restored.exit == 0, restored.err
    assert check_archive(Places(shell.home / "back/archive"), shell.home / "back").sound
    shutil.rmtree(shell.home / "back")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read from /proc")
@pytest.mark.timeout(SECONDS * 2 + 300)
def test_hours_at_ten_thousand_readings_a_second_lose_nothing_and_grow_nothing(shell: Shell) -> None:
    places = Places(shell.home / "data/archive")
    line = "dsmilctl -C sim record start -n soak @all TEMP --interval 100ms -o json"
    begun = shell(line)
    assert begun.exit == 0, begun.err
    process = begun.data["process"]
    started = time.monotonic()
    sizes: list[tuple[float, int]] = []
    files: list[int] = []
    backups, next_backup = 0, started + BACKUP_EVERY
    while (now := time.monotonic()) < started + SECONDS:
        time.sleep(max(0.2, SECONDS / 600))
        if now > started + WARM:
            sizes.append((now - started, resident(process)))
            files.append(len(list(Path(f"/proc/{process}/fd").iterdir())))
        if now > next_backup:
            made = shell("dsmilctl backup create -o json", timeout=300)
            assert made.exit == 0, made.err
            check_what_comes_back(shell, made.data["name"])
            backups, next_backup = backups + 1, next_backup + BACKUP_EVERY
    ended = shell("dsmilctl record stop -o json", timeout=300)

    told = {
        "readings": ended.data["readings"],
        "backups": backups,
        "kB/h": round(slope(least(sizes))) if SECONDS >= 600 else None,
        "kB": sizes[-1][1],
        "least kB": [size for _, size in least(sizes)],
        "files": sorted(set(files)),
    }
    (shell.home / "soak.json").write_text(json.dumps(told))

    assert ended.data["status"] == "completed"
    assert rows(places, "SELECT * FROM gaps") == []
    query = "SELECT count(*) AS kept, count(DISTINCT sequence) AS numbers"
    query += ", max(sequence) - min(sequence) + 1 AS given FROM readings"
    (row,) = shell(f'dsmilctl record query -o json --sql "{query}"', timeout=300).data
    assert row["kept"] == row["numbers"] == ended.data["readings"]
    joined = DEVICES * (2 + int(SECONDS // 3600))
    assert 0 <= row["given"] - row["kept"] <= joined, "what is missing are the looks at the status, no ticks"
    assert row["kept"] > SECONDS * RATE / 2
    assert backups >= 3
    assert check_archive(places, shell.home / "data/backups").sound
    assert shell("dsmilctl backup verify --all", timeout=600).exit == 0
    half = len(files) // 2
    assert min(files[half:]) <= min(files[:half]), "what sealing opens for a moment it closes"
    assert sizes[-1][1] < MOST
    assert SECONDS < 600 or slope(least(sizes)) < SLOPE, told
