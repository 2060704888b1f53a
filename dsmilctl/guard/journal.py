"""Journal: what was asked, decided and done, one sealed line each, added at the end and never changed.

The order of records is their sequence number; `time` is what the clock said: one that is set back shows
in the evidence and disturbs nothing.  A write that was cut off (kill, power cut) leaves a torn last line that
nobody was told is recorded: the next append sets it aside in `journal.torn-<n>` and says so in a record.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from dsmilctl.clock import SYSTEM, Clock, rfc3339
from dsmilctl.errors import DSMILError, StateUnavailable
from dsmilctl.guard import files
from dsmilctl.guard.chain import Line, as_record, canonical, link, read_line
from dsmilctl.guard.redact import redact, redact_text
from dsmilctl.guard.segments import Tail, lines_backwards, read_tail, segment_path, segments
from dsmilctl.model.audit import AuditRecord, AuditVerdict

SEGMENT_BYTES = 64 * 1024 * 1024
RECOVER = "journal.recover"
RESTART = "journal.restart"
_LEAST_SPACE = 16 * 1024


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


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """The journal's end at one moment; kept elsewhere, it proves later that nothing was cut off since."""

    sequence: int
    hash: str
    time: str
    records: int


class _Request:
    """The entries of one caller, waiting to be written together with those of others."""

    __slots__ = ("entries", "error", "records")

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries
        self.records: list[AuditRecord] = []
        self.error: DSMILError | None = None


