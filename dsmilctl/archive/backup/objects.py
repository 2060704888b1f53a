"""Objects: stretches of a file as a backup keeps them, each under the name that its content gives it.

An object is a zstd frame with its checksum and a skippable frame behind it, which holds SHA-256 of the first:
`zstd -d` reads it, and no bit of it can change unseen.  Source: RFC 8878, sections 3.1.1 and 3.1.2.
"""

from __future__ import annotations

import hashlib
import threading

import zstandard

BLOCK = 1024 * 1024
"""Bytes of content in one object, at the most: only what has changed since the last backup is kept anew."""

LEVEL = 1
SKIPPABLE = (0x184D2A5E).to_bytes(4, "little")
SEAL = SKIPPABLE + (32).to_bytes(4, "little")
"""What stands before the digest: a skippable frame of 32 bytes."""

_own = threading.local()


def name_of(content: bytes) -> str:
    """The name of an object: SHA-256 of its content."""
    return hashlib.sha256(content).hexdigest()


def pack(content: bytes) -> bytes:
    """Content as an object."""
    if not hasattr(_own, "compressor"):
        _own.compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
    frame: bytes = _own.compressor.compress(content)
    return frame + SEAL + hashlib.sha256(frame).digest()


def unpack(stored: bytes) -> bytes:
    """The content of an object; raises ValueError where a bit of it has changed or it holds too much."""
    frame, seal = stored[: -len(SEAL) - 32], stored[-len(SEAL) - 32 :]
    if seal != SEAL + hashlib.sha256(frame).digest():
        raise ValueError("bits of it have changed: its SHA-256 differs")
    try:
        if not zstandard.get_frame_parameters(frame).has_checksum:
            raise ValueError("it has no checksum")
        if zstandard.frame_content_size(frame) > BLOCK:
            raise ValueError("it claims to hold more than any object does")
        return zstandard.ZstdDecompressor().decompress(frame, max_output_size=BLOCK)
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from error
