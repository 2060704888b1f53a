"""Shell: runs command lines in fresh processes, each with a home of its own to use up."""

from __future__ import annotations

import json
import os
import re
import resource
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from tests.commands.forked import Forked, Nursery
from tests.leftovers import HOMES

PATIENCE = 30.0
STILL = {"DSMIL_SIM_OPTIONS": '{"period": 1e12}'}
"""Simulated devices whose registers do not change by themselves."""


FRESH = "FRESH_PROCESSES"
"""The variable under which every command is a new process, and none is forked off."""

Variables = Mapping[str, str]
NONE: Variables = MappingProxyType({})
PLAIN = re.compile(r"""dsmilctl( [\w@%+,./:=-]+| '[^']*'| "[^"$`\\]*")*""")
"""A command in which a shell finds nothing but words."""


class Error(NamedTuple):
    """An error as a program reads it from stderr."""

    code: str
    message: str
    hint: str | None
    target: str | None


class Answer(NamedTuple):
    """What a process said and how it ended."""

    exit: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Stdout as one JSON document."""
        return json.loads(self.out)

    @property
    def data(self) -> Any:
        """The data of the JSON document on stdout."""
        return self.json["data"]

    @property
    def lines(self) -> list[Any]:
        """Stdout as one JSON document per line."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def error(self) -> Error:
        """The JSON error on stderr: its last line."""
        told = json.loads(self.err.splitlines()[-1])["error"]
        return Error(told["code"], told["message"], told["hint"], told["target"])


def joined(answers: Iterable[Answer]) -> Answer:
    """What several commands said, one after the other, and how the last one ended."""
    ends, outs, errs = zip(*answers, strict=True)
    return Answer(ends[-1], "".join(outs), "".join(errs))


class Shell:
    """A shell with a home folder and an environment that no other test sees."""

    def __init__(self, home: Path, environment: Variables = STILL) -> None:
        HOMES.append(home)
        self.home = home
        self.environment = {**inherited(), **environment, "HOME": str(home), "DSMIL_HOME": str(home)}
        self.environment["PATH"] = f"{_commands(home)}:{os.environ['PATH']}"

    def __call__(
        self, line: str, *, stdin: str | bytes = "", timeout: float = PATIENCE, environment: Variables = NONE
    ) -> Answer:
        """Run a line of shell; `dsmilctl` in it is a fresh process."""
        commands = line.split("; ")
        if all(map(PLAIN.fullmatch, commands)) and (len(commands) == 1 or not stdin):
            return joined(
                self.run(*shlex.split(command)[1:], stdin=stdin, timeout=timeout, environment=environment)
                for command in commands
            )
        return self._run(["/bin/sh", "-c", line], stdin, timeout, environment)

    def run(
        self,
        *arguments: str | bytes,
        stdin: str | bytes = "",
        timeout: float = PATIENCE,
        limits: Callable[[], None] | None = None,
        environment: Variables = NONE,
    ) -> Answer:
        """Run dsmilctl itself, without a shell between; `limits` is called in the new process before it."""
        if limits is None and (process := self._forked(arguments, environment, _bytes(stdin))):
            out, err = process.communicate(timeout)
            return _answer(arguments, process.returncode, out, err)
        return self._run([*PROGRAM, *arguments], stdin, timeout, environment, limits)

    def start(self, *arguments: str, environment: Variables = NONE, anew: bool = True) -> Running:
        """Start dsmilctl and leave it running; a server need not be a new process."""
        if not anew and (forked := self._forked(arguments, environment)):
            return Running(forked)
        process = subprocess.Popen(
            [*PROGRAM, *arguments],
            cwd=self.home,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        return Running(process)

    def _forked(
        self, arguments: Sequence[str | bytes], environment: Variables, stdin: bytes = b""
    ) -> Forked | None:
        line, variables = (
            [os.fsencode(argument) for argument in arguments],
            {**self.environment, **environment},
        )
        nursery = the_nursery()
        if nursery is None or not nursery.takes(line, variables, stdin):
            return None
        return nursery.begin(line, str(self.home), variables, stdin)

    def _run(
        self,
        command: list[Any],
        stdin: str | bytes,
        timeout: float,
        environment: Variables,
        limits: Callable[[], None] | None = None,
    ) -> Answer:
        done = subprocess.run(
            command,
            cwd=self.home,
            env={**self.environment, **environment},
            input=_bytes(stdin),
            capture_output=True,
            timeout=timeout,
            check=False,
            preexec_fn=limits,
        )
        return _answer(command, done.returncode, done.stdout, done.stderr)


PROGRAM = [sys.executable, "-m", "dsmilctl"]


class Running:
    """A command that goes on until somebody ends it."""

    def __init__(self, process: subprocess.Popen[bytes] | Forked) -> None:
        self._process = process

    def line(self) -> str:
        """The next line of stdout, as soon as it is there."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().decode()

    def told(self) -> str:
        """The next line of stderr, as soon as it is there."""
        assert self._process.stderr is not None
        return self._process.stderr.readline().decode()

    @property
    def goes_on(self) -> bool:
        """Whether the command still runs."""
        return self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Send the command a signal."""
        self._process.send_signal(number)

    def end(self, number: signal.Signals | None = None) -> Answer:
        """Send a signal, or none, and wait for what else the command has to say."""
        if number is not None:
            self.send(number)
        out, err = self._process.communicate(timeout=PATIENCE)
        assert self._process.returncode is not None
        return Answer(self._process.returncode, _text(out), _text(err))


def inherited() -> dict[str, str]:
    """The environment that every command gets: nothing of the settings of whoever runs the tests."""
    ours = ("DSMIL", "XDG_", "PYTHON", "LC_", "LANG", "COLUMNS", "LINES", "NO_COLOR")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "LC_ALL": "C.UTF-8", "TERM": "xterm-256color"}


@cache
def the_nursery() -> Nursery | None:
    """What commands are forked from, where that is possible and wanted."""
    wanted = FRESH not in os.environ and "COVERAGE_PROCESS_CONFIG" not in os.environ
    return Nursery(inherited()) if wanted and hasattr(os, "pidfd_open") else None


def largest_file(size: int) -> Callable[[], None]:
    """A limit under which no file can be written beyond `size` bytes, as on a disk that is full."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


def _commands(home: Path) -> Path:
    """A folder with `dsmilctl` in it, for the PATH of a shell."""
    folder = home / "bin"
    folder.mkdir(exist_ok=True)
    script = folder / "dsmilctl"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m dsmilctl "$@"\n')
    script.chmod(0o755)
    return folder


def _answer(line: Sequence[object], status: int | None, out: bytes, err: bytes) -> Answer:
    assert status is not None
    answer = Answer(status, _text(out), _text(err))
    assert "Traceback" not in answer.err or "--debug" in str(line), answer.err
    return answer


def _bytes(typed: str | bytes) -> bytes:
    return typed.encode() if isinstance(typed, str) else typed


def _text(content: bytes) -> str:
    return content.decode("utf-8", "backslashreplace")
