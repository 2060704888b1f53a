"""Quiet: commands with DuckDB in them end without a word of its own, and at once where they are told to.

DuckDB's binding looks for objects that are left over when the interpreter is taken apart, and prints what it
finds ("nanobind: leaked ..."); a thread that is in it then ends the process with SIGABRT.  So commands leave
without taking it apart.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from tests.commands.shell import PROGRAM, Shell

AT_THE_END = """
import ctypes, sys
ctypes.pythonapi.Py_AtExit(ctypes.CDLL(None).abort)  # called where a binding would look for what is left
"""
AS_COMMAND = "from dsmilctl.cli import program; program()"
ENDLESS = "SELECT count(*) FROM range(10000000000000) a, range(100000) b"

LINES = {
    "rows": ["record", "query", "--limit", "2"],
    "sql": ["record", "query", "--sql", "SELECT count(*) FROM readings"],
    "wrong": ["record", "query", "--sql", "SELEC"],
    "deadline": ["record", "query", "--deadline", "1s", "--sql", ENDLESS],
    "stretches": ["record", "query", "--every", "1m"],
    "replay": ["record", "replay", "last", "--speed", "0", "--count", "2"],
    "context": ["-C", "replay:last", "device", "read", "0x8000"],
    "report": ["record", "report", "last", "-o", "json"],
    "maintain": ["record", "maintain", "--keep-raw", "3650d", "--dry-run"],
    "check": ["record", "check"],
}


@pytest.fixture
def recorded(shell: Shell) -> Shell:
    shell("dsmilctl -C sim record run --name tour --for 1s --interval 0.2 @all TEMP -o json")
    return shell


def ended(shell: Shell, code: str, line: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", AT_THE_END + code, *line],
        cwd=shell.home, env=shell.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_process_that_is_taken_apart_is_noticed(shell: Shell) -> None:
    assert ended(shell, "import duckdb; duckdb.sql('SELECT 1')", []).returncode == -signal.SIGABRT


def test_no_command_is_taken_apart_or_tells_of_leaks(recorded: Shell) -> None:
    for name, line in LINES.items():
        done = ended(recorded, AS_COMMAND, line)
        assert done.returncode >= 0, name
        assert "nanobind" not in done.stderr + done.stdout, name
        assert "FATAL" not in done.stderr, name


def test_a_question_without_end_is_ended_by_ctrl_c(recorded: Shell) -> None:
    process = subprocess.Popen(
        [*PROGRAM, "record", "query", "--sql", ENDLESS],
        cwd=recorded.home, env=recorded.environment, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate()
    assert process.returncode == 130
    assert b"nanobind" not in told
