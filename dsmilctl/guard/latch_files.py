"""Latch files: the stops in one folder, read and written so that what cannot be read counts as a stop."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

from dsmilctl.decoding import UNDECODABLE
from dsmilctl.guard.chain import canonical, seal, unseal
from dsmilctl.guard.files import is_temporary, plain_name, private_folder, sync_folder, write_durably
from dsmilctl.model.device import DeviceId
from dsmilctl.model.emergency import Stop

UNREADABLE = "UNREADABLE"
_decoder = msgspec.json.Decoder(Stop)

Mark = tuple[str, int, int, int]
"""Name, inode, size and modification time of a file: another one means another content."""


class Held(msgspec.Struct, frozen=True):
    """A stop as it was read from a file, its devices ready to be asked for."""

    stop: Stop
    devices: frozenset[DeviceId]
    path: Path

    def covers(self, device_id: DeviceId) -> bool:
        """Whether the stop holds this device."""
        return not self.devices or device_id in self.devices

    @property
    def readable(self) -> bool:
        """Whether this is a stop, and not a file that cannot be read."""
        return self.stop.stop_id != UNREADABLE


def file_name(stop: Stop) -> str:
    """What the file of a stop is called, in whatever folder it lies."""
    return f"{plain_name(stop.stop_id)}.json"


def content_of(stop: Stop) -> bytes:
    """What the file of a stop holds: a sealed line, without what devices answered."""
    return seal(canonical(msgspec.structs.replace(stop, confirmations=())))[0]


def marks(place: Path) -> list[Mark]:
    """Every file that counts in a folder; raises OSError.  One that vanishes meanwhile has been released."""
    found: list[Mark] = []
    with os.scandir(place) as entries:
        for entry in entries:
            if not is_temporary(entry.name):
                with suppress(FileNotFoundError):
                    status = entry.stat(follow_symlinks=False)
                    found.append((entry.name, status.st_ino, status.st_size, status.st_mtime_ns))
    return sorted(found)


def is_there(folder: Path) -> bool:
    """Whether there is something to look at in a place; what cannot be looked at counts as there."""
    try:
        os.lstat(folder)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def leads_nowhere(path: Path) -> bool:
    """Whether a path is missing because it goes through a link to something that is not there now."""
    part = os.fspath(path)
    while True:
        try:
            mode = os.lstat(part).st_mode
        except OSError:
            above = os.path.dirname(part)  # noqa: PTH120 - looked at before every write; Path takes thrice as long
            if above == part:
                return False
            part = above
            continue
        return stat.S_ISLNK(mode) and not Path(part).exists()


def held_by(place: Path, files: Iterable[Mark]) -> list[Held]:
    """The stops in some files of a folder, without those that were released meanwhile."""
    return [found for mark in files if (found := _read(place / mark[0])) is not None]


def _read(path: Path) -> Held | None:
    """The stop in a file, nothing if it was released meanwhile."""
    try:
        content = unseal(_content(path).removesuffix(b"\n"))
        if content is None:
            return unreadable(path, "its content is cut short or was changed")
        stop = _decoder.decode(content)
    except FileNotFoundError:
        return None
    except OSError as error:
        return unreadable(path, error.strerror or str(error))
    except UNDECODABLE as error:
        return unreadable(path, str(error))
    return Held(stop, frozenset(stop.devices), path)


def _content(path: Path) -> bytes:
    """The file's bytes; a link is not followed, and what is no file holds nobody up."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.read(descriptor, os.fstat(descriptor).st_size + 1)
    finally:
        os.close(descriptor)


def unreadable(path: Path, why: str) -> Held:
    """The stop of everything that stands for a file or a folder which cannot be read."""
    try:
        since = path.lstat().st_mtime_ns
    except OSError:
        since = 0
    reason = f"the latch {path} cannot be read, so everything counts as stopped: {why}"
    stop = Stop(stop_id=UNREADABLE, scope="all", reason=reason, triggered_by="", triggered_at=since)
    return Held(stop, frozenset(), path)


def write(path: Path, content: bytes, twin: Path) -> None:
    """Write a file for good, as another name of its twin where that is there: half the work for the disk."""
    if path != twin:
        with suppress(OSError):
            private_folder(path.parent)
            path.hardlink_to(twin)
            sync_folder(path.parent)
            return
    write_durably(path, content)


def unlink(folder: Path, name: str) -> None:
    """Take a file out of a folder for good; it may be gone, and the folder, too.  Raises OSError."""
    if folder.is_dir():
        (folder / name).unlink(missing_ok=True)
        sync_folder(folder)


def set_aside(path: Path, places: Iterable[Path]) -> None:
    """Move what cannot be read out of the latch, beside it, under a name that is free; raises OSError."""
    place = path if path in places else path.parent
    aside = place.with_name(f"{place.name}.unreadable")
    private_folder(aside)
    count = 1
    while (target := aside / f"{path.name}-{count}").exists():
        count += 1
    with suppress(FileNotFoundError):
        path.rename(target)
    sync_folder(path.parent)
