"""Clocks that jump while something is recorded: the order is kept, no tick is lost, both clocks are there."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from itertools import pairwise
from pathlib import Path

import pytest
from pyarrow import parquet

from dsmilctl.archive.check import check_archive
from dsmilctl.archive.places import Places
from dsmilctl.archive.recording import new_recording
from dsmilctl.archive.store import Store
from dsmilctl.clock import NANOSECONDS
from dsmilctl.testing.clock import START, StandingClock
from tests.archive.stand import rows, some_readings, table
from tests.commands.shell import STILL, Shell
from tests.reliability.test_clocks import FAKETIME, preloaded

HOUR = 3600
INTERVAL = 0.05
needs_faketime = pytest.mark.skipif(FAKETIME is None, reason="faketime is not installed")
FAST = {"DSMIL_ARCHIVE__COMMIT_INTERVAL": "0.05"}


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell whose recorders commit often."""
    return Shell(tmp_path, {**STILL, **FAST})


def chunks(places: Places) -> list[tuple[int, float, int]]:
    """Both clocks of every chunk that is hot, in order, and how many readings it has."""
    if not rows(places, "SELECT 1 FROM sqlite_schema WHERE name = 'chunks'"):
        return []
    return rows(places, "SELECT wall, monotonic, readings FROM chunks ORDER BY chunk_id")


@needs_faketime
@pytest.mark.parametrize("jump", ["-3600", "+3600"])
def test_a_recording_goes_on_when_the_clock_of_the_machine_jumps_an_hour(shell: Shell, jump: str) -> None:
    offset = shell.home / "offset"
    offset.write_text("+0\n")
    environment = {
        "LD_PRELOAD": preloaded(),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    places = Places(shell.home / "data/archive")
    line = ["-C", "sim", "record", "run", "-n", "jump", "0x8000", "TEMP"]
    recorder = shell.start(*line, "--interval", f"{INTERVAL}", environment=environment)
    while not places.exists or sum(count for *_, count in chunks(places)) < 5:
        assert recorder.goes_on
        time.sleep(0.05)
    offset.write_text(f"{jump}\n")
    time.sleep(1.5)
    hot = chunks(places)
    ended = recorder.end(signal.SIGTERM)
    assert ended.exit == 143, ended.err

    (before, tick, _), (behind, later, gathered) = hot
    assert abs((behind - before) / NANOSECONDS - int(jump)) < 60, "the wall clock of the chunks jumped"
    assert 0 < later - tick < 20, "the other one did not"
    (segment,) = (path for path in places.segments.glob("*.parquet") if "-1m" not in path.name)
    sequences = parquet.read_table(segment, columns=["sequence"]).column("sequence").to_pylist()
    assert sequences == sorted(sequences), "the order in which they came is kept"
    steps = sorted(later - earlier for earlier, later in pairwise(sequences))
    assert steps[-2] == 1, "no tick is missing, apart from the one in which others joined"
    assert later > tick + 1, "it did not stall"
    assert gathered > 3
    assert table(places).num_rows == len(sequences) < 3 * 3 / INTERVAL, "it did not burst"
    assert check_archive(places, shell.home / "backups").sound
    (row,) = shell("dsmilctl record list -o json").data
    assert row["status"] == "completed"


@needs_faketime
@pytest.mark.parametrize("moment", ["2026-03-29 00:59:59", "2026-10-25 00:59:59"])
def test_neither_end_of_summer_time_is_seen_in_a_recording(shell: Shell, moment: str) -> None:
    environment = {"TZ": "Europe/Berlin"}
    offset = f"env TZ=UTC {shutil.which('date')} -d '{moment}' +%s"
    start = int(subprocess.run(["/bin/sh", "-c", offset], capture_output=True, check=True).stdout)
    begin = f"+{start - int(time.time())}" if start > time.time() else f"-{int(time.time()) - start}"
    environment |= {"LD_PRELOAD": preloaded(), "FAKETIME": begin, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    line = "dsmilctl -C sim record run -n dst 0x8000 TEMP --interval 50ms --for 2s -o json"
    done = shell(line, environment=environment)

    assert done.exit == 0, done.err
    times = [value.value for value in table(Places(shell.home / "data/archive")).column("time")]
    assert abs(times[0] / NANOSECONDS - start) < 60
    assert all(0 <= later - earlier < 20 * NANOSECONDS for earlier, later in pairwise(times))
    minutes = shell("dsmilctl record query 0x8000 TEMP --every 1m --agg count -o json").data
    assert sum(row["value"] for row in minutes) == len(times), "no reading is counted twice or left out"


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
def test_commits_with_clocks_that_disagree_are_apart_and_the_stretches_count_each_reading_once(
    tmp_path: Path, jump: int
) -> None:
    clock, places = StandingClock(), Places(tmp_path)
    with Store(places, clock=clock) as store:
        writer = store.begin(new_recording("jump", START))
        for number in range(3):
            writer.readings(some_readings(40, first=40 * number))
            writer.flush()
            clock.advance(1)
            if number == 0:
                clock.set_now(clock.now() + jump * NANOSECONDS)
        hot = chunks(places)
        store.end(writer, "completed")

    found = [((wall - START) // NANOSECONDS, round(monotonic), count) for wall, monotonic, count in hot]
    assert found == [(0, 1000, 40), (2 + jump, 1002, 80)]
    assert table(places).num_rows == 120
    assert check_archive(places, tmp_path / "backups").sound


@pytest.mark.parametrize("moment", [0, 2**31 * NANOSECONDS, 4_000_000_000 * NANOSECONDS])
def test_a_recording_of_1970_or_after_2038_is_as_good_as_any(tmp_path: Path, moment: int) -> None:
    clock, places = StandingClock(now=moment), Places(tmp_path)
    with Store(places, clock=clock) as store:
        writer = store.begin(new_recording("far", moment))
        writer.readings(some_readings(40))
        store.end(writer, "completed")

    assert table(places).num_rows == 40
    assert check_archive(places, tmp_path / "backups").sound
