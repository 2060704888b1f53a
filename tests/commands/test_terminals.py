"""Terminals: small ones, dumb ones, ones without UTF-8, and readers that go away."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.commands.shell import PROGRAM, Shell
from tests.commands.terminal import Terminal

ASCII = {
    "LC_ALL": "C",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
    "PYTHONIOENCODING": "ascii",
}


def test_a_terminal_of_20_columns_and_5_rows_shows_a_table_that_fits(shell: Shell) -> None:
    with Terminal(shell, "-C", "sim", "device", "read", "0x8030-0x8031", "TEMP", columns=20, rows=5) as small:
        assert small.ends() == 0

    lines = small.seen.splitlines()
    assert len(lines) == 3
    assert max(map(len, lines)) <= 20


@pytest.mark.parametrize(
    "line",
    [
        "-C sim device show 0x8001",
        "-C sim emergency stop",
        "-C sim system status",
        "-C sim device read --help",
        "-C sim device raed",
    ],
)
def test_every_kind_of_output_can_be_shown_on_a_tiny_terminal(shell: Shell, line: str) -> None:
    with Terminal(shell, *line.split(), columns=20, rows=5) as tiny:
        assert tiny.ends() in (0, 2)

    assert tiny.seen


def test_watching_paints_over_the_table_and_counts_what_does_not_fit(shell: Shell) -> None:
    line = ["-C", "sim", "device", "read", "@all", "TEMP", "--watch", "0.1"]
    with Terminal(shell, *line, columns=40, rows=6) as terminal:
        terminal.waits_for_raw("\x1b[H", 4)
        terminal.types("\x03")
        assert terminal.ends() == 130

    first, second = terminal.raw.split("\x1b[H")[1:3]
    assert "more" in second
    assert first.count("\n") == second.count("\n") == 5, "a table never scrolls the one before away"


def test_a_dumb_terminal_is_never_painted(shell: Shell) -> None:
    line = ["-C", "sim", "device", "read", "0x8030", "TEMP", "--watch", "0.1"]
    with Terminal(shell, *line, environment={"TERM": "dumb"}) as terminal:
        terminal.waits_for("good\nDEVICE")
        terminal.types("\x03")
        assert terminal.ends() == 130

    assert "\x1b" not in terminal.raw


def test_without_utf_8_everything_is_shown_and_nothing_fails(shell: Shell) -> None:
    for line in (
        "-C sim device read 0x8030 TEMP",
        "-C sim device read 0x8030 TEMP -o json",
        "-C sim device read 0x8030 TEMP -o csv",
        "-C sim bulk --help",
        "-C sim device write --help",
        "-C sim device raed",
        "-C sim device read 'Prüfstand'",
        "-C sim device write 0x8030 CONFIG 5 --justification 'Lüfter geprüft' --yes",
        "audit log",
    ):
        plain, utf8 = shell(f"dsmilctl {line}", environment=ASCII), shell(f"dsmilctl {line}")
        assert plain.exit == utf8.exit, plain.err
        assert (plain.out + plain.err).isascii()


def test_what_a_person_is_asked_can_be_read_without_utf_8(shell: Shell) -> None:
    line = ["-C", "sim", "device", "write", "0x8030", "CONFIG", "5"]
    with Terminal(shell, *line, environment=ASCII) as terminal:
        terminal.waits_for("[y/N]")
        terminal.types("n\n")
        assert terminal.ends() == 1

    assert "\\u2192" in terminal.seen


@pytest.mark.parametrize(
    "line",
    [
        "device list @all --quarantined -o json",
        "stream devices --interval 0.02",
        "bulk read @all STATUS CONFIG DATA TEMP VOLTAGE -o csv",
        "device read 0x8030 --watch 0.05 -o ndjson",
    ],
)
def test_a_reader_that_goes_away_ends_a_command_quietly(shell: Shell, line: str) -> None:
    process = subprocess.Popen(
        [*PROGRAM, "-C", "sim", *line.split()],
        env=shell.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pipesize=4096,
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    process.stdout.close()

    _, err = process.communicate(timeout=30)

    assert (process.returncode, err) == (141, b"")


def test_a_command_whose_output_was_never_wanted_ends_quietly(shell: Shell) -> None:
    for line in ("--version", "--help", "-C sim device list -o json", "context list", "device --help"):
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run(
            [*PROGRAM, *line.split()],
            env=shell.environment,
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=subprocess.PIPE,
            check=False,
        )
        os.close(writing)
        assert (done.returncode, done.stderr) == (141, b""), line
