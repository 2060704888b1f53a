"""Inscribing: rows that somebody beside the recorder puts into an archive, whether one is at work or not."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import msgspec

from dsmilctl.archive import recording as recordings
from dsmilctl.archive.database import connect
from dsmilctl.archive.places import Places
from dsmilctl.archive.recording import Recording
from dsmilctl.archive.store import Store
from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.errors import Conflict

PATIENCE = 5.0
"""Seconds to wait for an import or the like that holds the archive and records nothing."""

PAUSE = 0.05


class Inscription(msgspec.Struct, frozen=True):
    """A transaction of one's own; `running` is the id of the recording that goes on, empty without one."""

    connection: sqlite3.Connection
    running: str

    def recording_for(self, made: Recording) -> str:
        """The id of the recording that rows belong to: the one that runs, else `made`, which is put in."""
        if not self.running:
            recordings.insert(self.connection, made, made.started)
        return self.running or made.recording_id


@contextmanager
def inscribing(places: Places, clock: Clock = SYSTEM) -> Iterator[Inscription]:
    """One synced transaction in an archive: all of it or, where the block raises, nothing.

    Beside a recorder it is tied to the recording that runs, so that its end comes after.  Raises Conflict
    where something else holds the archive for longer than PATIENCE.
    """
    with ExitStack() as stack:
        found = _entered(places, clock, stack)
        yield found
        found.connection.execute("COMMIT")


def _entered(places: Places, clock: Clock, stack: ExitStack) -> Inscription:
    """A transaction that has begun; leaving the stack rolls back what is not committed."""
    patience = time.monotonic() + PATIENCE
    while True:
        try:
            stack.enter_context(Store(places, clock=clock))
            return Inscription(_begun(places, stack), "")
        except Conflict:
            found = _beside(places, stack)
            if found is not None:
                return found
            if time.monotonic() > patience:
                raise
        time.sleep(PAUSE)


def _begun(places: Places, stack: ExitStack) -> sqlite3.Connection:
    connection = stack.enter_context(closing(connect(places.database)))
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("BEGIN IMMEDIATE")
    return connection


def _beside(places: Places, stack: ExitStack) -> Inscription | None:
    """A transaction beside a recorder, None where no recording runs.

    As long as it lasts that recording cannot end: the digests of its end cover these rows.
    """
    with ExitStack() as mine:
        connection = _begun(places, mine)
        query = "SELECT session_id FROM test_sessions WHERE status = 'running' ORDER BY start_timestamp DESC"
        if row := connection.execute(query).fetchone():
            stack.push(mine.pop_all())
            return Inscription(connection, row[0])
    return None
