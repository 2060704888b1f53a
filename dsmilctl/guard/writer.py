"""Writer: adds lines at the end of a journal; whoever calls it holds the journal's lock."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from dsmilctl.clock import Clock, rfc3339
from dsmilctl.guard import files
from dsmilctl.guard.chain import Body, link
from dsmilctl.guard.segments import Tail, read_tail, segment_path
from dsmilctl.model.audit import AuditRecord
from dsmilctl.redaction import redact, redact_values

LOGGER = logging.getLogger("dsmilctl.guard.journal")
RECOVER = "journal.recover"
RESTART = "journal.restart"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to have recorded; the fields are those of `AuditRecord`."""

    user: str
    host: str
    context: str
    action: str
    target: str
    parameters: dict[str, Any] = {}
    decision: str = "ALLOWED"
    outcome: str = ""
    operation_id: str = ""


class Writer:
    """The open segment of one journal, and where in it the next record goes."""

    def __init__(self, folder: Path, clock: Clock, segment_bytes: int) -> None:
        self._folder = folder
        self._clock = clock
        self._segment_bytes = segment_bytes
        self._tail: Tail | None = None
        self._descriptor = -1
        self._point_at(1)

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the segment and look again next time."""
        self._tail = None
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def add(self, entries: list[Entry]) -> list[AuditRecord]:
        """Write the entries behind the last record.  Raises StateUnavailable if that is damaged, OSError."""
        if not entries:
            return []
        tail = self._current_tail()
        full = tail.size >= self._segment_bytes
        recovered = self._mended(tail, entries[0]) if full or tail.torn else []
        if full:
            tail = self._next_segment(tail)
        return self._write(tail, recovered + entries)[len(recovered) :]

    def restart(self, reason: str, user: str, context: str) -> AuditRecord:
        """Go on in a new segment, whatever the last one's end looks like."""
        from dsmilctl.guard.salvage import file_digest, salvage

        self.close()
        entry = Entry(user=user, host=os.uname().nodename, context=context, action=RESTART, target="journal")
        tail, problem = salvage(self._folder)
        left = segment_path(self._folder, tail.number)
        extra = []
        if tail.number and not problem:
            self._open(tail)
            extra = self._mended(tail, entry)
        parameters = {"reason": reason, "segment": left.name, "problem": problem, "sha256": file_digest(left)}
        entry = msgspec.structs.replace(entry, parameters=parameters, outcome="SUCCESS")
        return self._write(self._next_segment(tail), [*extra, entry])[-1]

    def _mended(self, tail: Tail, entry: Entry) -> list[Entry]:
        """Leave a sound end behind: a missing line feed added, torn bytes set aside and that recorded."""
        if tail.open_line:
            files.write_all(self._descriptor, b"\n")
            files.sync(self._descriptor)
        return [self._set_aside(tail, entry)] if tail.torn else []

    def _current_tail(self) -> Tail:
        """Where the next record goes: remembered, unless another process has written meanwhile."""
        if self._tail is not None and self._is_current(self._tail):
            return self._tail
        self.close()
        tail = read_tail(self._folder)
        return self._open(tail) if tail.number else self._next_segment(tail)

    def _is_current(self, tail: Tail) -> bool:
        try:
            there = self._path.stat()
        except OSError:
            return False
        same = (there.st_ino, there.st_size) == (os.fstat(self._descriptor).st_ino, tail.size)
        return same and not self._next_path.exists()

    def _open(self, tail: Tail) -> Tail:
        self._point_at(tail.number)
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        LOGGER.info("%s opened behind record %d", self._path.name, tail.sequence)
        return tail

    def _point_at(self, number: int) -> None:
        self._path = segment_path(self._folder, number)
        self._next_path = segment_path(self._folder, number + 1)

    def _next_segment(self, tail: Tail) -> Tail:
        self.close()
        number = tail.number + 1
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._point_at(number)
        self._descriptor = os.open(self._path, flags, files.PRIVATE_FILE)
        files.sync_folder(self._folder)
        LOGGER.info("%s begun behind record %d", self._path.name, tail.sequence)
        return Tail(number=number, sequence=tail.sequence, hash=tail.hash)

    def _set_aside(self, tail: Tail, entry: Entry) -> Entry:
        """Move torn bytes into a file of their own; the copy is on the medium before the original goes."""
        count = 1
        while (side := self._folder / f"journal.torn-{count}").exists():
            count += 1
        files.write_durably(side, tail.torn)
        os.ftruncate(self._descriptor, tail.size)
        return Entry(
            user=entry.user,
            host=entry.host,
            context=entry.context,
            action=RECOVER,
            target=segment_path(self._folder, tail.number).name,
            parameters={"bytes": len(tail.torn), "kept_in": side.name},
            outcome="SUCCESS",
        )

    def _write(self, tail: Tail, entries: list[Entry]) -> list[AuditRecord]:
        """One write and one sync for all entries; what was written of them is taken back if either fails."""
        records: list[AuditRecord] = []
        lines = [b"\n"] if tail.open_line else []
        previous = tail.hash
        for sequence, entry in enumerate(entries, tail.sequence + 1):
            time = self._clock.now()
            line, record = link(_body(entry, sequence, previous, time), time)
            previous = record.hash
            lines.append(line)
            records.append(record)
        content, begun = b"".join(lines), self._clock.monotonic()
        try:
            files.write_all(self._descriptor, content)
            files.sync(self._descriptor)
        except BaseException:
            with suppress(OSError):
                os.ftruncate(self._descriptor, tail.size)
            raise
        self._tail = Tail(number=tail.number, size=tail.size + len(content), sequence=sequence, hash=previous)
        elapsed = (self._clock.monotonic() - begun) * 1000
        LOGGER.debug("records %d to %d written and synced, %.2f ms", tail.sequence + 1, sequence, elapsed)
        return records


def _body(entry: Entry, sequence: int, previous: str, time: int) -> Body:
    return Body(
        action=entry.action,
        context=entry.context,
        decision=entry.decision,
        host=entry.host,
        operation_id=entry.operation_id,
        outcome=entry.outcome,
        parameters=redact_values(entry.parameters),
        previous=previous,
        sequence=sequence,
        target=redact(entry.target),
        time=rfc3339(time, 9),
        user=entry.user,
    )
