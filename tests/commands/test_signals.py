"""Signals: whatever runs long ends at once, says why, leaves nothing behind, and tells it by its status."""

from __future__ import annotations

import json
import re
from fcntl import LOCK_EX, flock
from signal import SIGHUP, SIGINT, SIGTERM, Signals

import pytest

from tests.commands.shell import STILL, Answer, Shell, Variables
from tests.commands.terminal import Terminal

STATUS = {SIGINT: 130, SIGTERM: 143, SIGHUP: 129}
SIGNALS = pytest.mark.parametrize("number", STATUS, ids=lambda number: number.name)
REASON = ("--justification", "night setpoints")


def faulty(*faults: str) -> Variables:
    """Simulated devices with faults."""
    options = json.loads(STILL["DSMIL_SIM_OPTIONS"]) | {"faults": faults}
    return {"DSMIL_SIM_OPTIONS": json.dumps(options)}


@SIGNALS
def test_a_stream_of_readings_ends_with_a_line_that_says_so(shell: Shell, number: Signals) -> None:
    running = shell.start("-C", "sim", "stream", "devices", "0x8000", "--interval", "0.05")
    assert json.loads(running.line()) == {
        "event": "start",
        "context": "sim",
        "devices": 1,
        "interval": 0.05,
    }
    running.line()

    ended = running.end(number)

    assert (ended.exit, ended.err) == (STATUS[number], "")
    assert ended.lines[-1]["event"] == "end"
    assert ended.lines[-1]["reason"] == "signal"


@SIGNALS
def test_a_stream_of_events_ends_with_a_line_that_says_so(shell: Shell, number: Signals) -> None:
    running = shell.start("-C", "sim", "stream", "events", "--interval", "0.05")
    assert json.loads(running.line())["event"] == "start"

    ended = running.end(number)

    assert (ended.exit, ended.err) == (STATUS[number], "")
    assert ended.lines[-1] == {"event": "end", "reason": "signal", "lines": len(ended.lines) - 1}


@SIGNALS
def test_watching_ends(shell: Shell, number: Signals) -> None:
    running = shell.start("-C", "sim", "device", "read", "0x8000", "--watch", "0.05", "-o", "ndjson")
    assert json.loads(running.line())["device_id"] == "0x8000"

    ended = running.end(number)

    assert (ended.exit, ended.err) == (STATUS[number], "")


@SIGNALS
def test_a_bulk_write_that_is_interrupted_can_be_undone(shell: Shell, number: Signals) -> None:
    slow = faulty("slow:0x8034-0x803B:1")
    line = ("-C", "sim", "--timeout", "60", "--progress", "json", "bulk", "write", "0x8030-0x803B", "CONFIG")
    running = shell.start(*line, "9", *REASON, "--mode", "sequential", "--yes", environment=slow)
    assert json.loads(running.told())["progress"]["done"] == 1

    ended = running.end(number)

    assert ended.exit == STATUS[number]
    (made,) = re.findall(r"after (\d+) of 12 changes", ended.err)
    undo = ended.err.rpartition("; ")[2].removesuffix(" puts them back\n")
    undone = shell(f"{undo} --yes -o json")
    assert undone.exit == 0, undone.err
    assert int(made) <= undone.data["summary"]["successful"] <= 12
    left = shell("dsmilctl -C sim bulk read 0x8030-0x803B CONFIG -o json").data["results"]
    assert {row["value"] for row in left} == {3}, "as it was before"
    assert shell("dsmilctl audit verify").exit == 0


@SIGNALS
def test_an_emergency_stop_that_is_interrupted_stays_latched(shell: Shell, number: Signals) -> None:
    silent = faulty("silent:0x8031")
    line = ("-C", "sim", "emergency", "stop", "0x8030-0x8032", "--deadline", "30")
    running = shell.start(*line, environment=silent)
    confirmed = {running.told().split()[0], running.told().split()[0]}

    ended = running.end(number)

    assert confirmed == {"0x8030", "0x8032"}
    assert ended.exit == STATUS[number]
    assert "the stop is latched, and 2 devices confirmed it" in ended.err
    assert len(shell("dsmilctl -C sim emergency status -o json").data) == 1
    assert shell("dsmilctl -C sim device write 0x8030 CONFIG 5 --yes").exit == 1


