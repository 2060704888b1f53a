"""Segments: the numbered files of a journal, and its end without reading all of them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from dsmilctl.errors import StateUnavailable
from dsmilctl.guard.chain import GENESIS, Fragment, judge, read_line, unseal

_NAME = re.compile(r"journal-(\d{6,})\.jsonl")
_BLOCK = 16 * 1024


class Tail(msgspec.Struct, frozen=True):
    """Where the next record goes: segment number, bytes that stay in it, and the record to continue from.

    `torn` are bytes of a write that was cut off, to be set aside; `open_line` says that the last record is
    whole but lacks its line feed.
    """

    number: int = 0
    size: int = 0
    sequence: int = 0
    hash: str = GENESIS
    torn: bytes = b""
    open_line: bool = False


def segment_path(folder: Path, number: int) -> Path:
    """The file of one segment."""
    return folder / f"journal-{number:06d}.jsonl"


def segments(folder: Path) -> list[tuple[int, Path]]:
    """The segments that are there, in order; none if the folder does not exist."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 - plain names are wanted, not paths
    except FileNotFoundError:
        return []
    return sorted((int(match[1]), folder / name) for name in names if (match := _NAME.fullmatch(name)))


def lines_backwards(path: Path) -> Iterator[bytes]:
    """The lines of a file from its end, without line feeds; the first is what follows the last line feed."""
    block = _BLOCK
    with path.open("rb", buffering=0) as file:
        position = file.seek(0, os.SEEK_END)
        rest = b""
        while position:
            size = min(block, position)
            position -= size
            lines = (os.pread(file.fileno(), size, position) + rest).split(b"\n")
            rest = lines[0]
            yield from reversed(lines[1:])
            block = min(block * 2, 64 * _BLOCK) if len(lines) > 1 else block * 2
        yield rest


def read_tail(folder: Path) -> Tail:
    """The journal's end.  Raises StateUnavailable if its last record is damaged, OSError if unreadable."""
    found = segments(folder)
    if not found:
        return Tail()
    newest, torn = found[-1][0], b""
    size = found[-1][1].stat().st_size
    for number, path in reversed(found):
        lines = lines_backwards(path)
        fragment = next(lines)
        if fragment:
            kind = judge(fragment) if number == newest else Fragment.DAMAGED
            if kind is Fragment.DAMAGED:
                raise damaged(path)
            if kind is Fragment.WHOLE:
                return _tail(path, fragment, Tail(number=newest, size=size, open_line=True))
            torn = fragment
        last = next(lines, None)
        if last is not None:
            return _tail(path, last, Tail(number=newest, size=size - len(torn), torn=torn))
    return Tail(number=newest, size=size - len(torn), torn=torn)


def damaged(path: Path) -> StateUnavailable:
    """The refusal to write behind a record that is not what was written."""
    return StateUnavailable(
        f"the journal's last record in {path} is damaged, so nothing can be recorded",
        hint="dsmilctl audit verify",
        target=str(path),
    )


def _tail(path: Path, line: bytes, tail: Tail) -> Tail:
    record = read_line(line) if unseal(line) is not None else None
    if record is None:
        raise damaged(path)
    return msgspec.structs.replace(tail, sequence=record.sequence, hash=record.hash)
