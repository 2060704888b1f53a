"""Unfolding: how many bytes the batches of an Arrow file say that they unfold to, before any of them does.

Each compressed buffer begins with its length when unfolded, which the decompressor never exceeds.
Source: Arrow's columnar format, "IPC File Format" and "Compression"; File.fbs, Message.fbs; FlatBuffers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pyarrow as pa

MAGIC = b"ARROW1"
BLOCK = struct.Struct("<qi4xq")
BUFFER = struct.Struct("<qq")
DICTIONARY, BATCH = 2, 3
"""Kinds of messages that have buffers."""


def largest_batch(content: pa.Buffer) -> int:
    """The bytes of the batch, or of the words of one column, that unfolds to the most.

    Raises ValueError for what is no Arrow file.
    """
    try:
        return max((_unfolded(content, block) for block in _blocks(content)), default=0)
    except (struct.error, IndexError, pa.ArrowException) as error:
        raise ValueError(f"it is no Arrow file: {error}") from error


def _blocks(content: pa.Buffer) -> Iterator[int]:
    """Where each message is that the footer names."""
    end = content.size - len(MAGIC)
    if end < 0 or bytes(content[end : content.size]) != MAGIC:
        raise ValueError("its end is missing")
    (size,) = struct.unpack("<i", bytes(content[end - 4 : end]))
    if not 0 < size <= end - 4:
        raise ValueError("its end is damaged")
    footer = bytes(content[end - 4 - size : end - 4])
    for field in (2, 3):
        for place in _vector(footer, _root(footer), field, BLOCK.size):
            yield BLOCK.unpack_from(footer, place)[0]


def _unfolded(content: pa.Buffer, offset: int) -> int:
    if not 0 <= offset < content.size:
        raise ValueError("its footer is damaged")
    message = pa.ipc.read_message(content.slice(offset))
    head, body = bytes(message.metadata), message.body
    table = _root(head)
    kind, header = _field(head, table, 1), _field(head, table, 2)
    if not kind or not header or head[kind] not in (DICTIONARY, BATCH):
        raise ValueError("a message of it is damaged")
    batch = _follow(head, header)
    if head[kind] == DICTIONARY:
        batch = _follow(head, _field(head, batch, 1))
    packed = bool(_field(head, batch, 3))
    places = [BUFFER.unpack_from(head, place) for place in _vector(head, batch, 2, BUFFER.size)]
    return sum(_size(body, start, length, packed=packed) for start, length in places)


def _size(body: pa.Buffer, start: int, length: int, *, packed: bool) -> int:
    if not packed or length < 8:
        return length
    if start < 0 or start + 8 > body.size:
        raise ValueError("a buffer of it is damaged")
    (size,) = struct.unpack("<q", bytes(body[start : start + 8]))
    return int(size) if size >= 0 else length


def _root(table: bytes) -> int:
    return _follow(table, 0)


def _follow(content: bytes, place: int) -> int:
    return place + int(struct.unpack_from("<I", content, place)[0])


def _field(content: bytes, table: int, number: int) -> int:
    """Where a field of a table is, 0 where it has none."""
    entries = table - int(struct.unpack_from("<i", content, table)[0])
    if 4 + 2 * number >= struct.unpack_from("<H", content, entries)[0]:
        return 0
    offset = int(struct.unpack_from("<H", content, entries + 4 + 2 * number)[0])
    return table + offset if offset else 0


def _vector(content: bytes, table: int, number: int, size: int) -> Iterator[int]:
    """Where each element of a vector is."""
    if field := _field(content, table, number):
        start = _follow(content, field)
        (count,) = struct.unpack_from("<I", content, start)
        if start + 4 + count * size > len(content):
            raise ValueError("a list of it is damaged")
        yield from range(start + 4, start + 4 + count * size, size)
