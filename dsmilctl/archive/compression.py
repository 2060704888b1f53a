"""Compression: a file packed as it is written, and unpacked as it is read, within bounds."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import zstandard

ENDINGS = {".zst": "zstd", ".gz": "gzip"}
LEVEL = 3
LARGEST_RATIO = 250
"""How much larger than its file content may get once it is more than UNSUSPICIOUS bytes."""

UNSUSPICIOUS = 256 * 1024 * 1024
MAGIC = {b"\x28\xb5\x2f\xfd": "zstd", b"\x1f\x8b": "gzip"}
ARCHIVES = {b"PK\x03\x04": "zip", b"7z\xbc\xaf": "7z", b"BZh": "bzip2", b"\xfd7zX": "xz"}
BROKEN = (zstandard.ZstdError, zlib.error, EOFError, gzip.BadGzipFile)
"""What a damaged file raises as it is unpacked."""


@contextmanager
def compressed(file: IO[bytes], packing: str) -> Iterator[IO[bytes]]:
    """The file that packs what is written to it (`zstd`, `gzip`), or the file itself."""
    if not packing:
        yield file
        return
    with _packer(file, packing) as packed:
        yield packed


def _packer(file: IO[bytes], packing: str) -> IO[bytes]:
    if packing == "gzip":
        return gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=6, mtime=0)  # type: ignore[return-value]  # an IO in all but name
    packer = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
    return packer.stream_writer(file, closefd=False)


def packing_of(path: Path) -> str:
    """How a file is packed, by its first bytes; raises ValueError for a kind that is not read."""
    with path.open("rb") as file:
        first = file.read(4)
    for magic, name in ARCHIVES.items():
        if first.startswith(magic):
            raise ValueError(f"it is packed with {name}: unpack it first")
    return next((name for magic, name in MAGIC.items() if first.startswith(magic)), "")


def opened(path: Path) -> IO[bytes]:
    """The content of a file, unpacked as it is read; raises ValueError where that gets out of hand."""
    packing = packing_of(path)
    if not packing:
        return path.open("rb")
    file = path.open("rb")
    plain: IO[bytes] = (
        gzip.GzipFile(fileobj=file)  # type: ignore[assignment]  # an IO in all but name
        if packing == "gzip"
        else zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(file, read_across_frames=True)
    )
    most = max(UNSUSPICIOUS, LARGEST_RATIO * path.stat().st_size)
    return io.BufferedReader(_Bounded(file, plain, most), 1024 * 1024)


class _Bounded(io.RawIOBase):
    """Reads no more than `most` bytes of what is unpacked: a bomb ends here."""

    def __init__(self, file: IO[bytes], plain: IO[bytes], most: int) -> None:
        self._file = file
        self._plain = plain
        self._left = most

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # what BufferedReader gives
        """The next bytes; raises ValueError where there are too many of them, or where they are damaged."""
        try:
            found = self._plain.read(len(buffer))
        except BROKEN as error:
            raise ValueError(f"its compression is damaged: {error}") from error
        self._left -= len(found)
        if self._left < 0:
            raise ValueError(
                "it unpacks to far more than any recording would: unpack it yourself if you trust it"
            )
        buffer[: len(found)] = found
        return len(found)

    def close(self) -> None:
        """Close the file, too."""
        self._file.close()
        super().close()
