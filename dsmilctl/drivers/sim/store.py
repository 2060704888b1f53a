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
VERSION = 1
PATIENCE = 1.0
"""Seconds to wait for another process that is writing."""

HINT = "the simulator keeps there what is written; dsmilctl sim reset starts afresh"

Signature = tuple[int, int, int]
Edits = list[tuple[int, Edit]]
Changed = Callable[[Iterable[int] | None], None]


class _File(msgspec.Struct):
    version: int
    devices: dict[int, Kept]


class Store:
    """What the devices of a fleet keep.  Without a folder it is kept in memory alone.

    `changed` is called with the ids of the devices that were written to, or None when all may have changed
    because the file was read.
    """

    def __init__(self, folder: Path | None, logger: logging.Logger, changed: Changed) -> None:
        self._path = folder / FILE if folder else None
        self._logger = logger
        self._changed = changed
        self._signature: Signature | None = None
        self._devices: dict[int, Kept] = {}
        self._problem = ""
        self._pending: Edits = []
        self._waiting: list[asyncio.Future[None]] = []
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
            self._unreadable(self._path, error)
            return
        else:
            signature = (status.st_ino, status.st_mtime_ns, status.st_size)
        if signature != self._signature:
            self._signature = signature
            self._load(self._path, exists=signature is not None)
            self._changed(None)

    def get(self, device_id: int) -> Kept | None:
        """What a device keeps, as of the last `refresh`; None if nothing was ever written."""
        return self._devices.get(device_id)

    async def put(self, edits: Iterable[tuple[int, Edit]]) -> None:
        """Apply edits and return when they are in the file; raises StateUnavailable."""
        if self._path is None:
            self._changed(_apply(self._devices, edits))
            return
        loop = asyncio.get_running_loop()
        written = loop.create_future()
        self._pending.extend(edits)
        self._waiting.append(written)
        if self._commit is None:
            self._commit = loop.create_task(self._write_pending(self._path))
        await written

    async def forget(self) -> int:
        """Drop everything; how many devices kept something.  A file that cannot be read is put aside.

        Raises StateUnavailable when the file can neither be removed nor put aside.
        """
        self.refresh()
        count = len(self._devices)
        self._devices = {}
        self._changed(None)
        if self._path is None or self._signature is None:
            return count
        try:
            lock = await self._acquire(self._path)
            try:
                if self._problem:
                    self._path.replace(self._path.with_name(f"{FILE}.unreadable-{SYSTEM.now()}"))
                self._path.unlink(missing_ok=True)
            finally:
                fcntl.flock(lock, fcntl.LOCK_UN)
        except OSError as error:
            raise _unavailable(self._path, error) from error
        return count

    async def close(self) -> None:
        """Finish what is being written and let go of the lock file."""
        while self._commit is not None:
            await asyncio.wait([self._commit])
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def _write_pending(self, path: Path) -> None:
        problem: StateUnavailable | None = None
        try:
            lock = await self._acquire(path)
        except (OSError, StateUnavailable) as error:
            _, waiting = self._take()
            problem = _unavailable(path, error)
        else:
            edits, waiting = self._take()
            try:
                self._write(path, edits)
            except Exception as error:  # whatever it was, those who wait have to hear of it
                problem = _unavailable(path, error)
            finally:
                fcntl.flock(lock, fcntl.LOCK_UN)
        for written in waiting:
            if written.done():
                continue
            if problem is None:
                written.set_result(None)
            else:
                written.set_exception(problem)

    def _take(self) -> tuple[Edits, list[asyncio.Future[None]]]:
        """What is to be written and who waits for it; whatever comes later is written after it."""
        taken = self._pending, self._waiting
        self._pending, self._waiting, self._commit = [], [], None
        return taken

    async def _acquire(self, path: Path) -> int:
        """The descriptor of the lock file, locked; the event loop goes on while another process holds it."""
        if self._lock is None:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        give_up = SYSTEM.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return self._lock
            except BlockingIOError:
                if SYSTEM.monotonic() > give_up:
                    raise StateUnavailable(f"another process holds {path} for {PATIENCE:g} s") from None
            await asyncio.sleep(0.002)

    def _write(self, path: Path, edits: Edits) -> None:
        self.refresh()
        if self._problem:
            raise StateUnavailable(self._problem, hint=HINT, target=str(path))
        devices = dict(self._devices)
        changed = _apply(devices, edits)
        partial = path.with_suffix(".partial")  # whoever holds the lock is the only one to write it
        signature = _write_file(partial, msgspec.json.encode(_File(VERSION, devices)))
        partial.replace(path)
        self._devices, self._signature = devices, signature
        self._changed(changed)

    def _load(self, path: Path, *, exists: bool) -> None:
        self._devices, self._problem = {}, ""
        if not exists:
            return
        try:
            kept = msgspec.json.decode(path.read_bytes(), type=_File)
            if kept.version != VERSION:
                raise ValueError(f"it is of version {kept.version}, this program writes {VERSION}")
            self._devices = kept.devices
        except (OSError, ValueError) as error:
            self._unreadable(path, error)

    def _unreadable(self, path: Path, error: Exception) -> None:
        problem = f"{path} cannot be read: {error}"
        if problem != self._problem:
            self._logger.warning("%s; the devices show their defaults", problem)
        self._devices, self._problem = {}, problem


def _apply(devices: dict[int, Kept], edits: Iterable[tuple[int, Edit]]) -> list[int]:
    """Change what the devices keep; the ids of those that were changed."""
    changed = []
    for device_id, edit in edits:
        kept = edit(devices.get(device_id, NOTHING))
        if kept == NOTHING:
            devices.pop(device_id, None)
        else:
            devices[device_id] = kept
        changed.append(device_id)
    return changed


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


def _unavailable(path: Path, error: Exception) -> StateUnavailable:
    if isinstance(error, StateUnavailable):
        return error
    return StateUnavailable(f"{path} cannot be written: {error}", hint=HINT, target=str(path))
