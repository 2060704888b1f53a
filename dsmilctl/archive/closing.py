"""Closing: the digest of every file of an archive, written when its recorder ends in order.

While a recorder runs there is none.  As long as it is there no bit of the hot store may differ.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec

from dsmilctl.archive.places import Places
from dsmilctl.clock import Clock

PIECE = 1024 * 1024


class Closing(msgspec.Struct, frozen=True):
    """What the database looked like: SHA-256, bytes and when; `digest` is SHA-256 of these three."""

    sha256: str
    bytes: int
    closed_at: int
    digest: str = ""

    @property
    def own_digest(self) -> str:
        """What `digest` has to be."""
        return hashlib.sha256(f"{self.sha256} {self.bytes} {self.closed_at}".encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_closing(places: Places, clock: Clock) -> None:
    """Note how the database looks now."""
    found = Closing(file_digest(places.database), places.database.stat().st_size, clock.now())
    content = msgspec.json.encode(msgspec.structs.replace(found, digest=found.own_digest))
    write_durably(places.closing, content + b"\n")


def forget_closing(places: Places) -> None:
    """From now on the database changes."""
    places.closing.unlink(missing_ok=True)


def read_closing(places: Places) -> Closing | None:
    """What was noted, None where no recorder ended in order; raises ValueError for a damaged file."""
    try:
        content = places.closing.read_bytes()
    except FileNotFoundError:
        return None
    try:
        found = msgspec.json.decode(content, type=Closing)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from error
    if msgspec.json.encode(found) + b"\n" != content or found.digest != found.own_digest:
        raise ValueError("its own digest is not that of its content")
    return found


def write_durably(path: Path, content: bytes) -> None:
    """Replace a file at once and for good: whoever looks sees the old content or the new."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)  # noqa: PTH105 - renames over what is there in one step
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Return when the folder's list of names is on the medium."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
