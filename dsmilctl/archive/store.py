"""Store: an archive that this process records into, from the lock to the digests at its end."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from dsmilctl.archive import recording as recordings
from dsmilctl.archive.closing import forget_closing, write_closing
from dsmilctl.archive.correlation import WINDOW
from dsmilctl.archive.database import changing, prepare
from dsmilctl.archive.gate import kept_open
from dsmilctl.archive.lock import RecorderLock
from dsmilctl.archive.places import Places
from dsmilctl.archive.recording import Recording
from dsmilctl.archive.sealing import Sealer, seal_rest
from dsmilctl.archive.segments import LARGEST, clear_leftovers
from dsmilctl.archive.tying import tie_at_end
from dsmilctl.archive.writer import INTERVAL, MOST_WAITING, Writer
from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.errors import DSMILError

if TYPE_CHECKING:
    from dsmilctl.archive.beside import Beside

LOGGER = logging.getLogger("dsmilctl.archive")


class Store:
    """One recorder's hold on an archive; use it as a context manager.

    Entering takes the lock (raises Conflict while another recorder has it), brings the schema up to date and
    marks recordings `aborted` whose recorder ended without a word.  Readings are committed every `interval`
    seconds, and sealed whenever there are `least` of them; `waiting` is how many are kept in memory while the
    disk takes none.  When a recording ends, what happened up to `window` seconds behind a token test or an
    operation is tied to it.
    """

    def __init__(
        self,
        places: Places,
        *,
        interval: float = INTERVAL,
        least: int = LARGEST,
        waiting: int = MOST_WAITING,
        window: float = WINDOW,
        clock: Clock = SYSTEM,
    ) -> None:
        self.places = places
        self.aborted: list[str] = []
        self._interval = interval
        self._least = least
        self._waiting = waiting
        self._window = window
        self._clock = clock
        self._lock = RecorderLock(places.lock)
        self._sealer: Sealer | None = None

    def __enter__(self) -> Store:
        self._lock.take()
        try:
            prepare(self.places.database, self._clock)
            forget_closing(self.places)
            self.aborted = self._abort_the_unfinished()
            self._finish_the_unfinished()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        try:
            with kept_open(self.places):
                self._close()
                self._lock.release()
        finally:
            self._lock.release()

    def begin(self, recording: Recording, also: Sequence[str] = ()) -> Writer:
        """Begin a recording; the writer runs until `end`, and writes the formats of `also` beside."""
        with changing(self.places.database) as connection:
            recordings.insert(connection, recording, self._clock.now())
            beside = self._beside(connection, recording, also) if also else None
        writer = Writer(
            self.places,
            recording.recording_id,
            interval=self._interval,
            waiting=self._waiting,
            clock=self._clock,
        )
        writer.beside = beside
        writer.start()
        self._sealer = Sealer(self.places, writer, self._least)
        self._sealer.start()
        return writer

    def end(self, writer: Writer, status: str, notes: str = "") -> None:
        """Write what is left, seal it, and note how the recording ended."""
        sealer, self._sealer = self._sealer, None
        if sealer is not None:
            sealer.close()
        seal_rest(self.places, writer)
        writer.close()
        with changing(self.places.database) as connection:
            self._tie(connection, writer.recording_id)
            recordings.finish(connection, writer.recording_id, status, self._clock.now(), notes)
        if writer.beside is not None:
            self._finish(writer.beside.finish)

    def _beside(self, connection: sqlite3.Connection, recording: Recording, also: Sequence[str]) -> Beside:
        from dsmilctl.archive.beside import Beside, require_formats

        beside = Beside(self.places, recording.recording_id, require_formats(also))
        beside.begin(connection)
        return beside

    def _finish(self, finish: Callable[[], object]) -> None:
        """Finish files beside; where the disk does not take them, that is done at the next start."""
        try:
            finish()
        except (OSError, DSMILError) as error:
            LOGGER.error("files beside the archive are not finished: %s", error)

    def _finish_the_unfinished(self) -> None:
        if self.places.beside.is_dir():
            from dsmilctl.archive.beside import finish_all

            self._finish(lambda: finish_all(self.places))

    def _abort_the_unfinished(self) -> list[str]:
        with changing(self.places.database) as connection:
            clear_leftovers(self.places, connection)
            left = [item for item in recordings.recordings(connection) if item.status == "running"]
            for item in left:
                LOGGER.info("recording %s was not ended: it is marked aborted", item.recording_id)
                self._tie(connection, item.recording_id)
                recordings.finish(connection, item.recording_id, "aborted", _last_sign(connection, item), "")
            return [item.recording_id for item in left]

    def _tie(self, connection: sqlite3.Connection, recording_id: str) -> None:
        try:
            tie_at_end(connection, recording_id, self._clock.now(), self._window)
        except sqlite3.Error as error:  # a recording ends whatever can be concluded from it
            LOGGER.error("what recording %s holds is not tied together: %s", recording_id, error)

    def _close(self) -> None:
        with changing(self.places.database) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        write_closing(self.places, self._clock)


def _last_sign(connection: sqlite3.Connection, recording: Recording) -> int:
    """When the recorder of a recording last wrote something."""
    last = connection.execute(
        """SELECT max(moment) FROM (
             SELECT max(wall) AS moment FROM chunks WHERE session_id = :id
             UNION ALL SELECT max(sealed_at) FROM segments WHERE session_id = :id
             UNION ALL SELECT max(timestamp) FROM operations WHERE session_id = :id
             UNION ALL SELECT max(timestamp) FROM events WHERE session_id = :id)""",
        {"id": recording.recording_id},
    ).fetchone()[0]
    return max(recording.started, last or 0)
