"""Log: SQLite's write-ahead log that a killed recorder left, frame by frame.

SQLite itself ends at the first damaged frame without a word, and everything behind it is lost.
Source: the SQLite file format, section 4, the write-ahead log.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from dsmilctl.archive.finding import Finding

HEADER = 32
FRAME = 24
MAGIC = 0x377F0682
"""The last bit of it says whether checksums are of big-endian numbers."""


def check_log(path: Path) -> Iterator[Finding]:
    """The first damaged frame of a log; one of an older generation, with other salts, ends it in order."""
    content = path.read_bytes() if path.exists() else b""
    if not content:
        return
    problem = _problem(content)
    if problem:
        yield Finding(
            layer="database", where=path.name, what=problem,
            mend="copy the archive, then let the next recording go on with what is intact",
        )  # fmt: skip


def _problem(content: bytes) -> str:
    if len(content) < HEADER:
        return "its header is cut off"
    magic, _, size = struct.unpack(">III", content[:12])
    if magic & ~1 != MAGIC or size < 512:
        return "its header is damaged"
    order = ">" if magic & 1 else "<"
    sums = _sums(content[:24], order, (0, 0))
    if struct.pack(">II", *sums) != content[24:HEADER]:
        return "its header is damaged"
    salts = content[16:24]
    for number, place in enumerate(range(HEADER, len(content), FRAME + size), 1):
        frame = content[place : place + FRAME + size]
        sums = _sums(frame[:8] + frame[FRAME:], order, sums)
        if frame[8:16] == salts and struct.pack(">II", *sums) == frame[16:FRAME]:
            continue
        later = content[place + FRAME + size + 8 : place + FRAME + size + 16]
        if salts not in (frame[8:16], later):
            return ""  # what follows was written before the log began anew
        return f"frame {number} is damaged: what was committed from there on is lost"
    return ""


def _sums(content: bytes, order: str, sums: tuple[int, int]) -> tuple[int, int]:
    """The running checksum over pairs of 32-bit numbers."""
    first, second = sums
    numbers = struct.unpack(f"{order}{len(content) // 4}I", content[: len(content) // 4 * 4])
    for even, odd in zip(numbers[::2], numbers[1::2], strict=False):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second
