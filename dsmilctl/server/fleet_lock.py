"""Fleet lock: one server per fleet, as two would each believe to know all that is done to its devices."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from dsmilctl.config.paths import Paths, file_name
from dsmilctl.config.private import make_folders
from dsmilctl.errors import Conflict, StateUnavailable


class FleetLock:
    """Held by the server of a fleet as long as its process lives; use it as a context manager.

    The system lets go of it when the process ends, however that happens.  A file says who holds it.  A fleet
    that is known by several keys has the others in `also`: each of them is held.  `target` says to a reader
    what is served.
    """

    def __init__(self, folders: Paths, fleet: str, also: Sequence[str] = (), target: str = "") -> None:
        folder = folders.state / "servers"
        self._paths = [folder / f"{file_name(key)}.lock" for key in (fleet, *also)]
        self._target = target or fleet
        self._files: list[int] = []

    def __enter__(self) -> FleetLock:
        self.take()
        return self

    def __exit__(self, *error: object) -> None:
        self.release()

    def take(self) -> None:
        """Hold the lock; raises Conflict (exit status 7) that names the server that holds it."""
        try:
            for path in self._paths:
                self._take(path)
        except BaseException:
            self.release()
            raise
        self.say(f"process {os.getpid()}, {self._target}")

    def _take(self, path: Path) -> None:
        import fcntl

        try:
            make_folders(path.parent)
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateUnavailable(f"{path}: {error.strerror}", target=str(path)) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(file, 1000).decode(errors="replace").strip()
            os.close(file)
            raise Conflict(
                f"fleet {self._target} has a server already ({holder or 'it has not said which'})",
                hint="use that one, or end it first",
                target=self._target,
            ) from None
        self._files.append(file)

    def say(self, text: str) -> None:
        """Write into the files who holds the lock, such as the server's URL."""
        for file in self._files:
            os.ftruncate(file, 0)
            os.pwrite(file, text.encode("utf-8", "surrogateescape"), 0)

    def release(self) -> None:
        """Let go of it."""
        while self._files:
            os.close(self._files.pop())
