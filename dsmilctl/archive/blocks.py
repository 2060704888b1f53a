"""Blocks: many readings as columns, compressed with a checksum: what a chunk of the hot store holds."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec
import pyarrow as pa
import zstandard

from dsmilctl.errors import CheckFailed
from dsmilctl.model.reading import Quality, Reading

NOTHING, FLOAT, INTEGER, TRUTH, TEXT, DIGITS = range(6)
"""Kinds of a value; DIGITS is a whole number that a 64-bit float does not hold exactly, kept as text."""

EXACT = 2**53
KINDS = {type(None): NOTHING, float: FLOAT, int: INTEGER, bool: TRUTH, str: TEXT}
QUALITIES = {Quality.GOOD: 0, Quality.STALE: 1, Quality.BAD: 2}
LARGEST_BLOCK = 256 * 1024 * 1024
"""Bytes that a block may unpack to: a larger one is damaged or an attack."""

SCHEMA = pa.schema(
    [
        ("series", pa.int32()),
        ("timestamp", pa.int64()),
        ("kind", pa.int8()),
        ("value", pa.float64()),
        ("text", pa.string()),
        ("quality", pa.int8()),
        ("sequence", pa.int64()),
        ("latency_us", pa.int32()),
        ("raw", pa.string()),
        ("error", pa.string()),
        ("error_code", pa.string()),
    ]
)
"""The columns of a block.  `raw` is JSON; `latency_us` is in whole microseconds."""

GENESIS = bytes(32)
NAMES = Reading.__struct_fields__
Fields = Mapping[str, list[Any]]
"""Readings by field: each field's values in the order of the readings."""


def fields_of(readings: Sequence[Reading]) -> Fields:
    """Readings by field, in half of the time that asking each of them for each field takes."""
    flat = list(chain.from_iterable(map(msgspec.structs.astuple, readings)))
    return {name: flat[place :: len(NAMES)] for place, name in enumerate(NAMES)}


def batch_of(fields: Fields, series: Sequence[int]) -> pa.RecordBatch:
    """Readings as columns; `series` is the number of each one's series."""
    kind, value, text = _value_columns(fields["value"])
    count = len(series)
    return pa.RecordBatch.from_arrays(
        [
            pa.array(series, pa.int32()),
            pa.array(fields["timestamp"], pa.int64()),
            kind,
            value,
            text,
            _qualities(fields["quality"]),
            pa.array(fields["sequence"], pa.int64()),
            _latencies(fields["latency_ms"], count),
            _raw(fields["raw"], count),
            _texts(fields["error"], count),
            _texts(fields["error_code"], count),
        ],
        schema=SCHEMA,
    )


def _value_columns(values: list[Any]) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Kind, number and text of each value; columns of floats alone, the usual case, take the short way."""
    types = set(map(type, values))
    if types == {float}:
        kind = pa.repeat(pa.scalar(FLOAT, pa.int8()), len(values))
        return kind, pa.array(values, pa.float64()), pa.nulls(len(values), pa.string())
    rows = [_value_row(value) for value in values]
    kinds, numbers, texts = zip(*rows, strict=True) if rows else ((), (), ())
    return pa.array(kinds, pa.int8()), pa.array(numbers, pa.float64()), pa.array(texts, pa.string())


def _value_row(value: Any) -> tuple[int, float | None, str | None]:
    kind = KINDS[type(value)]
    if kind == TEXT:
        return TEXT, None, text_of(value)
    if kind == INTEGER and not -EXACT <= value <= EXACT:
        return DIGITS, _nearest(value), str(value)
    return kind, None if value is None else float(value), None


def _nearest(value: int) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None


def text_of(value: str) -> str:
    """Text that UTF-8 can hold: a lone surrogate is written out."""
    return value.encode("utf-8", "backslashreplace").decode()


def _qualities(qualities: list[Quality]) -> pa.Array:
    if qualities.count(Quality.GOOD) == len(qualities):
        return pa.repeat(pa.scalar(QUALITIES[Quality.GOOD], pa.int8()), len(qualities))
    return pa.array(list(map(QUALITIES.__getitem__, qualities)), pa.int8())


def _latencies(latencies: list[float | None], count: int) -> pa.Array:
    if latencies.count(None) == count:
        return pa.nulls(count, pa.int32())
    whole = [None if item is None else min(round(item * 1000), 2**31 - 1) for item in latencies]
    return pa.array(whole, pa.int32())


def _raw(values: list[int | str | None], count: int) -> pa.Array:
    if values.count(None) == count:
        return pa.nulls(count, pa.string())
    return pa.array([None if item is None else _json(item) for item in values], pa.string())


def _json(value: int | str) -> str:
    if isinstance(value, str):
        return msgspec.json.encode(text_of(value)).decode()
    return str(value)


def _texts(values: list[str], count: int) -> pa.Array:
    if values.count("") == count:
        return pa.nulls(count, pa.string())
    return pa.array([text_of(item) or None for item in values], pa.string())


def joined(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """One batch of several, without a copy where there is one only."""
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)


def pack(batch: pa.RecordBatch) -> bytes:
    """A batch as the bytes of a chunk."""
    return zstandard.ZstdCompressor(level=1, write_checksum=True).compress(batch.serialize())


def unpack(block: bytes) -> pa.RecordBatch:
    """The batch of a chunk's bytes; raises CheckFailed where they are damaged."""
    try:
        if zstandard.frame_content_size(block) > LARGEST_BLOCK:
            raise CheckFailed("a block claims to be larger than any block is")
        content = zstandard.ZstdDecompressor().decompress(block, max_output_size=LARGEST_BLOCK)
        return pa.ipc.read_record_batch(pa.py_buffer(content), SCHEMA)
    except (zstandard.ZstdError, pa.ArrowInvalid, OSError) as error:
        raise CheckFailed(f"a block of readings is damaged: {error}") from error


class Link(msgspec.Struct, frozen=True):
    """What the digest of a chunk covers, beside its block."""

    chunk_id: int
    session_id: str
    readings: int
    first_timestamp: int
    last_timestamp: int
    wall: int
    monotonic: float
    previous: bytes


def digest_of(link: Link, block: bytes) -> bytes:
    """SHA-256 over the chunk before, the fields of this one and its block."""
    return hashlib.sha256(msgspec.msgpack.encode(link) + block).digest()
