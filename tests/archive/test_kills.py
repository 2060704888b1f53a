"""Kills: a recorder that is killed at any moment loses at most what came since its last commit."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dsmilctl.archive.check import check_archive
from dsmilctl.archive.places import Places
from dsmilctl.archive.store import Store
from tests.archive.recording_process import STEP
from tests.archive.stand import listed, table

ROUNDS = 100 if os.environ.get("DSMIL_SOAK") else 20
RATE = 5000
BOUND = RATE * 0.2 + STEP
"""What 200 ms bring, and the batch that was under way.  Source: reliability R1."""


def killed_after(folder: Path, lines: int) -> dict[str, int]:
    """What a recorder had said when it was killed, some lines after it began."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.archive.recording_process", str(folder), "2000"],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(lines)]
    os.killpg(process.pid, signal.SIGKILL)
    said += process.stdout.readlines()
    process.wait()
    process.stdout.close()
    return {
        word: int(count) for word, count in (line.decode().split() for line in said if line.endswith(b"\n"))
    }


@pytest.mark.parametrize("round", range(ROUNDS))
def test_a_killed_recorder_loses_at_most_its_last_interval_and_is_told_aborted(
    round: int, tmp_path: Path
) -> None:
    places = Places(tmp_path / "archive")

    said = killed_after(
        places.folder, random.Random(round).randrange(5, 200)
    )  # the same moments in every run

    with Store(places) as store:
        assert len(store.aborted) == 1
    found = table(places).column("sequence").to_pylist()
    assert sorted(found) == list(range(1, len(found) + 1)), "nothing is missing in between, nothing twice"
    assert len(found) >= said.get("flushed", 0), "what was acknowledged is there"
    assert said["given"] - len(found) <= BOUND
    (recording,) = listed(places)
    assert recording.status == "aborted"
    assert check_archive(places, tmp_path / "backups").sound
