"""Hot: the readings that are not sealed yet, out of their chunks, as a table like that of a segment."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from dsmilctl.archive.blocks import Link, digest_of, joined, unpack
from dsmilctl.errors import CheckFailed

KIND_NAMES = ("none", "float", "integer", "truth", "text", "digits")
QUALITY_NAMES = ("good", "stale", "bad")
WORD = pa.dictionary(pa.int32(), pa.string())
TABLE = pa.schema(
    [
        ("recording", WORD),
        ("device", WORD),
        ("register", WORD),
        ("unit", WORD),
        ("time", pa.timestamp("ns")),
        ("kind", WORD),
        ("value", pa.float64()),
        ("text", pa.string()),
        ("quality", WORD),
        ("sequence", pa.int64()),
        ("latency_us", pa.int32()),
        ("raw", pa.string()),
        ("error", pa.string()),
        ("error_code", pa.string()),
    ]
)
"""What a segment and the hot readings look like: `time` is UTC, `latency_us` in microseconds."""

SELECT = """SELECT chunk_id, session_id, readings, first_timestamp, last_timestamp, wall, monotonic, previous,
  digest, block FROM chunks"""


PIECE = 65_536
"""Readings from which on a piece of the table is large enough; many small ones make every question slow."""


class Chunk(msgspec.Struct, frozen=True):
    """One chunk as it is in the database."""

    link: Link
    digest: bytes
    block: bytes

    @property
    def intact(self) -> bool:
        """Whether its fields and its block are those that were written."""
        return digest_of(self.link, self.block) == self.digest


def chunks(connection: sqlite3.Connection, where: str = "", values: Iterable[object] = ()) -> Iterator[Chunk]:
    """Chunks in order; `where` is a condition with a place for each of the `values`."""
    condition = f" WHERE {where}" if where else ""
    for row in connection.execute(f"{SELECT}{condition} ORDER BY chunk_id", tuple(values)):
        yield Chunk(Link(*row[:8]), row[8], row[9])


def table_of(connection: sqlite3.Connection, found: Iterable[Chunk]) -> pa.Table:
    """The readings of chunks as they came, each with its recording, device, register and unit.

    Raises CheckFailed, which names the chunk, for one that is damaged.
    """
    return pa.Table.from_batches(list(parts_of(connection, found)), TABLE)


def parts_of(connection: sqlite3.Connection, found: Iterable[Chunk]) -> Iterator[pa.RecordBatch]:
    """The same piece by piece."""
    names = _series(connection)
    for piece in _pieces(found):
        yield _part(piece, names)


def ordered_table_of(connection: sqlite3.Connection, found: Iterable[Chunk]) -> pa.Table:
    """The same by device and register; the readings of one register stay in the order in which they came."""
    names = _series(connection)
    pieces = list(_pieces(found))
    ranks = pa.chunked_array(
        [pc.take(names.ranks, piece.batch.column("series")) for piece in pieces], pa.int32()
    )
    table = pa.Table.from_batches([_part(piece, names) for piece in pieces], TABLE)
    return table.take(pc.sort_indices(ranks))  # a stable sort: the order of equal ones is kept


class _Piece(msgspec.Struct, frozen=True):
    """Readings of one recording that stand behind each other."""

    session_id: str
    batch: pa.RecordBatch


class _Series(msgspec.Struct):
    """Device, register, unit and place in the order of names, each at the index of a series' number."""

    devices: pa.Array
    registers: pa.Array
    units: pa.Array
    ranks: pa.Array


def _series(connection: sqlite3.Connection) -> _Series:
    rows = {row[0]: row[1:] for row in connection.execute("SELECT * FROM series")}
    ranks = {number: rank for rank, number in enumerate(sorted(rows, key=rows.__getitem__))}
    numbers = range(max(rows, default=0) + 1)
    devices, registers, units = zip(*(rows.get(number, (None,) * 3) for number in numbers), strict=True)
    ranked = pa.array([ranks.get(number) for number in numbers], pa.int32())
    return _Series(_named(devices), _named(registers), _named(units), ranked)


def _named(column: tuple[str | None, ...]) -> pa.DictionaryArray:
    return pa.array(column, pa.string()).dictionary_encode()


def _batch(chunk: Chunk) -> pa.RecordBatch:
    if not chunk.intact:
        raise CheckFailed(f"chunk {chunk.link.chunk_id} is damaged", hint="dsmilctl record check")
    return unpack(chunk.block)


def _pieces(found: Iterable[Chunk]) -> Iterator[_Piece]:
    """The readings of chunks in their order, those of small neighbours together."""
    session, gathered, count = "", list[pa.RecordBatch](), 0
    for chunk in found:
        if gathered and (chunk.link.session_id != session or count >= PIECE):
            yield _Piece(session, joined(gathered))
            gathered, count = [], 0
        session, count = chunk.link.session_id, count + chunk.link.readings
        gathered.append(_batch(chunk))
    if gathered:
        yield _Piece(session, joined(gathered))


def _part(piece: _Piece, names: _Series) -> pa.RecordBatch:
    batch = piece.batch
    count, series = batch.num_rows, batch.column("series")
    recording = pa.repeat(pa.scalar(0, pa.int32()), count)
    return pa.RecordBatch.from_arrays(
        [
            pa.DictionaryArray.from_arrays(recording, pa.array([piece.session_id])),
            pc.take(names.devices, series),
            pc.take(names.registers, series),
            pc.take(names.units, series),
            batch.column("timestamp").cast(pa.timestamp("ns")),
            _words(batch.column("kind"), KIND_NAMES),
            batch.column("value"),
            batch.column("text"),
            _words(batch.column("quality"), QUALITY_NAMES),
            *(batch.column(name) for name in ("sequence", "latency_us", "raw", "error", "error_code")),
        ],
        schema=TABLE,
    )


def _words(numbers: pa.Array, names: tuple[str, ...]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(numbers.cast(pa.int32()), pa.array(names))
