"""Restarts: what is wrong with a journal behind the damage that an operator went on from.

A walk ends at the first bad record, and that one stays: without a second look whatever is changed later would
look like it.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import msgspec

from dsmilctl.guard.chain import Line, read_line
from dsmilctl.guard.salvage import file_digest
from dsmilctl.guard.segments import segments
from dsmilctl.guard.verification import Verification
from dsmilctl.guard.writer import RESTART
from dsmilctl.model.audit import AuditVerdict

_AMONG = 2
"""Lines of a segment among which its restart is: bytes that were set aside are recorded before it."""


class _Restart(msgspec.Struct, frozen=True):
    """A segment that a restart began: its number and file, its first record, and that of the restart."""

    number: int
    path: Path
    first: Line
    record: Line


def with_restarts(folder: Path, verdict: AuditVerdict) -> AuditVerdict:
    """The verdict on a damaged journal, with what is wrong behind its restarts; raises OSError."""
    found = [] if verdict.intact else _restarts(folder)
    if not found:
        return verdict
    told = [problem for restart in found if (problem := _changed_again(folder, restart))]
    ends: list[int | None] = [*(restart.number - 1 for restart in found[1:]), None]
    for restart, end in zip(found, ends, strict=True):
        later = _behind(folder, restart, end)
        if not later.intact and (later.file, later.line) != (verdict.file, verdict.line):
            where = Path(later.file).name + (f":{later.line}" if later.line else "")
            told.append(f"behind the restart in {restart.path.name}, {where}: {later.problem}")
    told = told or [f"nothing else is wrong behind the restart in {found[-1].path.name}"]
    return msgspec.structs.replace(verdict, problem="; ".join([verdict.problem, *told]))


def _restarts(folder: Path) -> list[_Restart]:
    found = []
    for number, path in segments(folder):
        with path.open("rb") as file:
            lines = [read_line(line.rstrip(b"\n")) for line in islice(file, _AMONG)]
        record = next((line for line in lines if line is not None and line.action == RESTART), None)
        if record is not None and lines[0] is not None:
            found.append(_Restart(number, path, lines[0], record))
    return found


def _changed_again(folder: Path, restart: _Restart) -> str:
    """What became of the segment that was left behind, which the restart recorded as it was."""
    left = str(restart.record.parameters.get("segment", ""))
    same = file_digest(folder / Path(left).name) == restart.record.parameters.get("sha256")
    return "" if same else f"{left} was changed since the restart in {restart.path.name}"


def _behind(folder: Path, restart: _Restart, end: int | None) -> AuditVerdict:
    """The segments from a restart on, up to the one that the next one left behind."""
    walk = Verification(sequence=restart.first.sequence - 1, digest=restart.first.previous)
    walk.walk(folder, first=restart.number, end=end)
    return walk.verdict()
