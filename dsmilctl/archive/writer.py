"""Writer: one thread that puts what is recorded on the disk, in one commit per interval."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dsmilctl.archive.blocks import batch_of, fields_of
from dsmilctl.archive.database import connect
from dsmilctl.archive.growing import Growing
from dsmilctl.archive.places import Places
from dsmilctl.archive.rows import event_row, insert_of
from dsmilctl.archive.series import INSERT, Arrivals, SeriesNumbers
from dsmilctl.archive.waiting import UNFIT, Waiting
from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.model.event import Event, Severity
from dsmilctl.model.reading import Reading

if TYPE_CHECKING:
    from dsmilctl.archive.beside import Beside

LOGGER = logging.getLogger("dsmilctl.archive.writer")
INTERVAL = 0.1
"""Seconds between two commits; what is lost by a crash is at most what came since the last one."""

CHUNK = 100_000
"""Readings of one chunk, at the most."""

ROOM = 400_000
"""Readings that may wait for the disk; whoever brings more has to wait itself."""

RETRY = 0.5
"""Seconds from one attempt to the next while the disk takes nothing: each one packs all that waits."""

MOST_WAITING = 2_000_000
"""Readings that are kept while the disk takes none; older ones make room and are counted."""

GAP_ROW = "INSERT INTO gaps (session_id, timestamp, missed, reason) VALUES (?, ?, ?, ?)"

Work = Callable[[sqlite3.Connection], Any]


class Pending:
    """What waits for the next commit."""

    def __init__(self, arrivals: Arrivals) -> None:
        self.readings = Waiting(arrivals)
        self.rows: list[tuple[str, tuple[Any, ...]]] = []
        self.works: list[tuple[Work, Future[None]]] = []
        self.waiting: list[Future[None]] = []

    def __bool__(self) -> bool:
        return bool(self.readings or self.rows or self.works or self.waiting)

    @property
    def synced(self) -> bool:
        """Whether somebody waits until it is on the medium."""
        return bool(self.waiting or self.works)

    def before(self, later: Pending, *, columns: bool) -> Pending:
        """This, and then what came later."""
        self.readings.join(later.readings, columns=columns)
        self.rows += later.rows
        self.works += later.works
        self.waiting += later.waiting
        return self


class Writer:
    """Takes readings and rows of one recording; use it between `start` and `close`.

    Commits of readings alone survive a crash of the process; a commit with a durable row is synced, too, and
    survives a power cut.  `problem` says why the disk takes nothing at the moment.  `beside` are files in
    other formats, which get every reading in the same commit.
    """

    def __init__(
        self,
        places: Places,
        recording_id: str,
        *,
        interval: float = INTERVAL,
        waiting: int = MOST_WAITING,
        clock: Clock = SYSTEM,
    ) -> None:
        self.recording_id = recording_id
        self.problem = ""
        self.written = 0
        self.missed = 0
        self.beside: Beside | None = None
        self._clock = clock
        self._interval = interval
        self._most_waiting = waiting
        self._connection = connect(places.database)
        self._series = SeriesNumbers(self._connection)
        self._chunks = Growing(self._connection, recording_id, clock)
        self._arrivals = Arrivals()
        self._pending = Pending(self._arrivals)
        self._changed = threading.Condition()
        self._urgent = self._closing = False
        self._thread = threading.Thread(target=self._run, name="archive-writer", daemon=True)

    def start(self) -> None:
        """Begin to commit."""
        self._thread.start()

    def readings(self, readings: Sequence[Reading]) -> None:
        """Take readings; they are on the disk within an interval.  Never waits: see `crowded`."""
        with self._changed:
            self._pending.readings.extend(readings, columns=self.beside is None)
            if len(self._pending.readings) >= CHUNK:
                self._changed.notify()

    @property
    def crowded(self) -> bool:
        """Whether whoever brings readings should wait until some are written."""
        return len(self._pending.readings) >= ROOM and not self.problem

    def rows(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Take rows of a table that `insert_of` knows; they are on the disk within an interval."""
        statement = insert_of(table)
        with self._changed:
            self._pending.rows.extend((statement, row) for row in rows)

    def insert(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Take rows for a statement of one's own; they are on the disk within an interval."""
        with self._changed:
            self._pending.rows.extend((statement, row) for row in rows)

    def put(self, statement: str, row: tuple[Any, ...]) -> None:
        """Take a statement with its values; it is carried out in the next commit."""
        with self._changed:
            self._pending.rows.append((statement, row))

    def gap(self, missed: int, reason: str) -> None:
        """Note that readings or events did not arrive."""
        row = (self.recording_id, self._clock.now(), missed, reason)
        with self._changed:
            self._pending.rows.append((GAP_ROW, row))

    def durable(self, table: str, row: tuple[Any, ...]) -> Future[None]:
        """Take a row and commit at once, together with whatever else waits; done when it is on the medium."""
        future: Future[None] = Future()
        statement = insert_of(table)
        with self._changed:
            self._pending.rows.append((statement, row))
            self._pending.waiting.append(future)
            self._urgent = True
            self._changed.notify()
        return future

    def work(self, work: Work) -> Future[None]:
        """Let a function change the database in a commit of this thread, synced; done when it has.

        What it raises is for the caller alone: nothing of its change is kept, and everything else is.
        """
        future: Future[None] = Future()
        with self._changed:
            self._pending.works.append((work, future))
            self._urgent = True
            self._changed.notify()
        return future

    def flush(self) -> None:
        """Return when everything that was taken is on the medium; raises what the disk says."""
        self.work(lambda _: None).result()

    def close(self) -> None:
        """Write what is left and end the thread; what the disk does not take is counted as missed."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        closing = False
        while not closing:
            with self._changed:
                self._changed.wait_for(self._due, timeout=RETRY if self.problem else self._interval)
                closing = self._closing
                pending, self._pending = self._pending, Pending(self._arrivals)
                self._urgent = False
            if pending and not self._commit(pending):
                self._keep(pending, closing)

    def _due(self) -> bool:
        return (not self.problem and (self._urgent or len(self._pending.readings) >= CHUNK)) or self._closing

    def _commit(self, pending: Pending) -> bool:
        """One transaction for all of it; whether the disk took it."""
        newest = self._chunks.newest
        try:
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if pending.synced else 'NORMAL'}")
            self._connection.execute("BEGIN IMMEDIATE")
            self._put(pending)
            self._connection.execute("COMMIT")
        except Exception as error:  # whatever it is, this thread goes on and the reason is told
            self._chunks.newest = newest
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            if self.beside is not None:
                self.beside.undo()
            if not isinstance(error, sqlite3.Error) and self._leave_out_the_unfit(pending, error):
                return self._commit(pending)
            self._refused(error)
            return False
        self._series.stored()
        if self.beside is not None:
            self.beside.kept()
        self.written += len(pending.readings)
        if pending.readings.many:
            pa.default_memory_pool().release_unused()
        if pending.works:  # a stretch was sealed: pages of it are of no use any more
            self._connection.execute("PRAGMA shrink_memory")
        self._recovered()
        for future in (*pending.waiting, *(future for _, future in pending.works)):
            _settle(future)
        return True

    def _put(self, pending: Pending) -> None:
        for batch in pending.readings.batches(self._series, CHUNK):
            self._connection.executemany(INSERT, self._series.new)
            self._chunks.put(batch)
        if self.beside is not None:
            self.beside.put(self._connection, pending.readings.objects, synced=pending.synced)
        for statement, row in pending.rows:
            self._connection.execute(statement, row)
        for work, future in tuple(pending.works):
            if (error := self._done(work)) is not None:
                pending.works.remove((work, future))
                _settle(future, error)

    def _done(self, work: Work) -> BaseException | None:
        """Let a function change the database; what it raised, unless it is the disk that takes nothing."""
        self._connection.execute("SAVEPOINT work")
        try:
            work(self._connection)
        except BaseException as error:  # not even SystemExit of one caller ends the thread of all
            if _of_the_disk(error) or not self._connection.in_transaction:
                raise
            self._connection.execute("ROLLBACK TO work")
            LOGGER.exception("a change of the archive failed")
            return error
        finally:
            if self._connection.in_transaction:
                self._connection.execute("RELEASE work")
        return None

    def _leave_out_the_unfit(self, pending: Pending, error: Exception) -> bool:
        """Drop readings that no column can hold, with a note of it; whether there were any."""
        unfit = pending.readings.leave_out(_fits)
        if unfit:
            LOGGER.error("%d readings cannot be kept: %s", unfit, error)
            reason = f"they cannot be kept: {error}".encode("utf-8", "backslashreplace").decode()
            pending.rows.append((GAP_ROW, (self.recording_id, self._clock.now(), unfit, reason)))
        return bool(unfit)

    def _refused(self, error: Exception) -> None:
        reason = str(error) or type(error).__name__
        if not self.problem:
            LOGGER.error("the archive takes nothing: %s", reason)
            self._tell("recorder.degraded", f"the archive takes nothing: {reason}", Severity.ERROR)
        self.problem = reason

    def _recovered(self) -> None:
        if not self.problem:
            return
        told = f"the archive takes readings again; {self.missed} were missed"
        LOGGER.warning("%s", told)
        self._tell("recorder.resumed", told, Severity.WARNING)
        self.problem = ""
        if self.missed:
            self.gap(self.missed, "the disk took nothing")
            self.missed = 0

    def _tell(self, type: str, message: str, severity: Severity) -> None:
        """Put what happened to the recorder itself among the events, as soon as the disk takes it."""
        row = event_row(self.recording_id, Event(type, message, self._clock.now(), severity))
        self.rows("events", [row])

    def _keep(self, pending: Pending, closing: bool) -> None:
        """Hold on to what the disk did not take, as much as there is room for."""
        error = OSError(self.problem)
        for future in (*pending.waiting, *(future for _, future in pending.works)):
            _settle(future, error)
        pending.waiting, pending.works = [], []
        if closing:
            self.missed += len(pending.readings)
            return
        with self._changed:
            self._pending = pending.before(self._pending, columns=self.beside is None)
            waiting = self._pending.readings
            if (excess := len(waiting) - self._most_waiting) > 0:
                waiting.drop(excess)
                self.missed += excess


def _fits(reading: Reading) -> bool:
    """Whether a reading can be kept."""
    try:
        batch_of(fields_of([reading]), [0])
    except UNFIT:
        return False
    return True


def _settle(future: Future[None], error: BaseException | None = None) -> None:
    """Tell whoever waits, unless nobody does any more."""
    if not future.set_running_or_notify_cancel():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)


def _of_the_disk(error: BaseException) -> bool:
    """Whether SQLite says that it cannot write or read, and not that what it was told is wrong."""
    if not isinstance(error, sqlite3.Error):
        return False
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code not in (0, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH)
