"""Salvage: where a journal can go on whose end is damaged."""

from __future__ import annotations

from pathlib import Path

from dsmilctl.errors import StateUnavailable
from dsmilctl.guard.chain import read_line, unseal
from dsmilctl.guard.segments import Tail, lines_backwards, read_tail, segments


def salvage(folder: Path) -> tuple[Tail, str]:
    """The tail to continue from, and what is wrong with the end (empty: nothing).

    Behind damage that is the last sound record, its number raised by the damaged lines after it, so that the
    gap stays visible.  Raises OSError if the files cannot be read.
    """
    try:
        return read_tail(folder), ""
    except StateUnavailable as error:
        problem = error.message
    found = segments(folder)
    damaged = 0
    for _, path in reversed(found):
        for text in lines_backwards(path):
            record = read_line(text) if unseal(text) is not None else None
            if record is not None:
                return Tail(
                    number=found[-1][0], sequence=record.sequence + damaged, hash=record.hash
                ), problem
            damaged += bool(text)
    return Tail(number=found[-1][0], sequence=damaged), problem


def file_digest(path: Path) -> str:
    """The SHA-256 of a file's bytes, empty if there is none."""
    import hashlib

    if not path.exists():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
