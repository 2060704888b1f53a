"""Holds: which devices somebody is changing just now, in this process and in every other one.

A change holds its device from the last look at it until it was read back, so that compare-and-set compares
what is set, and two operators never own a device at once.  An emergency stop asks for no hold.  A process
that ends, however it ends, lets go of all it held.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from struct import pack

from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.guard.chain import sha256
from dsmilctl.guard.files import PRIVATE_FILE, private_folder, unavailable
from dsmilctl.model.device import DeviceId

LOGGER = logging.getLogger("dsmilctl.guard")
_NUMBERS = 1 << 48
"""Where in the lock file the places of numbered devices end and those of named ones begin."""

_PLACES = 4096
"""Places for named devices.  Two names may share one: the kernel walks every lock, so they are kept few."""

_TAKEN = (errno.EAGAIN, errno.EACCES)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.02


class Holds:
    """The devices of one fleet that are held: byte locks on a file that every process of the user opens.

    Without a file only this process is looked at.
    """

    def __init__(self, path: Path | None, clock: Clock = SYSTEM) -> None:
        self._path = path
        self._clock = clock
        self._descriptor = -1
        self._turns: dict[DeviceId, _Turn] = {}
        self._places: dict[int, int] = {}

    def close(self) -> None:
        """Let go of everything."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self._places.clear()

    async def take(self, wanted: Iterable[DeviceId], patience: float) -> set[DeviceId]:
        """Hold devices; those that others did not let go of within `patience` seconds are left out.

        They are taken in one order by everybody, so that two bulks never wait for each other.
        Raises StateUnavailable where the lock file cannot be used.
        """
        end = self._clock.monotonic() + patience
        taken: set[DeviceId] = set()
        try:
            for device_id in in_order(wanted):
                if await self._take_one(device_id, end):
                    taken.add(device_id)
        except BaseException:
            self.release(taken)
            raise
        return taken

    def release(self, held: Iterable[DeviceId]) -> None:
        """Let go of devices that were taken."""
        for device_id in held:
            self._unlock(_place(device_id))
            self._turns[device_id].release()

    async def _take_one(self, device_id: DeviceId, end: float) -> bool:
        turn = self._turns.setdefault(device_id, _Turn())
        if not await turn.come(end - self._clock.monotonic()):
            return False
        try:
            if await self._lock(_place(device_id), end):
                return True
        except BaseException:
            turn.release()
            raise
        turn.release()
        return False

    async def _lock(self, place: int, end: float) -> bool:
        """Wait until no other process holds the place."""
        if self._path is None:
            return True
        if self._places.get(place):
            self._places[place] += 1  # another device of ours lies there
            return True
        pause = _FIRST_PAUSE
        while not self._try(self._path, place):
            LOGGER.debug("another process holds a device that is wanted: waiting")
            if self._clock.monotonic() >= end:
                return False
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
        self._places[place] = self._places.get(place, 0) + 1
        return True

    def _unlock(self, place: int) -> None:
        if self._path is None or place not in self._places:
            return
        self._places[place] -= 1
        if not self._places[place]:
            del self._places[place]
            _ask(self._descriptor, fcntl.F_UNLCK, place)

    def _try(self, path: Path, place: int) -> bool:
        try:
            if self._descriptor < 0:
                self._descriptor = _open(path)
            return _locked(self._descriptor, place)
        except OSError as error:
            raise unavailable("Devices cannot be held", error, path) from error


class _Turn(asyncio.Lock):
    """Who of this process comes next on one device."""

    waiting = 0

    async def come(self, patience: float) -> bool:
        """Wait behind the others; False when it took too long."""
        if not self.waiting and not self.locked():
            return await self.acquire()
        self.waiting += 1
        try:
            async with asyncio.timeout(max(0.0, patience)):
                return await self.acquire()
        except TimeoutError:
            return False
        finally:
            self.waiting -= 1


def in_order(wanted: Iterable[DeviceId]) -> list[DeviceId]:
    """Devices in the order in which every task of every process takes them, each once.

    By place, as the kernel sees them, and names that share a place by name; no number shares one with a name.
    """
    return sorted(set(wanted), key=lambda device_id: (_place(device_id), str(device_id)))


def _open(path: Path) -> int:
    private_folder(path.parent)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)


def _locked(descriptor: int, place: int) -> bool:
    """Lock one byte, if nobody else has it."""
    try:
        _ask(descriptor, fcntl.F_WRLCK, place)
    except OSError as error:
        if error.errno in _TAKEN:
            return False
        raise
    return True


def _ask(descriptor: int, kind: int, place: int) -> None:
    """Lock or unlock one byte; Linux ties the lock to the open file, others tie it to the process.

    Source: fcntl(2), open file description locks.
    """
    if hasattr(fcntl, "F_OFD_SETLK"):
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, pack("hhqqi4x", kind, os.SEEK_SET, place, 1, 0))
    elif kind == fcntl.F_UNLCK:
        fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, place)
    else:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)


def _place(device_id: DeviceId) -> int:
    """Where in the lock file a device lies, the same in every process."""
    if isinstance(device_id, int):
        return device_id % _NUMBERS
    digest = sha256(device_id.encode("utf-8", "backslashreplace")).digest()
    return _NUMBERS + int.from_bytes(digest[:4], "big") % _PLACES
