"""Spans: a long journal cut into pieces that processes of their own verify at the same time.

A piece begins behind a record whose number and hash are taken on trust; that trust is made good when the
piece before it is found to end in exactly that record.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec

from dsmilctl.decoding import UNDECODABLE
from dsmilctl.guard.chain import GENESIS, read_line
from dsmilctl.guard.intents import unfinished
from dsmilctl.guard.segments import segments
from dsmilctl.guard.verification import Verification
from dsmilctl.model.audit import AuditVerdict

_MOST = 8
"""Processes at once."""


class Piece(msgspec.Struct, frozen=True):
    """A part of one file, from line to line."""

    path: str
    begin: int
    end: int


class Span(msgspec.Struct, frozen=True):
    """Consecutive pieces, and the record before them."""

    pieces: tuple[Piece, ...]
    sequence: int
    hash: str
    anchor: str


class Finding(msgspec.Struct, frozen=True):
    """How the check of a span ended: whether all is well, with which record, and with an intent left open."""

    sound: bool
    sequence: int
    hash: str
    records: int
    anchor_seen: bool
    open: bool


def check(span: Span) -> Finding:
    """Verify one span."""
    verification = Verification(span.anchor, sequence=span.sequence, digest=span.hash)
    sound = True
    for piece in span.pieces:
        _, rest = verification.span(Path(piece.path), piece.begin, piece.end)
        sound = sound and not rest
    return Finding(
        sound=sound and verification.intact,
        sequence=verification.sequence,
        hash=verification.hash,
        records=verification.records,
        anchor_seen=verification.anchor_seen,
        open=bool(verification.open),
    )


def verify_split(folder: Path, anchor: str) -> AuditVerdict | None:
    """The verdict on a journal without any flaw; nothing if there may be one, or only one processor."""
    processes = min(
        _MOST, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    found = segments(folder)
    if processes < 2 or [number for number, _ in found] != list(range(1, len(found) + 1)):
        return None
    spans = _split([path for _, path in found], processes, anchor)
    findings = _check_all(spans)
    if not findings or not all(finding.sound for finding in findings):
        return None
    for finding, following in zip(findings, spans[1:], strict=False):
        if (finding.sequence, finding.hash) != (following.sequence, following.hash):
            return None
    if not any(finding.anchor_seen for finding in findings):
        return None
    left = unfinished(folder) if any(finding.open for finding in findings) else []
    return AuditVerdict(
        intact=True,
        records=sum(finding.records for finding in findings),
        files=tuple(str(path) for _, path in found),
        last_hash=findings[-1].hash,
        unfinished=tuple(line.operation_id for line in left),
    )


def _check_all(spans: list[Span]) -> list[Finding]:
    """Every span's finding, the first by this process; nothing if a process failed."""
    import subprocess

    command = [sys.executable, "-m", "dsmilctl.guard.spans"]
    others = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in spans[1:]]
    try:
        for other, span in zip(others, spans[1:], strict=True):
            if other.stdin is not None:
                other.stdin.write(msgspec.json.encode(span))
                other.stdin.close()
                other.stdin = None
        first = check(spans[0])
        answers = [other.communicate()[0] for other in others]
        return [first, *(msgspec.json.decode(answer, type=Finding) for answer in answers)]
    except (OSError, *UNDECODABLE):
        return []
    finally:
        for other in others:
            other.kill()
            other.wait()


def _split(paths: list[Path], count: int, anchor: str) -> list[Span]:
    """Cut the files into `count` spans of about the same size, at ends of lines."""
    share = sum(path.stat().st_size for path in paths) // count + 1
    spans: list[Span] = []
    pieces: list[Piece] = []
    before, gathered = (0, GENESIS), 0
    for path in paths:
        begin, size = 0, path.stat().st_size
        while gathered + size - begin > share and len(spans) < count - 1:
            cut = _cut(path, begin + share - gathered)
            if cut is None:
                break
            pieces.append(Piece(str(path), begin, cut[0]))
            spans.append(Span(tuple(pieces), *before, anchor))
            begin, before, pieces, gathered = cut[0], cut[1], [], 0
        pieces.append(Piece(str(path), begin, size))
        gathered += size - begin
    return [*spans, Span(tuple(pieces), *before, anchor)]


def _cut(path: Path, offset: int) -> tuple[int, tuple[int, str]] | None:
    """The end of a whole line behind `offset`, and that record's number and hash."""
    with path.open("rb") as file:
        file.seek(offset)
        file.readline()
        text = file.readline()
        line = read_line(text)
        return (file.tell(), (line.sequence, line.hash)) if line is not None else None


def main() -> None:
    """Read a span from standard input and answer with its finding."""
    span = msgspec.json.decode(sys.stdin.buffer.read(), type=Span)
    os.write(1, msgspec.json.encode(check(span)))


if __name__ == "__main__":
    main()
