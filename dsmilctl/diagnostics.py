"""Diagnostics: the only writer of stderr: errors, warnings, the log of a command, and the exit codes."""

from __future__ import annotations

import os
import sys
from typing import Any, TextIO

import msgspec

from dsmilctl.errors import DSMILError, RateLimitError
from dsmilctl.inert import encodable, inert
from dsmilctl.stdout import CLOSED_PIPE

PARTIAL = 6
HUNG_UP = 129
INTERRUPTED = 130
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
    8: "stop not confirmed by all, or not latched",
    9: "a check found problems",
    HUNG_UP: "hung up (SIGHUP)",
    INTERRUPTED: "interrupted (SIGINT)",
    CLOSED_PIPE: "the reader of the output went away",
    TERMINATED: "terminated (SIGTERM)",
}
"""What a command's exit status means."""


class _Voice:
    """How diagnostics are told: as lines for people, or as JSON for the program that reads the output."""

    json = False


def speak_json(on: bool) -> None:
    """Tell errors and warnings as JSON from now on, or no longer."""
    _Voice.json = on


def write(text: str) -> None:
    """Text on stderr as it is; what its encoding lacks is written as an escape."""
    stream = sys.stderr
    if stream is None:
        return
    try:
        stream.write(text)
        stream.flush()
    except UnicodeEncodeError:
        stream.write(text.encode("ascii", "backslashreplace").decode())
        stream.flush()
    except OSError:
        return  # nobody reads stderr any more, and there is nowhere else to say so


def say(text: str) -> None:
    """One line on stderr."""
    write(f"{text}\n")


def warn(message: str) -> None:
    """A warning: the command goes on."""
    if _Voice.json:
        _say_json({"warning": {"message": encodable(message)}})
    else:
        say(f"dsmilctl: warning: {_harmless(message)}")


def fail(error: DSMILError) -> int:
    """Tell an error and its hint; the exit status that goes with it."""
    if _Voice.json:
        _say_json({"error": described(error)})
    else:
        say(f"dsmilctl: error: {_harmless(error.message)}")
        if error.hint:
            say(f"hint: {_harmless(error.hint)}")
    return error.exit_status


def described(error: DSMILError) -> dict[str, Any]:
    """An error as programs read it."""
    told: dict[str, Any] = {"code": error.code, "message": encodable(error.message)}
    told |= {"hint": encodable(error.hint) or None, "target": encodable(error.target) or None}
    if isinstance(error, RateLimitError):
        told["retry_after"] = error.retry_after
    return told


def is_terminal() -> bool:
    """Whether a person looks at stderr."""
    return sys.stderr is not None and sys.stderr.isatty()


def width() -> int:
    """The columns that a line on stderr may take."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except (OSError, AttributeError):
        return 80


def log_stream() -> TextIO | None:
    """Where the log of a command goes."""
    return sys.stderr


def _harmless(message: str) -> str:
    """Every line of a message made inert; an error of several mistakes has several lines."""
    return "\n".join(inert(line) for line in message.split("\n"))


def _say_json(document: dict[str, Any]) -> None:
    say(msgspec.json.encode(document).decode())
