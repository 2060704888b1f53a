"""Stdout: the only place that writes to it.  Loads nothing, so that `--version` is quick."""

from __future__ import annotations

import os
import sys

CLOSED_PIPE = 141
"""The exit status of a command whose reader went away: 128 + SIGPIPE."""


def write(text: str) -> None:
    """Write text to stdout; what its encoding lacks is written as an escape.

    Whoever starts a program with stdout closed hears nothing.
    """
    stream = sys.stdout
    if stream is None:
        return
    try:
        stream.write(text)
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))


def write_json(text: str) -> None:
    """Write JSON to stdout: UTF-8, or escapes where that is not its encoding.  Source: RFC 8259."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    if not text.isascii() and encoding.replace("-", "").lower() != "utf8":
        import json

        text = "".join(letter if letter.isascii() else json.dumps(letter)[1:-1] for letter in text)
    write(text)


def write_bytes(message: bytes) -> None:
    """Write to stdout what another process of ours reads."""
    if sys.stdout is not None:
        sys.stdout.buffer.write(message)


def flush() -> None:
    """Hand everything to whoever reads stdout; raises BrokenPipeError when nobody does any more."""
    if sys.stdout is not None:
        sys.stdout.flush()


def is_terminal() -> bool:
    """Whether a person looks at stdout."""
    return sys.stdout is not None and sys.stdout.isatty()


def moves_cursor() -> bool:
    """Whether stdout is a terminal that can be painted over."""
    return is_terminal() and os.environ.get("TERM", "dumb") not in ("", "dumb")


def terminal_width() -> int | None:
    """The columns of the terminal that stdout is, or None for a pipe or file."""
    size = terminal_size()
    return None if size is None else size[0]


def terminal_size() -> tuple[int, int] | None:
    """Columns and rows of the terminal that stdout is, or None for a pipe or file.

    A terminal that does not know its size is taken for one of 80 columns and 24 rows.
    """
    if not is_terminal():
        return None
    try:
        columns, rows = os.get_terminal_size(sys.stdout.fileno())
    except OSError:
        columns, rows = 0, 0
    return columns or 80, rows or 24


def encoding() -> str:
    """The character encoding of stdout."""
    return (sys.stdout.encoding if sys.stdout is not None else "") or "unknown"


def abandon() -> None:
    """Let stdout go nowhere: its reader went away, and nothing more can be said there."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
