"""Journal: what was asked, decided and done, one sealed line each, added at the end and never changed.

The order of records is their sequence number; `time` is what the clock said: one that is set back shows
in the evidence and disturbs nothing.  A write that was cut off (kill, power cut) leaves a torn last line that
nobody was told is recorded: the next append sets it aside in `journal.torn-<n>` and says so in a record.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import msgspec

from dsmilctl.clock import SYSTEM, Clock, rfc3339
from dsmilctl.errors import DSMILError, StateUnavailable
from dsmilctl.guard import files
from dsmilctl.guard.chain import Line, as_record, canonical, read_line
from dsmilctl.guard.segments import lines_backwards, read_tail, segments
from dsmilctl.guard.writer import Entry, Writer
from dsmilctl.model.audit import AuditRecord, AuditVerdict
from dsmilctl.model.dotted import fits

__all__ = ["Anchor", "Entry", "Journal", "Request"]

SEGMENT_BYTES = 64 * 1024 * 1024
_LEAST_SPACE = 16 * 1024


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """The journal's end at one moment; kept elsewhere, it proves later that nothing was cut off since."""

    sequence: int
    hash: str
    time: str
    records: int


class Request:
    """The entries of one caller, waiting to be written together with those of others.

    Those `behind` another request tell how that one went on: where it was not written, they are not.
    """

    __slots__ = ("behind", "entries", "error", "records")

    def __init__(self, entries: Sequence[Entry], behind: Request | None = None) -> None:
        self.entries = entries
        self.behind = behind
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
        self._writer = Writer(folder, clock, segment_bytes)
        self._lock_path = folder / "journal.lock"
        self._lock_timeout = lock_timeout
        self._waiting: deque[Request] = deque()
        self._turn = threading.Lock()

    def close(self) -> None:
        """Let go of the open segment; the next append opens it again."""
        with self._turn:
            self._writer.close()

    def append(self, entries: Sequence[Entry]) -> list[AuditRecord]:
        """Record the entries, in order; when this returns they are on the medium.

        Whatever other threads ask for meanwhile travels in the same write.  Raises StateUnavailable, and
        then none of the entries is in the journal.
        """
        return self.commit(self.queue(entries))

    def queue(self, entries: Sequence[Entry], behind: Request | None = None) -> Request:
        """Give entries their place behind all that were queued before; `commit` records them.

        Waits for nobody.  Whoever commits in threads queues first: which thread is the first is chance.
        """
        request = Request(entries, behind)
        self._waiting.append(request)
        return request

    def commit(self, request: Request) -> list[AuditRecord]:
        """Return when what was queued is on the medium; raises what `append` does."""
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
            raise files.unavailable(f"journal {self.folder} cannot be written", error, self.folder) from error
        if space.f_blocks and space.f_bavail * space.f_frsize < _LEAST_SPACE:
            raise StateUnavailable(
                f"the disk of journal {self.folder} is full",
                hint="free some space on that disk",
                target=str(self.folder),
            )

    def records(
        self,
        *,
        limit: int = 50,
        offset: int = 0,
        since: int | None = None,
        until: int | None = None,
        action: str = "",
        **fields: str,
    ) -> list[AuditRecord]:
        """Records that fit every given field, newest first, `limit` at most (0: all) behind `offset` of them.

        `fields` are outcome, user, target and context; `action` may be a group: `device.*`.
        `since` and `until` are in nanoseconds UTC, both inclusive.  Lines that are no records are left out;
        `verify` names them.  Raises StateUnavailable if the files cannot be read.
        """
        fitting = self._fitting(since, until, action, fields)
        return [as_record(line) for line in islice(fitting, offset, offset + limit if limit else None)]

    def count(
        self, *, since: int | None = None, until: int | None = None, action: str = "", **fields: str
    ) -> int:
        """How many records fit every given field; reads the whole journal."""
        return sum(1 for _ in self._fitting(since, until, action, fields))

    def _fitting(
        self, since: int | None, until: int | None, action: str, fields: Mapping[str, str]
    ) -> Iterator[Line]:
        asked = [(name, text) for name, text in fields.items() if text]
        earliest = rfc3339(since, 9) if since is not None else ""
        latest = rfc3339(until, 9) if until is not None else "~"
        for line in self._lines_backwards():
            if not (earliest <= line.time <= latest and fits(action, line.action)):
                continue
            if all(getattr(line, name) == text for name, text in asked):
                yield line

    def unfinished(self) -> list[AuditRecord]:
        """Intents without outcome, oldest first: a crash came between, or the operation is still running."""
        from dsmilctl.guard.intents import unfinished

        try:
            return [as_record(line) for line in unfinished(self.folder)]
        except OSError as error:
            raise files.unavailable(f"journal {self.folder} cannot be read", error, self.folder) from error

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
            raise files.unavailable(f"anchor {destination} cannot be written", error, destination) from error
        return anchor

    def restart(self, reason: str, user: str, context: str = "") -> AuditRecord:
        """Go on in a new segment, also behind a damaged one, which stays and which `verify` goes on naming.

        The first record of the new segment carries the reason and the SHA-256 of the segment left behind.
        """
        with self._turn, files.FileLock(self._lock_path, self._lock_timeout):
            try:
                return self._writer.restart(reason, user, context)
            except OSError as error:
                self._writer.close()
                raise files.unavailable(
                    f"journal {self.folder} cannot be written", error, self.folder
                ) from error

    def _lines_backwards(self) -> Iterator[Line]:
        try:
            for _, path in reversed(segments(self.folder)):
                for text in lines_backwards(path):
                    if text and (line := read_line(text)) is not None:
                        yield line
        except OSError as error:
            raise files.unavailable(f"journal {self.folder} cannot be read", error, self.folder) from error

    def _commit(self) -> None:
        """Write what is waiting, from every thread, at once."""
        batch = self._due()
        if not batch:
            return
        try:
            with files.FileLock(self._lock_path, self._lock_timeout):
                records = self._writer.add([entry for request in batch for entry in request.entries])
        except BaseException as error:
            self._writer.close()
            for request in batch:
                request.error = self._refusal(error)
            if not isinstance(error, DSMILError | OSError):
                raise
            return
        for request in batch:
            request.records = records[: len(request.entries)]
            del records[: len(request.entries)]

    def _due(self) -> list[Request]:
        """Take what is waiting; what stands behind something that was not written fails like that."""
        due = []
        for _ in range(len(self._waiting)):
            request = self._waiting.popleft()
            request.error = request.behind.error if request.behind is not None else None
            if request.error is None:
                due.append(request)
        return due

    def _refusal(self, error: BaseException) -> DSMILError:
        if isinstance(error, DSMILError):
            return error
        if isinstance(error, OSError):
            return files.unavailable(f"journal {self.folder} cannot be written", error, self.folder)
        return StateUnavailable(
            "the record was not written: the write was broken off", target=str(self.folder)
        )
