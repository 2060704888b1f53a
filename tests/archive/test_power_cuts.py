"""Power cuts: whatever of the last writes is on the disk, an archive opens and has what was acknowledged."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from dsmilctl.archive.check import check_archive
from dsmilctl.archive.places import Places
from dsmilctl.archive.store import Store
from tests.archive.power import Call, Disk, calls_of, traced
from tests.archive.stand import table

pytestmark = [
    pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed"),
    pytest.mark.xdist_group("power"),  # all of them look at one recording
]
ROUNDS = 200 if os.environ.get("DSMIL_SOAK") else 25
SAID = 200
"""Lines that the recorder says before it is killed: 10,000 readings, five stretches sealed, five flushes."""


class Traced(NamedTuple):
    """What a recorder did, and the folder in which it did it."""

    folder: Path
    calls: list[Call]


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Traced:
    """A recorder of 5,000 readings a second that was watched until it was killed."""
    home = tmp_path_factory.mktemp("power")
    command = [sys.executable, "-m", "tests.archive.recording_process", str(home / "archive"), "2000"]
    process = traced(command, home / "trace")
    assert process.stdout is not None
    for _ in range(SAID):
        process.stdout.readline()
    if process.poll() is not None:
        pytest.skip("this machine does not let one process trace another")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()  # the tracer ends behind it and has written everything then
    return Traced(home / "archive", list(calls_of(home / "trace")))


def acknowledged(call: Call) -> int:
    """How many readings the recorder said are on the medium, where this call says so."""
    said = call.texts[-1] if call.name == "write" else b""
    return int(said.split()[1]) if said.startswith(b"flushed ") else 0


def test_the_calls_of_a_recorder_are_all_that_it_does_to_its_files(recorder: Traced) -> None:
    disk = Disk(recorder.folder)
    for call in recorder.calls:
        disk.take(call)

    seen = {Path(os.fsdecode(path)): bytes(file.seen) for path, file in disk.files.items()}
    there = {path: path.read_bytes() for path in recorder.folder.rglob("*") if path.is_file()}
    assert {path for path in seen if path.suffix == ".parquet"}, "stretches were sealed"
    assert {path: data for path, data in seen.items() if not path.name.endswith("-shm")} == {
        path: data for path, data in there.items() if not path.name.endswith("-shm")
    }


@pytest.mark.parametrize("round", range(ROUNDS))
def test_after_a_power_cut_an_archive_opens_and_nothing_acknowledged_is_lost(
    round: int, recorder: Traced, tmp_path: Path
) -> None:
    chance = random.Random(round)
    first = next(number for number, call in enumerate(recorder.calls) if acknowledged(call))
    moment = chance.randrange(first + 1, len(recorder.calls))
    disk, places = Disk(recorder.folder), Places(tmp_path / "archive")
    for call in recorder.calls[:moment]:
        disk.take(call)
    promised = max(map(acknowledged, recorder.calls[:moment]))

    disk.leave(places.folder, chance)

    with Store(places) as store:
        assert len(store.aborted) == 1
    found = sorted(table(places).column("sequence").to_pylist())
    assert found == list(range(1, len(found) + 1)), "nothing is missing in between, nothing twice"
    assert len(found) >= promised
    checked = check_archive(places, tmp_path / "backups")
    assert checked.sound, checked
