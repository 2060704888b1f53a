"""Stdout: the only place that writes to it.  Imports nothing, so that `--version` is quick."""

from __future__ import annotations

import os
import sys

CLOSED_PIPE = 141
"""The exit status of a command whose reader went away: 128 + SIGPIPE."""


def write(text: str) -> None:
    """Write text to stdout; what the terminal's encoding lacks is written as an escape."""
    stream = sys.stdout
    try:
        stream.write(text)
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))


def flush() -> None:
    """Hand everything to whoever reads stdout."""
    sys.stdout.flush()


def terminal_width() -> int | None:
    """The columns of the terminal that stdout is, or None for a pipe or file."""
    if not sys.stdout.isatty():
        return None
    try:
        return max(20, os.get_terminal_size(sys.stdout.fileno()).columns)
    except OSError:
        return 80


def abandon() -> None:
    """Let stdout go nowhere: its reader went away, and nothing more can be said there."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
