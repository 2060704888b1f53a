"""Lock: one process records into an archive; any number may read it."""

from __future__ import annotations

import os
from pathlib import Path

from dsmilctl.errors import Conflict


class RecorderLock:
    """Held as long as a recorder lives; the system lets go of it however that ends.

    Use it as a context manager.  Taking it raises Conflict (exit status 7), which names the holder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = -1

    def __enter__(self) -> RecorderLock:
        self.take()
        return self

    def __exit__(self, *error: object) -> None:
        self.release()

    def take(self) -> None:
        """Hold the lock; raises Conflict or OSError."""
        import fcntl

        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            told = os.read(file, 1000).decode(errors="replace").strip() or "a process that has not said which"
            os.close(file)
            raise Conflict(
                f"another recorder is at work in this archive: {told}",
                hint="end it first, or record into another archive",
                target=str(self.path),
            ) from None
        self._file = file
        os.ftruncate(file, 0)
        os.pwrite(file, f"process {os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let go of it."""
        if self._file >= 0:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = -1


def holder(path: Path) -> str:
    """Who records now (`process 17`), or an empty text."""
    import fcntl

    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.read(file, 1000).decode(errors="replace").strip() or "a process"
    finally:
        os.close(file)
    return ""
