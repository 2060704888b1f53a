"""Fleet lock: one server per fleet, as two would each believe to know all that is done to its devices."""

from __future__ import annotations

import os
from pathlib import Path

from dsmilctl.config.paths import Paths, file_name
from dsmilctl.config.private import make_folders
from dsmilctl.errors import Conflict, StateUnavailable


class FleetLock:
    """Held by the server of a fleet as long as its process lives; use it as a context manager.

    The system lets go of it when the process ends, however that happens.  The file says who holds it.
    """

    def __init__(self, folders: Paths, fleet: str) -> None:
        self.path: Path = folders.state / "servers" / f"{file_name(fleet)}.lock"
        self._fleet = fleet
        self._file = -1

    def __enter__(self) -> FleetLock:
        self.take()
        return self

    def __exit__(self, *error: object) -> None:
        self.release()

    def take(self) -> None:
        """Hold the lock; raises Conflict (exit status 7) that names the server that holds it."""
        import fcntl

        try:
            make_folders(self.path.parent)
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateUnavailable(f"{self.path}: {error.strerror}", target=str(self.path)) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(file, 1000).decode(errors="replace").strip()
            os.close(file)
            raise Conflict(
                f"fleet {self._fleet} has a server already ({holder or 'it has not said which'})",
                hint="use that one, or end it first",
                target=self._fleet,
            ) from None
        self._file = file
        self.say(f"process {os.getpid()}")

    def say(self, text: str) -> None:
        """Write into the file who holds the lock, such as the server's URL."""
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, text.encode(), 0)

    def release(self) -> None:
        """Let go of it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