@SIGNALS
def test_a_change_that_is_interrupted_before_its_device_is_told_is_journalled_as_not_begun(
    shell: Shell, number: Signals
) -> None:
    (shell.home / "bin/sitecustomize.py").write_text(
        "from dsmilctl.guard.journal import Journal\n"
        "queue = Journal.queue\n"
        "def told(self, *arguments):\n"
        "    print('queued', flush=True)\n"
        "    return queue(self, *arguments)\n"
        "Journal.queue = told\n"
    )
    told = {"PYTHONPATH": str(shell.home / "bin")}
    (shell.home / "state").mkdir()
    with (shell.home / "state/journal.lock").open("w") as lock:
        flock(lock, LOCK_EX)
        line = ("-C", "sim", "device", "write", "0x8030", "CONFIG", "9", "--yes")
        running = shell.start(*line, environment=told)
        assert running.line() == "queued\n", "the intent"
        running.send(number)
        assert running.line() == "queued\n", "what became of it"
    ended = running.end()

    assert ended.exit == STATUS[number]
    (reading,) = shell("dsmilctl -C sim device read 0x8030 CONFIG -o json").data
    assert reading["value"] == 3, "as it was before"
    outcome, _ = shell("dsmilctl -C sim audit log -o json").data
    assert (outcome["outcome"], outcome["parameters"]["code"]) == ("DENIED", "REFUSED")
    assert shell("dsmilctl audit verify -o json").data["unfinished"] == []


@SIGNALS
def test_a_demo_that_is_interrupted_leaves_nothing_behind(shell: Shell, number: Signals) -> None:
    folder = shell.home / "temporary"
    folder.mkdir()
    running = shell.start("-v", "demo", "--seconds", "30", environment={"TMPDIR": str(folder)})
    while not list(folder.glob("*/state")):
        assert running.goes_on

    ended = running.end(number)

    assert ended.exit == STATUS[number]
    assert list(folder.iterdir()) == []


def test_ctrl_c_on_a_terminal_interrupts(shell: Shell) -> None:
    with Terminal(shell, "-C", "sim", "stream", "devices", "0x8000", "--interval", "0.05") as terminal:
        terminal.waits_for("0x8000")
        terminal.types("\x03")
        assert terminal.ends() == 130

    assert "Traceback" not in terminal.seen


@SIGNALS
def test_a_question_that_nobody_answers_can_be_left(shell: Shell, number: Signals) -> None:
    with Terminal(shell, "-C", "sim", "device", "write", "0x8030", "CONFIG", "5") as terminal:
        terminal.waits_for("[y/N]")
        terminal.send(number)
        assert terminal.ends() == STATUS[number]

    assert shell("dsmilctl -C sim device history 0x8030 -o json").data == []


def test_a_signal_that_is_ignored_from_the_start_stays_ignored(shell: Shell) -> None:
    line = "dsmilctl -C sim stream devices 0x8000 --interval 0.05 --for 600ms"

    answer = shell(f"(trap '' HUP; {line} & pid=$!; sleep 0.3; kill -HUP $pid; wait $pid)", timeout=60)

    assert answer.exit == 0
    assert answer.lines[-1]["reason"] == "time"


def test_a_second_signal_does_not_wait_for_a_command_that_cleans_up(shell: Shell) -> None:
    (shell.home / "bin/sitecustomize.py").write_text(
        "import asyncio\n"
        "from dsmilctl.client.local import LocalClient\n"
        "async def close(self):\n"
        "    print('closing', flush=True)\n"
        "    await asyncio.sleep(600)\n"
        "LocalClient.close = close\n"
    )
    shell.environment["PYTHONPATH"] = str(shell.home / "bin")
    running = shell.start("-C", "sim", "stream", "devices", "0x8000", "--count", "1")
    while running.line() != "closing\n":
        pass

    running.send(SIGINT)
    ended = running.end(SIGTERM)

    assert ended.exit in (130, 143)


def test_a_deadline_ends_a_command_and_says_so(shell: Shell) -> None:
    silent = faulty("silent:0x8031")

    read = shell("dsmilctl -C sim --timeout 30 --deadline 0.5 device read 0x8031 -o json", environment=silent)
    stream = shell("dsmilctl -C sim --deadline 0.5 stream devices 0x8030 --interval 0.1")
    watching = shell("dsmilctl -C sim --deadline 0.5 device read 0x8030 --watch 0.1")

    assert (read.exit, stream.exit, watching.exit) == (5, 5, 5)
    assert read.error.code == "TIMEOUT"
    assert read.error.message == "not done within the deadline of 0.5 s"
    assert stream.lines[-1]["reason"] == "deadline"
    assert "hint: a longer --deadline allows more" in watching.err


def test_streams_end_by_count_and_by_time(shell: Shell) -> None:
    def follow(line: str) -> Answer:
        return shell(f"dsmilctl -C sim stream devices 0x8000 --interval 0.05 {line}")

    assert follow("--count 3").lines[-1] == {"event": "end", "reason": "count", "lines": 3}
    assert follow("--for 200ms").lines[-1]["reason"] == "time"
