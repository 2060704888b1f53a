"""Store: the small file in which simulated devices keep what was written to them.

Changes asked for in one tick of the event loop are written together: lock, read again if another process
wrote, apply, write a new file, rename.  Nothing is synced to the disk: it is a simulator, and the rename
leaves the old file or the new one whatever is killed when.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from dsmilctl.clock import SYSTEM
from dsmilctl.drivers.sim.kept import NOTHING, Edit, Kept
from dsmilctl.errors import StateUnavailable

FILE = "sim.json"
PATIENCE = 1.0
"""Seconds to wait for another process that is writing."""

RESET_HINT = "dsmilctl -C sim sim reset puts the file aside and starts afresh"

Signature = tuple[int, int, int]


class _File(msgspec.Struct):
    version: int
    devices: dict[int, Kept]


class Store:
    """What the devices of a fleet keep.  Without a folder it is kept in memory alone.

    `changed` is called when the file brought what another process wrote.
    """

    def __init__(self, folder: Path | None, logger: logging.Logger, changed: Callable[[], None]) -> None:
        self._path = folder / FILE if folder else None
        self._logger = logger
        self._changed = changed
        self._signature: Signature | None = None
        self._devices: dict[int, Kept] = {}
        self._problem = ""
        self._pending: list[tuple[int, Edit]] = []
        self._commit: asyncio.Task[None] | None = None
        self._lock: int | None = None

    def refresh(self) -> None:
        """Read the file again if another process changed it."""
        if self._path is None:
            return
        try:
            status = self._path.stat()
        except FileNotFoundError:
            signature = None
        except OSError as error:
            self._unreadable(error)
            return
        else:
            signature = (status.st_ino, status.st_mtime_ns, status.st_size)
        if signature != self._signature:
            self._signature = signature
            self._load(exists=signature is not None)
            self._changed()

    def get(self, device_id: int) -> Kept | None:
        """What a device keeps, as of the last `refresh`; None if nothing was ever written."""
        return self._devices.get(device_id)

    def __len__(self) -> int:
        return len(self._devices)

    async def put(self, edits: Iterable[tuple[int, Edit]]) -> None:
        """Apply edits and return when they are in the file; raises StateUnavailable."""
        self._pending.extend(edits)
        if self._path is None:
            self._apply(self._take())
            return
        if self._commit is None:
            self._commit = asyncio.get_running_loop().create_task(self._write_pending())
            self._commit.add_done_callback(_retrieve)
        await asyncio.shield(self._commit)

    async def close(self) -> None:
        """Finish what is being written and let go of the lock file."""
        if self._commit is not None:
            await asyncio.wait([self._commit])
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def _write_pending(self) -> None:
        try:
            await self._acquire()
        except (OSError, StateUnavailable) as error:
            self._take()
            raise self._unavailable(error) from error
        edits = self._take()
        try:
            self._write(edits)
        except OSError as error:
            raise self._unavailable(error) from error
        finally:
            assert self._lock is not None
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _take(self) -> list[tuple[int, Edit]]:
        edits, self._pending = self._pending, []
        self._commit = None
        return edits

    async def _acquire(self) -> None:
        assert self._path is not None
        if self._lock is None:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(
                self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
        give_up = SYSTEM.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if SYSTEM.monotonic() > give_up:
                    raise StateUnavailable(f"another process holds {self._path} for {PATIENCE:g} s") from None
            await asyncio.sleep(0.002)

    def _write(self, edits: list[tuple[int, Edit]]) -> None:
        assert self._path is not None
        self.refresh()
        if self._problem:
            raise StateUnavailable(self._problem, hint=RESET_HINT, target=str(self._path))
        before = dict(self._devices)
        self._apply(edits)
        partial = self._path.with_suffix(f".{os.getpid()}")
        try:
            self._signature = _write_file(partial, msgspec.json.encode(_File(1, self._devices)))
            partial.replace(self._path)
        except OSError:
            self._devices, self._signature = before, None
            partial.unlink(missing_ok=True)
            raise

    def _apply(self, edits: list[tuple[int, Edit]]) -> None:
        for device_id, edit in edits:
            kept = edit(self._devices.get(device_id, NOTHING))
            if kept is NOTHING:
                self._devices.pop(device_id, None)
            else:
                self._devices[device_id] = kept

    def _load(self, *, exists: bool) -> None:
        assert self._path is not None
        self._devices, self._problem = {}, ""
        if not exists:
            return
        try:
            self._devices = msgspec.json.decode(self._path.read_bytes(), type=_File).devices
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            self._unreadable(error)

    def _unreadable(self, error: Exception) -> None:
        problem = f"{self._path} cannot be read: {error}"
        if problem != self._problem:
            self._logger.warning("%s; the devices show their defaults", problem)
        self._devices, self._problem = {}, problem

    def _unavailable(self, error: Exception) -> StateUnavailable:
        if isinstance(error, StateUnavailable):
            return error
        message = f"{self._path} cannot be written: {error}"
        return StateUnavailable(
            message, hint="the simulator keeps there what is written", target=str(self._path)
        )


def forget(folder: Path) -> int:
    """Drop what the simulated devices keep; how many kept something.

    A file that cannot be read is put aside.

    Raises StateUnavailable when the file can neither be removed nor put aside.
    """
    path = folder / FILE
    try:
        devices = msgspec.json.decode(path.read_bytes(), type=_File).devices
        path.unlink()
        return len(devices)
    except FileNotFoundError:
        return 0
    except msgspec.MsgspecError:
        path.replace(path.with_name(f"{FILE}.unreadable-{SYSTEM.now()}"))
        return 0
    except OSError as error:
        raise StateUnavailable(f"{path} cannot be removed: {error}", target=str(path)) from error


def _write_file(path: Path, content: bytes) -> Signature:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        status = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    return status.st_ino, status.st_mtime_ns, status.st_size


def _retrieve(task: asyncio.Task[None]) -> None:
    """Note a failure that nobody waits for any more, so that the loop does not complain about it."""
    if not task.cancelled():
        task.exception()