class Journal:
    """The journal in one folder; any number of threads and processes may add to it."""

    def __init__(
        self,
        folder: Path,
        clock: Clock = SYSTEM,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        lock_timeout: float = 5.0,
    ) -> None:
        self.folder = folder
        self._clock = clock
        self._segment_bytes = segment_bytes
        self._lock_timeout = lock_timeout
        self._waiting: deque[_Request] = deque()
        self._turn = threading.Lock()
        self._tail: Tail | None = None
        self._descriptor = -1

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the open segment; the next append opens it again."""
        self._tail = None
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def append(self, entries: Sequence[Entry]) -> list[AuditRecord]:
        """Record the entries, in order; when this returns they are on the medium.

        Whatever other threads ask for meanwhile travels in the same write.  Raises StateUnavailable, and
        then none of the entries is in the journal.
        """
        request = _Request(entries)
        self._waiting.append(request)
        with self._turn:
            if self._waiting:
                self._commit()
        if request.error is not None:
            raise request.error
        return request.records

    def check_writable(self) -> None:
        """Raise StateUnavailable if an append now could not succeed, as far as that shows without one."""
        try:
            files.private_folder(self.folder)
            descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, files.PRIVATE_FILE)
            os.close(descriptor)
            if found := segments(self.folder):
                os.close(os.open(found[-1][1], os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC))
                read_tail(self.folder)
            space = os.statvfs(self.folder)
        except OSError as error:
            raise files.unavailable("The journal cannot be written", error, self.folder) from error
        if space.f_blocks and space.f_bavail * space.f_frsize < _LEAST_SPACE:
            raise StateUnavailable(
                f"The disk of the journal {self.folder} is full.",
                hint="Free some space on that disk.",
                target=str(self.folder),
            )

    def records(
        self,
        *,
        limit: int = 50,
        since: int | None = None,
        until: int | None = None,
        action: str = "",
        outcome: str = "",
        user: str = "",
        target: str = "",
        context: str = "",
    ) -> list[AuditRecord]:
        """Records that fit every given field, newest first, `limit` at most (0: all).

        `since` and `until` are in nanoseconds UTC, both inclusive.  Lines that are no records are left out;
        `verify` names them.  Raises StateUnavailable if the files cannot be read.
        """
        wanted = {"action": action, "outcome": outcome, "user": user, "target": target, "context": context}
        fields = [(name, text) for name, text in wanted.items() if text]
        earliest = rfc3339(since, 9) if since is not None else ""
        latest = rfc3339(until, 9) if until is not None else "~"
        found: list[AuditRecord] = []
        for line in self._lines_backwards():
            if earliest <= line.time <= latest and all(getattr(line, name) == text for name, text in fields):
                found.append(as_record(line))
                if len(found) == limit:
                    break
        return found

    def unfinished(self) -> list[AuditRecord]:
        """Intents without outcome, oldest first: a crash came between, or the operation is still running."""
        settled: set[str] = set()
        found: list[AuditRecord] = []
        for line in self._lines_backwards():
            if line.outcome != "INTENT":
                settled.add(line.operation_id)
            elif line.operation_id not in settled:
                settled.add(line.operation_id)
                found.append(as_record(line))
        return found[::-1]

    def verify(self, anchor: str = "") -> AuditVerdict:
        """Check every line, the chain and that all segments are there.

        `anchor` is a hash that has to be in the chain (or `sequence:hash`): only so is it seen that the end
        was cut off or an older copy put in place.
        """
        from dsmilctl.guard.verification import verify

        return verify(self.folder, anchor)

    def export(self, destination: Path) -> Anchor:
        """Write where the journal ends into a small JSON file, to be kept where nobody can change it.

        Raises StateUnavailable if the journal's end or the destination is not usable.
        """
        try:
            tail = read_tail(self.folder)
            now = rfc3339(self._clock.now(), 6)
            anchor = Anchor(sequence=tail.sequence, hash=tail.hash, time=now, records=tail.sequence)
            files.write_durably(destination, canonical(anchor) + b"\n")
        except OSError as error:
            raise files.unavailable("The anchor cannot be written", error, destination) from error
        return anchor

    def restart(self, reason: str, user: str) -> AuditRecord:
        """Go on in a new segment, also behind a damaged one, which stays and which `verify` goes on naming.

        The first record of the new segment carries the reason and the SHA-256 of the segment left behind.
        """
        from dsmilctl.guard.salvage import file_digest, salvage

        entry = Entry(user=user, host=os.uname().nodename, context="", action=RESTART, target="journal")
        with self._turn, files.FileLock(self._lock_path, self._lock_timeout):
            self.close()
            try:
                tail, problem = salvage(self.folder)
                left = segment_path(self.folder, tail.number)
                parameters = {
                    "reason": reason,
                    "segment": left.name,
                    "problem": problem,
                    "sha256": file_digest(left),
                }
                entry = msgspec.structs.replace(entry, parameters=parameters, outcome="SUCCESS")
                tail = msgspec.structs.replace(tail, torn=b"", open_line=False)
                return self._write(self._next_segment(tail), [entry])[0]
            except OSError as error:
                self.close()
                raise files.unavailable("The journal cannot be written", error, self.folder) from error

    @property
    def _lock_path(self) -> Path:
        return self.folder / "journal.lock"

    def _lines_backwards(self) -> Iterator[Line]:
        try:
            for _, path in reversed(segments(self.folder)):
                for text in lines_backwards(path):
                    if text and (line := read_line(text)) is not None:
                        yield line
        except OSError as error:
            raise files.unavailable("The journal cannot be read", error, self.folder) from error

    def _commit(self) -> None:
        """Write what is waiting, from every thread, at once."""
        batch = [self._waiting.popleft() for _ in range(len(self._waiting))]
        try:
            with files.FileLock(self._lock_path, self._lock_timeout):
                records = self._record([entry for request in batch for entry in request.entries])
        except BaseException as error:
            self.close()
            for request in batch:
                request.error = self._refusal(error)
            if not isinstance(error, DSMILError | OSError):
                raise
            return
        for request in batch:
            request.records = records[: len(request.entries)]
            del records[: len(request.entries)]

    def _refusal(self, error: BaseException) -> DSMILError:
        if isinstance(error, DSMILError):
            return error
        if isinstance(error, OSError):
            return files.unavailable("The journal cannot be written", error, self.folder)
        return StateUnavailable(
            "The record was not written: the write was broken off.", target=str(self.folder)
        )

    def _record(self, entries: list[Entry]) -> list[AuditRecord]:
        if not entries:
            return []
        tail = self._current_tail()
        recovered = [self._set_aside(tail, entries[0])] if tail.torn else []
        if tail.size >= self._segment_bytes:
            tail = self._next_segment(tail)
        return self._write(tail, recovered + entries)[len(recovered) :]

    def _current_tail(self) -> Tail:
        """Where the next record goes: remembered, unless another process has written meanwhile."""
        if self._tail is not None and self._is_current(self._tail):
            return self._tail
        self.close()
        tail = read_tail(self.folder)
        return self._open(tail) if tail.number else self._next_segment(tail)

    def _is_current(self, tail: Tail) -> bool:
        try:
            there = os.stat(segment_path(self.folder, tail.number))  # noqa: PTH116 - before every record: be quick
        except OSError:
            return False
        same = (there.st_ino, there.st_size) == (os.fstat(self._descriptor).st_ino, tail.size)
        return same and not segment_path(self.folder, tail.number + 1).exists()

    def _open(self, tail: Tail) -> Tail:
        self._descriptor = os.open(
            segment_path(self.folder, tail.number), os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
        )
        return tail

    def _next_segment(self, tail: Tail) -> Tail:
        self.close()
        number = tail.number + 1
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._descriptor = os.open(segment_path(self.folder, number), flags, files.PRIVATE_FILE)
        files.sync_folder(self.folder)
        return Tail(number=number, sequence=tail.sequence, hash=tail.hash)

    def _set_aside(self, tail: Tail, entry: Entry) -> Entry:
        """Move torn bytes into a file of their own; the copy is on the medium before the original goes."""
        count = 1
        while (side := self.folder / f"journal.torn-{count}").exists():
            count += 1
        files.write_durably(side, tail.torn)
        os.ftruncate(self._descriptor, tail.size)
        segment = segment_path(self.folder, tail.number).name
        return Entry(
            user=entry.user,
            host=entry.host,
            context=entry.context,
            action=RECOVER,
            target=segment,
            parameters={"bytes": len(tail.torn), "kept_in": side.name},
            outcome="SUCCESS",
        )

    def _write(self, tail: Tail, entries: list[Entry]) -> list[AuditRecord]:
        """One write and one sync for all entries; what was written of them is taken back if either fails."""
        records: list[AuditRecord] = []
        lines = [b"\n"] if tail.open_line else []
        previous = tail.hash
        for sequence, entry in enumerate(entries, tail.sequence + 1):
            line, record = link(self._unsealed(entry, sequence, previous))
            previous = record.hash
            lines.append(line)
            records.append(record)
        content = b"".join(lines)
        try:
            files.write_all(self._descriptor, content)
            files.sync(self._descriptor)
        except BaseException:
            with suppress(OSError):
                os.ftruncate(self._descriptor, tail.size)
            raise
        self._tail = Tail(number=tail.number, size=tail.size + len(content), sequence=sequence, hash=previous)
        return records

    def _unsealed(self, entry: Entry, sequence: int, previous: str) -> AuditRecord:
        return AuditRecord(
            sequence=sequence,
            time=self._clock.now(),
            user=entry.user,
            host=entry.host,
            context=entry.context,
            action=entry.action,
            target=redact_text(entry.target),
            parameters=redact(entry.parameters),
            decision=entry.decision,
            outcome=entry.outcome,
            operation_id=entry.operation_id,
            previous=previous,
        )
