"""Intents: the changes that were begun and whose outcome is not in the journal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from dsmilctl.guard.chain import Line, read_line
from dsmilctl.guard.files import write_durably
from dsmilctl.guard.segments import segments

_BLOCK = 1 << 20
_WORTH_KEEPING = 1 << 18
"""So many bytes must have been read before the place is written down."""
_INTENT = "INTENT"


class _Step(msgspec.Struct, frozen=True, gc=False):
    """What of a record matters here."""

    outcome: str
    operation_id: str


class Progress(msgspec.Struct):
    """How far the journal has been looked through, and which intents were open there, as lines."""

    segment: int = 1
    offset: int = 0
    mark: str = ""
    open: dict[str, str] = {}


_steps = msgspec.json.Decoder(_Step)
_progress = msgspec.json.Decoder(Progress)


def unfinished(folder: Path) -> list[Line]:
    """The intents without outcome, oldest first.  Raises OSError if the journal cannot be read.

    How far it got is kept in `journal.settled`, so that the next call reads only what came since.  That file
    is no evidence: where it does not fit the journal, everything is read.
    """
    kept = folder / "journal.settled"
    progress = _load(kept, folder)
    begun = (progress.segment, progress.offset)
    fragment = b""
    for number, path in segments(folder):
        if number < progress.segment:
            continue
        if number > progress.segment:
            progress.segment, progress.offset = number, 0
        for block in _whole_lines(path, progress.offset):
            if not block.endswith(b"\n"):
                fragment = block
                break
            _settle(progress.open, block)
            progress.offset += len(block)
            progress.mark = _mark(block)
    if progress.segment > begun[0] or progress.offset - begun[1] > _WORTH_KEEPING:
        with suppress(OSError):
            write_durably(kept, msgspec.json.encode(progress))
    open_intents = dict(progress.open)
    _settle(open_intents, fragment)
    lines = (read_line(text.encode()) for text in open_intents.values())
    return [line for line in lines if line is not None]


def _settle(open_intents: dict[str, str], block: bytes) -> None:
    """Go through whole lines: an intent opens its operation, whatever else is recorded of it closes it."""
    lines = block.removesuffix(b"\n").split(b"\n")
    try:
        steps: list[_Step | None] = list(_steps.decode_lines(block))
    except (msgspec.DecodeError, UnicodeDecodeError):
        steps = []
    if len(steps) != len(lines):
        steps = [_step(line) for line in lines]
    for line, step in zip(lines, steps, strict=True):
        if step is None:
            continue
        if step.outcome == _INTENT:
            open_intents[step.operation_id] = line.decode("utf-8", "replace")
        else:
            open_intents.pop(step.operation_id, None)


def _step(line: bytes) -> _Step | None:
    try:
        return _steps.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _whole_lines(path: Path, offset: int) -> Iterator[bytes]:
    """The file from `offset` in large blocks that end with a line feed; the last may lack it."""
    with path.open("rb", buffering=0) as file:
        file.seek(offset)
        rest = b""
        while block := file.read(_BLOCK):
            whole, feed, rest = (rest + block).rpartition(b"\n")
            if feed:
                yield whole + feed
        if rest:
            yield rest


def _mark(block: bytes) -> str:
    """The end of a block, by which its place is known again."""
    return block[-80:].decode("utf-8", "replace")


def _load(kept: Path, folder: Path) -> Progress:
    try:
        progress = _progress.decode(kept.read_bytes())
        path = dict(segments(folder))[progress.segment]
        with path.open("rb") as file:
            file.seek(max(0, progress.offset - 80))
            fits = _mark(file.read(min(80, progress.offset))) == progress.mark
    except (OSError, KeyError, msgspec.DecodeError, UnicodeDecodeError):
        return Progress()
    return progress if fits else Progress()
