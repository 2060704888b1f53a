"""Verification: the whole journal checked line by line, and the first bad record named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import msgspec

from dsmilctl.errors import InvalidParameter
from dsmilctl.guard.chain import GENESIS, TRAILER, Fragment, judge
from dsmilctl.guard.files import unavailable
from dsmilctl.guard.segments import segment_path, segments
from dsmilctl.model.audit import AuditVerdict

_BLOCK = 1 << 20
_ANCHOR = re.compile(r"(?:([0-9]{1,18}):)?([0-9a-fA-F]{64})")
WORTH_SPLITTING = 48 << 20
"""From so many bytes on, several processes share the work."""


class _Bond(msgspec.Struct, frozen=True, gc=False):
    """What of a line its neighbours depend on."""

    sequence: int
    previous: str
    hash: str
    outcome: str
    operation_id: str


_decoder = msgspec.json.Decoder(_Bond)


class Verification:
    """One walk over all segments; `verdict` says how it ended.

    `anchor` is what `verify` takes; one that is none raises InvalidParameter.  `sequence` and `digest` are
    those of the record before the first one that is looked at.
    """

    def __init__(self, anchor: str = "", *, sequence: int = 0, digest: str = GENESIS) -> None:
        self._anchor_sequence, self._anchor = _parsed(anchor)
        self.anchor_seen = self._anchor in ("", GENESIS)
        self.sequence = sequence
        self.hash = digest
        self.records = 0
        self.intact = True
        self._files: list[str] = []
        self.open: dict[str, None] = {}
        self._first_bad: int | None = None
        self._place: tuple[str, int | None] = ("", None)
        self._problem = ""

    def walk(self, folder: Path, first: int = 1, end: int | None = None) -> None:
        """Check every segment of the folder in order, or those from one up to another; raises OSError."""
        expected = first
        found = segments(folder)
        for number, path in (item for item in found if first <= item[0] and (end is None or item[0] < end)):
            if number != expected:
                self._fail(segment_path(folder, expected), None, "this segment is missing")
            expected = number + 1
            self._files.append(str(path))
            self._segment(path, newest=number == found[-1][0])

    def verdict(self) -> AuditVerdict:
        """What was found, the anchor included."""
        if self.intact and not self.anchor_seen:
            last = Path(self._files[-1]) if self._files else Path()
            self.sequence = (self._anchor_sequence or self.sequence + 1) - 1
            self._fail(
                last, None, "the anchor is not in the journal: its end was cut off, or an older copy put here"
            )
        file, line = self._place
        return AuditVerdict(
            intact=self.intact,
            records=self.records,
            files=tuple(self._files),
            first_bad=self._first_bad,
            file=file,
            line=line,
            problem=self._problem,
            last_hash=self.hash if self.sequence else "",
            unfinished=tuple(self.open),
        )

    def _segment(self, path: Path, *, newest: bool) -> None:
        line, rest = self.span(path, 0, None)
        if rest:
            self._fragment(path, line, rest, newest=newest)

    def span(self, path: Path, begin: int, end: int | None) -> tuple[int, bytes]:
        """Check the lines between two offsets; the number of the line behind them, and what it holds."""
        line, rest = 1, b""
        for block in _blocks(path, begin, end):
            whole, feed, rest = (rest + block).rpartition(b"\n")
            if feed:
                line += self._lines(path, line, whole)
        return line, rest

    def _lines(self, path: Path, first: int, block: bytes) -> int:
        """Check the lines of a block; how many there are."""
        lines = block.split(b"\n")
        self.records += len(lines)
        if not self.intact:
            return len(lines)
        try:
            bonds = _decoder.decode_lines(block)
        except (msgspec.DecodeError, UnicodeDecodeError):
            bonds = []
        good = self._follow(lines, bonds) if len(bonds) == len(lines) else 0
        for offset in range(good, len(lines)):
            problem = self._check(lines[offset])
            if problem:
                self._fail(path, first + offset, problem)
                break
        return len(lines)

    def _follow(self, lines: list[bytes], bonds: list[_Bond]) -> int:
        """Go along the chain as long as it holds; how far that was.  The loop that every record passes."""
        sequence, previous, good = self.sequence, self.hash, 0
        for line, bond in zip(lines, bonds, strict=True):
            digest = bond.hash
            if (
                bond.previous != previous
                or bond.sequence != sequence + 1
                or sha256(line[:-TRAILER] + b"}").hexdigest() != digest
            ):
                break
            sequence += 1
            previous = digest
            good += 1
            if digest == self._anchor:
                self.anchor_seen = True
            if bond.outcome == "INTENT":
                self.open[bond.operation_id] = None
            elif bond.operation_id in self.open:
                del self.open[bond.operation_id]
        self.sequence, self.hash = sequence, previous
        return good

    def _check(self, line: bytes) -> str:
        """What is wrong with the next line; nothing if it continues the chain."""
        try:
            bond = _decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return "this line is not a record"
        if self._follow([line], [bond]):
            return ""
        if sha256(line[:-TRAILER] + b"}").hexdigest() != bond.hash:
            return "the record does not fit its hash: it was changed"
        wanted = self.sequence + 1
        if bond.sequence > wanted:
            return f"record {wanted} is missing here, record {bond.sequence} follows: removed or out of order"
        if bond.sequence < wanted:
            return (
                f"record {bond.sequence} stands here, record {wanted} belongs here: inserted or out of order"
            )
        return "the record does not continue the one before it: inserted or exchanged"

    def _fragment(self, path: Path, line: int, text: bytes, *, newest: bool) -> None:
        """Judge what follows the last line feed.  Of a write that was cut off only a note is taken."""
        kind = judge(text) if newest else Fragment.DAMAGED
        if kind is Fragment.DAMAGED:
            self._fail(path, line, "the last line is neither a record nor the beginning of one")
        elif kind is Fragment.TORN:
            note = (
                f"the last line is torn ({len(text)} bytes of a write that was cut off and never confirmed)"
            )
            self._note(path, line, note)
        else:
            self._lines(path, line, text)
            self._note(path, line, "the last record lacks its line feed")

    def _note(self, path: Path, line: int, problem: str) -> None:
        if self.intact:
            self._place, self._problem = (str(path), line), problem

    def _fail(self, path: Path, line: int | None, problem: str) -> None:
        if self.intact:
            self.intact = False
            self._first_bad = self.sequence + 1
            self._place, self._problem = (str(path), line), problem


def verify(folder: Path, anchor: str = "") -> AuditVerdict:
    """Check the journal in a folder.  Raises StateUnavailable if a file of it cannot be read.

    `anchor` is a hash, `sequence:hash`, or empty; anything else raises InvalidParameter.
    A long journal is checked by several processes; if they find anything, or cannot run, this one goes
    through all of it, so that what is said is always said by one walk from the first line on.
    """
    from dsmilctl.guard.restarts import with_restarts

    _parsed(anchor)
    try:
        if sum(path.stat().st_size for _, path in segments(folder)) >= WORTH_SPLITTING:
            from dsmilctl.guard.spans import verify_split

            verdict = verify_split(folder, anchor)
            if verdict is not None:
                return verdict
        verification = Verification(anchor)
        verification.walk(folder)
        return with_restarts(folder, verification.verdict())
    except OSError as error:
        raise unavailable(f"journal {folder} cannot be read", error, folder) from error


def _parsed(anchor: str) -> tuple[int | None, str]:
    """The number, where it tells one, and the hash of the record that an anchor names; none if it is empty.

    Raises InvalidParameter for anything else: an anchor without a hash would prove whatever it is held to.
    """
    if not anchor:
        return None, ""
    form = _ANCHOR.fullmatch(anchor.strip())
    if form is None or (form[2] == GENESIS and int(form[1] or 0)):
        message = f"{anchor!r} is no anchor of a journal"
        hint = "an anchor is a record's hash of 64 hexadecimal digits, or SEQUENCE:HASH"
        raise InvalidParameter(message, hint=hint, target="anchor")
    return int(form[1]) if form[1] else None, form[2].lower()


def _blocks(path: Path, begin: int, end: int | None) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        position = file.seek(begin)
        while block := file.read(_BLOCK if end is None else min(_BLOCK, end - position)):
            position += len(block)
            yield block
