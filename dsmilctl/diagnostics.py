"""Diagnostics: the only writer of stderr, the exit codes, questions to a person and progress."""

from __future__ import annotations

import sys
import time
from typing import Any

import msgspec

from dsmilctl.errors import ConfirmationRequired, DSMILError, RateLimitError
from dsmilctl.inert import inert
from dsmilctl.stdout import CLOSED_PIPE

PARTIAL = 6
INTERRUPTED = 130
HUNG_UP = 129
TERMINATED = 143

EXIT_CODES = {
    0: "ok",
    1: "refused or failed",
    2: "usage, configuration, unknown device, or a confirmation that nobody could give",
    3: "unreachable",
    4: "not logged in or not allowed",
    5: "timeout, outcome unknown",
    PARTIAL: "partial: stdout carries every result",
    7: "conflict or busy",
    8: "stop not confirmed by all",
    9: "a check found problems",
    HUNG_UP: "hung up (SIGHUP)",
    INTERRUPTED: "interrupted (SIGINT)",
    CLOSED_PIPE: "the reader of the output went away",
    TERMINATED: "terminated (SIGTERM)",
}
"""What a command's exit status means."""


def say(text: str) -> None:
    """One line on stderr."""
    _write(f"{text}\n")


def warn(message: str) -> None:
    """A warning: the command goes on."""
    say(f"dsmilctl: warning: {inert(message)}")


def fail(error: DSMILError, *, as_json: bool = False) -> int:
    """Tell an error and its hint; the exit status that goes with it."""
    if as_json:
        _write(msgspec.json.encode({"error": described(error)}).decode() + "\n")
    else:
        say(f"dsmilctl: error: {inert(error.message)}")
        if error.hint:
            say(f"hint: {inert(error.hint)}")
    return error.exit_status


def described(error: DSMILError) -> dict[str, Any]:
    """An error as programs read it."""
    told: dict[str, Any] = {"code": error.code, "message": error.message}
    told |= {"hint": error.hint or None, "target": error.target or None}
    if isinstance(error, RateLimitError):
        told["retry_after"] = error.retry_after
    return told


def interactive() -> bool:
    """Whether a person can be asked."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def confirm(question: str, *, flag: str = "--yes") -> bool:
    """Ask `[y/N]` on stderr; raises ConfirmationRequired where nobody can answer."""
    require_person(question, flag)
    _write(f"{inert(question)} [y/N] ")
    return sys.stdin.readline().strip().casefold() in ("y", "yes")


def confirm_by_name(question: str, name: str) -> bool:
    """Ask a person to type `name`; raises ConfirmationRequired where nobody can answer."""
    require_person(question, f"--confirm {name}")
    _write(f"{inert(question)}\nType {inert(name)} to go on: ")
    return sys.stdin.readline().strip() == name


def require_person(question: str, flag: str) -> None:
    """Raise ConfirmationRequired unless a person can be asked."""
    if not interactive():
        message = f"{question.rstrip('?')}: nobody is here to confirm it"
        raise ConfirmationRequired(message, hint=f"add {flag} to confirm without a terminal", target=flag)


class Progress:
    """How far a long command is: one line on a terminal, JSON lines with `--progress json`, else nothing.

    Shows the rate and the time that is left.
    """

    def __init__(self, what: str, total: int, mode: str = "auto") -> None:
        self._what = what
        self._total = total
        self._done = 0
        self._failed = 0
        self._begun = time.monotonic()
        self._shown = 0.0
        terminal = sys.stderr.isatty()
        self._mode = mode if mode in ("json", "none") else ("line" if terminal and total > 1 else "none")

    def step(self, *, failed: bool = False) -> None:
        """One more item is done."""
        self._done += 1
        self._failed += failed
        now = time.monotonic()
        if now - self._shown >= 0.1 or self._done == self._total:
            self._shown = now
            self._tell(now - self._begun)

    def _tell(self, elapsed: float) -> None:
        rate = self._done / elapsed if elapsed else 0.0
        left = (self._total - self._done) / rate if rate else 0.0
        if self._mode == "json":
            progress: dict[str, float] = {"done": self._done, "total": self._total, "failed": self._failed}
            progress |= {"rate": round(rate, 1), "remaining_s": round(left, 1)}
            _write(msgspec.json.encode({"progress": progress}).decode() + "\n")
        elif self._mode == "line":
            failed = f", {self._failed} failed" if self._failed else ""
            _write(
                f"\r{self._what} {self._done}/{self._total}{failed}, {rate:.0f}/s, {left:.0f} s left \x1b[K"
            )

    def end(self) -> None:
        """Wipe the line."""
        if self._mode == "line" and self._done:
            _write("\r\x1b[K")


def _write(text: str) -> None:
    stream = sys.stderr
    try:
        stream.write(text)
        stream.flush()
    except UnicodeEncodeError:
        stream.write(text.encode("ascii", "backslashreplace").decode())
        stream.flush()
    except OSError:
        return  # nobody reads stderr any more, and there is nowhere else to say so
