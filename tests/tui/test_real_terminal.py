"""The dashboard in a real process on a real (pseudo) terminal: how it starts, stops and ends."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.pseudo_terminal import PseudoTerminal
from dsmilctl.client import connect
from dsmilctl.model.emergency import Stop
from tests.tui.child import BLOCKED

ROOT = Path(__file__).parents[2]
CTRL_C, CTRL_X = "\x03", "\x18"
LEFT = b"\x1b[?1049l"
"""What a terminal gets when a full-screen program leaves."""

DSMILCTL = str(Path(sys.executable).with_name("dsmilctl"))

Start = Callable[..., PseudoTerminal]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the dashboard of the simulator, or a child with something special, on a terminal."""
    running: list[PseudoTerminal] = []

    def begin(*child: str, columns: int = 100, rows: int = 30, **environment: str) -> PseudoTerminal:
        line = [DSMILCTL, "-C", "sim", "tui"]
        if child:
            line = [sys.executable, "-m", "tests.tui.child", *child]
        terminal = PseudoTerminal(line, {**home(tmp_path), **environment}, columns, rows)
        running.append(terminal)
        return terminal

    yield begin
    for terminal in running:
        terminal.close()


def home(folder: Path) -> dict[str, str]:
    """An environment with a state folder of its own, on a terminal that can show everything."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
    return {
        **plain,
        "DSMIL_HOME": str(folder),
        "TERM": "xterm-256color",
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(ROOT),
    }


def test_it_starts_shows_devices_and_leaves_the_terminal_as_it_was(start: Start) -> None:
    terminal = start()
    before = terminal.modes()
    terminal.wait_for("°C")
    assert terminal.modes() != before

    terminal.type("q")

    assert terminal.wait() == 0
    assert terminal.modes() == before
    assert terminal.output.rindex(LEFT) > terminal.output.rindex(b"STOP EVERYTHING")
    assert b"\x1b[?25h" in terminal.output[terminal.output.rindex(LEFT) :]


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]
)
def test_a_signal_ends_it_in_order(start: Start, number: int, status: int) -> None:
    terminal = start()
    before = terminal.modes()
    terminal.wait_for("°C")

    terminal.signal(number)

    assert terminal.wait() == status
    assert terminal.modes() == before
    assert LEFT in terminal.output
    assert b"Traceback" not in terminal.output


def test_it_goes_on_after_it_was_halted_and_still_gives_the_terminal_back(start: Start) -> None:
    terminal = start()
    before = terminal.modes()
    terminal.wait_for("°C")
    terminal.signal(signal.SIGSTOP)
    time.sleep(0.3)
    written = terminal.count()
    terminal.signal(signal.SIGCONT)
    time.sleep(1.0)
    assert b"STOP EVERYTHING" in terminal.output[written:]  # all of it is painted again
    terminal.type("q")
    assert terminal.wait() == 0
    assert terminal.modes() == before


def test_ctrl_c_ends_it_with_130(start: Start) -> None:
    terminal = start()
    terminal.wait_for("°C")
    terminal.type(CTRL_C)
    assert terminal.wait() == 130


def test_a_signal_ends_it_although_its_loop_hangs(start: Start) -> None:
    terminal = start("blocked")
    before = terminal.modes()
    terminal.wait_for("°C")
    terminal.type("?")
    time.sleep(0.3)

    begun = time.monotonic()
    terminal.signal(signal.SIGTERM)

    assert terminal.wait() == 143
    assert time.monotonic() - begun < BLOCKED - 1
    assert terminal.modes() == before
    assert LEFT in terminal.output


def test_the_stop_key_latches_while_the_event_loop_is_blocked(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DSMIL_HOME", str(tmp_path))
    terminal = start("blocked")
    terminal.wait_for("°C")
    assert stops_in_force() == []

    blocked_at = terminal.type("?")
    time.sleep(0.5)
    written = terminal.count()
    terminal.type(CTRL_X)
    while not stops_in_force():
        assert time.monotonic() - blocked_at < BLOCKED - 1, "the stop waited for the event loop"
        time.sleep(0.02)

    (stop,) = stops_in_force()
    assert terminal.count() == written, "the screen was not blocked, so this proves nothing"
    assert stop.scope == "@all"
    assert "stop key" in stop.reason
    terminal.wait_for("EMERGENCY STOP", patience=BLOCKED + 20)  # when the loop is back, the screen says so


def test_the_stop_key_stops_the_fleet_on_the_screen_whatever_context_is_chosen_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DSMIL_HOME", str(tmp_path))
    choose_context("sim", tmp_path)
    terminal = PseudoTerminal([DSMILCTL, "tui"], home(tmp_path), 100, 30)
    try:
        terminal.wait_for("0x8000")

        choose_context("local", tmp_path)
        terminal.type(CTRL_X)

        terminal.wait_for("all confirmed")
        (stop,) = stops_in_force("sim")
        assert "stop key" in stop.reason
        assert stops_in_force("local") == []
        terminal.type("qq")
        assert terminal.wait() == 0
    finally:
        terminal.close()


def test_the_stop_key_works_although_somebody_broke_the_configuration_meanwhile(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DSMIL_HOME", str(tmp_path))
    terminal = start()
    terminal.wait_for("°C")
    broken = [tmp_path / "config" / name for name in ("config.toml", "contexts.toml")]
    broken[0].parent.mkdir(exist_ok=True)
    for file in broken:
        file.write_text("not = [ toml")

    terminal.type(CTRL_X)

    terminal.wait_for("all confirmed")
    for file in broken:
        file.unlink()
    (stop,) = stops_in_force()
    assert stop.scope == "@all"


def choose_context(name: str, folder: Path) -> None:
    """What another shell does meanwhile."""
    subprocess.run([DSMILCTL, "context", "use", name], env=home(folder), check=True, capture_output=True)


def stops_in_force(context: str = "sim") -> list[Stop]:
    """What another process finds latched."""

    async def ask() -> list[Stop]:
        async with connect(context) as client:
            return await client.stops()

    return asyncio.run(ask())


def test_a_stop_that_is_under_way_is_finished_before_the_end(start: Start, tmp_path: Path) -> None:
    terminal = start("slow-stop", str(tmp_path / "stopped"))
    terminal.wait_for("°C")
    terminal.type(CTRL_X)
    terminal.signal(signal.SIGTERM)
    assert terminal.wait() == 143
    assert (tmp_path / "stopped").read_text() == "12 confirmed"


def test_a_stop_survives_the_terminal_being_closed(start: Start, tmp_path: Path) -> None:
    terminal = start("slow-stop", str(tmp_path / "stopped"))
    terminal.wait_for("°C")
    terminal.type(CTRL_X)
    time.sleep(0.2)
    terminal.hang_up()
    assert terminal.wait() == 129
    assert (tmp_path / "stopped").read_text() == "12 confirmed"


def test_a_terminal_that_is_closed_ends_it(start: Start) -> None:
    terminal = start()
    terminal.wait_for("°C")
    terminal.hang_up()
    assert terminal.wait() == 129


def test_a_fault_ends_it_with_one_line_and_no_local_variables(start: Start) -> None:
    terminal = start("faulty")
    before = terminal.modes()
    terminal.wait_for("°C")
    terminal.type("?")
    assert terminal.wait() == 1
    end = terminal.output[terminal.output.rindex(LEFT) :]
    assert b"error: the dashboard failed: RuntimeError" in end
    assert b"Traceback" not in end and b"locals" not in end
    assert terminal.modes() == before


def test_log_lines_do_not_spoil_the_screen_and_come_when_it_is_back(start: Start) -> None:
    terminal = start("chatty")
    terminal.wait_for("°C")
    time.sleep(1.5)
    terminal.type("q")
    assert terminal.wait() == 0
    during, _, after = terminal.output.rpartition(LEFT)
    assert b"a line of the log" not in during
    assert b"a line of the log" in after


def test_without_utf_8_every_byte_is_ascii(start: Start) -> None:
    terminal = start(LC_ALL="C")
    terminal.wait_for(" C")
    terminal.wait_for("STOP EVERYTHING")
    time.sleep(1.5)
    assert terminal.output.isascii()
    assert b"# STOP EVERYTHING" in terminal.output


@pytest.mark.parametrize(("columns", "rows"), [(20, 5), (40, 8), (10, 3), (300, 90)])
def test_no_size_of_the_terminal_breaks_it(start: Start, columns: int, rows: int) -> None:
    terminal = start(columns=columns, rows=rows)
    terminal.wait_for("STOP")
    for keys in ("\r", "J", "E", "?", "q", ":", "\x1b", "o", "\x1b", "c"):
        terminal.type(keys)
        time.sleep(0.15)
    terminal.resize(20, 5)
    time.sleep(0.3)
    terminal.resize(1, 1)
    time.sleep(0.3)
    terminal.resize(80, 24)
    terminal.wait_for("STOP EVERYTHING")
    terminal.type(CTRL_C)
    assert terminal.wait() == 130


def test_names_that_attack_the_terminal_are_shown_inert(start: Start) -> None:
    terminal = start("hostile", columns=160)
    terminal.wait_for("°C")
    terminal.type("j\r")
    terminal.wait_for("REGISTER")
    time.sleep(0.5)
    terminal.type("\x1b:")
    time.sleep(0.5)
    terminal.type(CTRL_C)
    assert terminal.wait() == 130

    output = re.sub(rb"\x1b\]22;[a-z]*\x07", b"", terminal.output)  # the mouse pointer, the framework's own
    assert b"[red]markup[/red]" in output
    for harmful in (b"\x1b]0;", b"\x00", b"\x9b31m", "\u202e".encode(), "\u2066".encode(), b"\x07"):
        assert harmful not in output
    assert b"owned title" in output  # said, not obeyed
    assert b"x" * 1000 not in output


@pytest.mark.parametrize("missing", ["dumb", "empty"])
def test_a_terminal_that_cannot_move_the_cursor_is_refused_with_the_way_out(
    start: Start, missing: str
) -> None:
    terminal = start(TERM="dumb" if missing == "dumb" else "")
    assert terminal.wait() == 2
    assert b"needs a terminal" in terminal.output
    assert b"device read @all --watch" in terminal.output
    assert b"\x1b[?1049h" not in terminal.output


def test_without_a_terminal_it_says_so_and_names_the_plain_twin(tmp_path: Path) -> None:
    done = subprocess.run(
        [DSMILCTL, "-C", "sim", "tui"],
        env=home(tmp_path),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert "needs a terminal, and standard input is none" in done.stderr
    assert "dsmilctl -C sim device read @all --watch" in done.stderr
    assert done.stdout == ""
