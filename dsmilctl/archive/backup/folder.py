"""Folder: backups in a folder of this machine, each file whole or not there."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dsmilctl.archive.closing import sync_folder
from dsmilctl.errors import Conflict

OBJECTS = "objects/"
LOCK = ".lock"
TEMPORARY = ".tmp"


class Folder:
    """A folder of backups: manifests in it, objects in `objects` below; names are relative, with `/`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __str__(self) -> str:
        return str(self.folder)

    def names(self) -> list[str]:
        """Every file there is, but those that somebody is writing."""
        if not self.folder.is_dir():
            return []
        found = (path.relative_to(self.folder) for path in self.folder.rglob("*") if not path.is_dir())
        return sorted(name.as_posix() for name in found if name.name != LOCK and name.suffix != TEMPORARY)

    def read(self, name: str) -> bytes:
        """The content of a file; raises OSError."""
        return (self.folder / name).read_bytes()

    def write(self, name: str, content: bytes) -> None:
        """Put a file in its place once it is on the medium; `settle` makes its name last, too."""
        path = self.folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}{TEMPORARY}")
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with open(os.open(temporary, flags, 0o600), "wb") as file:  # noqa: PTH123 - a descriptor, not a path
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def settle(self) -> None:
        """Return when every name is on the medium."""
        for folder in (self.folder / OBJECTS, self.folder):
            if folder.is_dir():
                sync_folder(folder)

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        (self.folder / name).unlink(missing_ok=True)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep every other process from changing the backups; raises Conflict where one does now.

        What an earlier one was writing when it ended is removed.
        """
        import fcntl

        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for left in self.folder.rglob(f".*{TEMPORARY}"):
                left.unlink(missing_ok=True)
            yield
        except BlockingIOError:
            message, hint = "another process changes these backups now", "try again when it has ended"
            raise Conflict(message, hint=hint, target=str(self.folder)) from None
        finally:
            os.close(file)
