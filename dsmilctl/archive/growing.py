"""Growing: readings become chunks of the hot store, of which the newest one takes more until it is large.

A recorder of a few sensors would leave a chunk of a few readings with each commit otherwise, and a question
over the thousands of an hour took more than ten times as long: docs/decisions/0020.
"""

from __future__ import annotations

import sqlite3

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from dsmilctl.archive.blocks import GENESIS, Link, digest_of, joined, pack
from dsmilctl.clock import NANOSECONDS, Clock

GROWN = 1_000
"""Readings up to which a chunk grows."""

LONGEST = 60.0
"""Seconds for which a chunk grows: what it says of both clocks is true of its last commit."""

ALIKE = 0.5
"""Seconds by which the clocks may go differently within a chunk; where one jumps another chunk begins."""

ROW = """INSERT OR REPLACE INTO chunks (chunk_id, session_id, readings, first_timestamp, last_timestamp, wall,
  monotonic, previous, digest, block) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
HOT = "SELECT chunk_id, digest FROM chunks ORDER BY chunk_id DESC LIMIT 1"
SEALED = "SELECT last_chunk, last_digest FROM segments ORDER BY last_chunk DESC LIMIT 1"


class Moment(msgspec.Struct, frozen=True):
    """What both clocks said: nanoseconds UTC, and seconds of the clock that nobody sets."""

    wall: int
    monotonic: float

    def fits(self, later: Moment) -> bool:
        """Whether a chunk that was begun now may still grow then."""
        passed = later.monotonic - self.monotonic
        return passed < LONGEST and abs((later.wall - self.wall) / NANOSECONDS - passed) < ALIKE


class Newest(msgspec.Struct, frozen=True):
    """The chunk that was written last: its number and digest, and of one that grows the readings, too.

    `previous` is the digest of the chunk before it, `begun` the moment of its first commit.
    """

    number: int
    digest: bytes
    previous: bytes = b""
    begun: Moment = Moment(0, 0.0)
    batch: pa.RecordBatch | None = None


class Growing:
    """The end of the hot store; `newest` can be put back to what it was where a transaction is.

    A chunk grows to `most` readings, and is larger only where so many come at once.
    """

    def __init__(self, connection: sqlite3.Connection, recording_id: str, clock: Clock) -> None:
        self.most = GROWN
        self._connection = connection
        self._recording_id = recording_id
        self._clock = clock
        found = [row for row in (connection.execute(query).fetchone() for query in (HOT, SEALED)) if row]
        self.newest = Newest(*max(found, default=(0, GENESIS)))  # another recorder's: it grows no more

    def put(self, batch: pa.RecordBatch) -> None:
        """Write readings into the newest chunk, or into one of their own where that may grow no more."""
        now = Moment(self._clock.now(), self._clock.monotonic())
        number, previous, begun = self.newest.number, self.newest.previous, self.newest.begun
        old = self.newest.batch
        if old is not None and old.num_rows + batch.num_rows <= self.most and begun.fits(now):
            batch = joined([old, batch])
        else:
            number, previous, begun = number + 1, self.newest.digest, now
        digest = self._write(number, previous, batch, now)
        self.newest = Newest(number, digest, previous, begun, batch if batch.num_rows < self.most else None)

    def _write(self, number: int, previous: bytes, batch: pa.RecordBatch, now: Moment) -> bytes:
        """Put a chunk into the database; its digest."""
        times, block = pc.min_max(batch.column("timestamp")).as_py(), pack(batch)
        link = Link(
            number, self._recording_id, batch.num_rows, times["min"], times["max"], now.wall, now.monotonic,
            previous,
        )  # fmt: skip
        digest = digest_of(link, block)
        self._connection.execute(ROW, (*msgspec.structs.astuple(link), digest, block))
        return digest
