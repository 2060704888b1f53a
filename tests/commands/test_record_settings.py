"""Settings of the section `archive`: each one changes what a recorder does."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from dsmilctl.archive.places import Places
from dsmilctl.archive.recording import new_recording
from dsmilctl.archive.store import Store
from tests.archive.stand import START, rows, some_readings
from tests.commands.shell import Shell

RUN = "dsmilctl -C sim record run -n x 0x8000 TEMP"


def setting(name: str, value: object) -> dict[str, str]:
    """The environment in which one setting is so."""
    return {f"DSMIL_ARCHIVE__{name.upper()}": str(value)}


def readings(shell: Shell, name: str, value: object) -> int:
    """How many readings of one register a second brings under a setting."""
    answer = shell(f"{RUN} --for 1s -o json", environment=setting(name, value))
    assert answer.exit == 0, answer.err
    return int(answer.data["readings"])


def test_the_interval_is_how_often_readings_are_taken_where_no_option_says_it(shell: Shell) -> None:
    assert readings(shell, "interval", 0.05) > 2 * readings(shell, "interval", 0.5)


def test_fault_146_a_segment_is_sealed_while_recording_once_the_setting_is_reached(shell: Shell) -> None:
    def sealed(environment: dict[str, str], looks: int) -> bool:
        segments = shell.home / "data/archive/segments"
        before = len(list(segments.glob("*-1m.parquet")))
        shell("dsmilctl -C sim record start -n x --interval 20ms", environment=environment)
        found = False
        while looks and not found:
            found, looks = len(list(segments.glob("*-1m.parquet"))) > before, looks - 1
            time.sleep(0.1)
        shell("dsmilctl record stop")
        return found

    assert sealed(setting("segment_readings", 1000), 300)
    assert not sealed({}, 30)


def test_a_longer_commit_interval_makes_fewer_commits(tmp_path: Path) -> None:
    def chunks(interval: float) -> int:
        with Store(Places(tmp_path / str(interval)), interval=interval) as store:
            writer = store.begin(new_recording("x", START))
            writer._chunks.most = 0  # each commit a chunk of its own, so that they can be counted
            for number in range(40):
                writer.readings(some_readings(1, first=number))
                time.sleep(0.01)
            writer.flush()
            count: int = rows(store.places, "SELECT count(*) FROM chunks")[0][0]
            store.end(writer, "completed")
        return count

    assert chunks(0.02) > 2 * chunks(10)


@pytest.mark.parametrize(("interval", "expected"), [(0.05, True), (3600, False)])
def test_the_journal_is_looked_into_as_often_as_set(shell: Shell, interval: float, expected: bool) -> None:
    def operations() -> int:
        return int(rows(Places(shell.home / "data/archive"), "SELECT count(*) FROM operations")[0][0])

    environment = setting("journal_interval", interval)
    shell("dsmilctl -C sim record start -n x 0x8000", environment=environment)
    time.sleep(0.5)
    written = shell("dsmilctl -C sim device write 0x8001 DATA 5 --yes --justification 'for the journal'")
    assert written.exit == 0, written.err
    looks = 100 if expected else 15
    while not operations() and looks:
        looks -= 1
        time.sleep(0.1)

    assert bool(operations()) is expected
    shell("dsmilctl record stop")
    assert operations() == 2, "at the end it is looked into whatever was set"


def test_a_recorder_tells_its_health_as_often_as_set(shell: Shell) -> None:
    def tellings(interval: float) -> int:
        running = shell.start(
            *RUN.split()[1:], "--for", "2s", environment=setting("health_interval", interval)
        )
        seen = set()
        while running.goes_on:
            for file in (shell.home / "state/recorders").glob("*/recorder.json"):
                seen.add(file.stat().st_mtime_ns)
            time.sleep(0.02)
        running.end()
        return len(seen)

    assert tellings(0.05) > 2 * tellings(60)


def test_a_stop_waits_no_longer_for_its_recorder_than_set(shell: Shell) -> None:
    begun = shell("dsmilctl -C sim record start -n x -o json").data

    os.kill(begun["process"], signal.SIGSTOP)
    answer = shell("dsmilctl record stop -o json", environment=setting("stop_wait", 0.1))
    os.kill(begun["process"], signal.SIGCONT)
    for _ in range(600):
        if shell("dsmilctl record status -o json").data["recorder"] is None:
            break

    assert (answer.exit, answer.error.code) == (5, "TIMEOUT")
    assert str(begun["process"]) in answer.error.message
    assert shell("dsmilctl record show last -o json").data["status"] == "completed", "it ended all the same"


@pytest.mark.parametrize(("name", "value"), [("commit_interval", 0), ("interval", -1), ("stop_wait", 0)])
def test_a_setting_that_cannot_be_is_refused_with_its_name(shell: Shell, name: str, value: int) -> None:
    answer = shell(f"{RUN} --for 1s -o json", environment=setting(name, value))

    assert answer.exit == 2
    assert f"archive.{name}".casefold() in answer.err.casefold() or name.upper() in answer.err
