"""The dashboard in a terminal that a person might use: what is on the screen is read back from tmux."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.tui.test_real_terminal import home

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


class Session:
    """One tmux server of our own with one window."""

    def __init__(self, socket: Path, environment: dict[str, str], line: str) -> None:
        self._tmux = ["tmux", "-S", str(socket), "-f", "/dev/null"]
        self._environment = environment
        self._run("new-session", "-d", "-s", "test", "-x", "110", "-y", "30", line)

    def _run(self, *words: str) -> str:
        done = subprocess.run(
            [*self._tmux, *words], env=self._environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    def press(self, *keys: str) -> None:
        """Press keys by tmux's names for them."""
        self._run("send-keys", "-t", "test", *keys)

    def screen(self) -> str:
        """What is on the screen now."""
        return self._run("capture-pane", "-t", "test", "-p")

    def until(self, true: Callable[[str], bool]) -> str:
        """Wait until the screen is as wanted."""
        deadline = time.monotonic() + 30
        while not true(screen := self.screen()):
            assert time.monotonic() < deadline, screen
            time.sleep(0.05)
        return screen

    def end(self) -> None:
        """End the server."""
        subprocess.run([*self._tmux, "kill-server"], check=False, capture_output=True)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """A shell that says what is before and after the dashboard."""
    dsmilctl = Path(sys.executable).with_name("dsmilctl")
    line = f"echo before; {dsmilctl} -C sim tui; echo left with $?; cat"
    running = Session(tmp_path / "tmux", home(tmp_path / "home"), line)
    yield running
    running.end()


def test_a_tour_in_tmux_ends_with_the_screen_as_it_was(session: Session) -> None:
    fleet = session.until(lambda text: "● live" in text and "°C" in text)
    assert "0x8000" in fleet
    assert "⊘ quarantine" in fleet
    assert fleet.splitlines()[-1].endswith("■ STOP EVERYTHING  ctrl+x")

    session.press("Down", "Enter")
    session.until(lambda text: "REGISTER" in text and "0x8001" in text.splitlines()[1])

    session.press("C-x")
    stopped = session.until(lambda text: "84 confirmed" in text)
    assert "EMERGENCY STOP" in stopped

    session.press("J")
    session.until(lambda text: "emergency.stop" in text)

    session.press("q")
    session.until(lambda text: "REGISTER" in text)
    session.press("q")
    session.until(lambda text: "LAST 60 s" in text)
    session.press("q")
    after = session.until(lambda text: "left with 0" in text)
    assert "before" in after
    assert "STOP EVERYTHING" not in after


def test_a_resize_lays_the_screen_out_anew(session: Session) -> None:
    session.until(lambda text: "° C" in text or "°C" in text)
    session._run("resize-window", "-t", "test", "-x", "60", "-y", "12")
    small = session.until(lambda text: "STOP ALL" in text)
    assert "LAST 60 s" not in small
    session._run("resize-window", "-t", "test", "-x", "130", "-y", "40")
    session.until(lambda text: "STOP EVERYTHING" in text and "LAST 60 s" in text and "LATENCY" in text)


def test_ctrl_z_gives_the_terminal_to_the_shell_and_fg_takes_it_back(tmp_path: Path) -> None:
    session = Session(tmp_path / "tmux", home(tmp_path / "home"), "bash --norc")
    try:
        session.press(f"{Path(sys.executable).with_name('dsmilctl')} -C sim tui", "Enter")
        session.until(lambda text: "● live" in text and "°C" in text)
        session.press("C-z")
        session.until(lambda text: "Stopped" in text and "STOP EVERYTHING" not in text)
        session.press("fg", "Enter")
        session.until(lambda text: "0x8000" in text and "STOP EVERYTHING" in text and "LAST 60 s" in text)
        session.press("q")
        session.until(lambda text: "STOP EVERYTHING" not in text)
    finally:
        session.end()
