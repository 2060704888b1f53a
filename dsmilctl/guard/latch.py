"""Latch: the emergency stops in force, one small file each, so that a stop outlives the process it came from.

A stop is in force as long as its file lies in the fleet's folder; a file that cannot be read counts as a stop
of everything.  Engaging is one atomic rename and waits for no lock.  What devices answered lies beside it, in
the history, so that the file that is read before every write stays small.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.decoding import UNDECODABLE
from dsmilctl.errors import NotFound, StateUnavailable
from dsmilctl.guard.chain import canonical, seal, unseal
from dsmilctl.guard.files import (
    is_temporary,
    plain_name,
    private_folder,
    sync_folder,
    unavailable,
    write_durably,
)
from dsmilctl.guard.history import History
from dsmilctl.model.device import DeviceId
from dsmilctl.model.emergency import Stop

if TYPE_CHECKING:
    from dsmilctl.guard.since import Since

UNREADABLE = "UNREADABLE"
_decoder = msgspec.json.Decoder(Stop)

_Mark = tuple[str, int, int, int]
"""Name, inode, size and modification time of a file: another one means another content."""


class _Held(msgspec.Struct, frozen=True):
    """A stop as it was read from a file, its devices ready to be asked for."""

    stop: Stop
    devices: frozenset[DeviceId]
    path: Path

    def covers(self, device_id: DeviceId) -> bool:
        return not self.devices or device_id in self.devices


class Latch:
    """The stops of one fleet.

    They lie in `folder`/`fleet`, or in `fallback`/`fleet` (a runtime folder in memory) when the first cannot
    be written; both are looked at.  A fleet that is known by several keys has all of them in `also`: a stop
    lies under each, so that whoever knows the fleet by one of them sees it, and can release it for all.
    """

    def __init__(
        self,
        folder: Path,
        fleet: str,
        fallback: Path | None = None,
        clock: Clock = SYSTEM,
        also: Sequence[str] = (),
    ) -> None:
        self._roots = [folder] + ([fallback] if fallback is not None else [])
        self._keys = (fleet, *also)
        self._places = [place for key in self._keys for place in self._places_of(key)]
        self._clock = clock
        self._seen: dict[Path, tuple[list[_Mark], list[_Held]]] = {}

    def stops(self) -> tuple[Stop, ...]:
        """Every stop in force, oldest first, with what is known of its devices.

        What cannot be read is among them as a stop of everything with the id UNREADABLE.
        """
        found = {held.stop.stop_id: self._completed(held.stop) for held in self._held()}
        return tuple(sorted(found.values(), key=lambda stop: stop.triggered_at))

    def holding(self, device_id: DeviceId) -> Stop | None:
        """The stop that holds this device, if any; sees at once what another process has done."""
        for held in self._held():
            if held.covers(device_id):
                return held.stop
        return None

    def engage(self, stop: Stop) -> str:
        """Put the stop in force; when this returns it outlives everything but a release.

        Answers why it had to go to the fallback (empty: it did not).  Raises StateUnavailable if it could be
        written nowhere.
        """
        keys = self._keys if len(self._keys) > 1 else ()
        content = seal(canonical(msgspec.structs.replace(stop, confirmations=(), fleets=keys)))[0]
        file = f"{plain_name(stop.stop_id)}.json"
        tries = [self._put(key, file, content) for key in self._keys]
        errors = [error for failed in tries for error in failed]
        if all(len(failed) == len(self._roots) for failed in tries):
            raise errors[0]
        return errors[0].message if errors else ""

    def _put(self, key: str, name: str, content: bytes) -> list[StateUnavailable]:
        """Write a stop under a key, in the first place that takes it; why the others before it did not."""
        errors: list[StateUnavailable] = []
        for place, first in zip(self._places_of(key), self._places, strict=False):
            try:
                _write(place / name, content, first / name)
            except OSError as error:
                message = f"the emergency stop cannot be latched in {place}"
                errors.append(unavailable(message, error, place / name))
                continue
            break
        return errors

    def update(self, stop: Stop) -> None:
        """Keep what has become known of a stop; never puts one in force or out of it."""
        for history in self._histories(stop):
            history.keep(stop)

    def withdraw(self, stop: Stop) -> None:
        """Take back a stop that was put in force by mistake a moment ago; raises StateUnavailable."""
        for held in self._held():
            if held.stop.stop_id == stop.stop_id:
                self._remove(held)

    def release(self, stop_id: str, by: str, standing: AbstractSet[str] | None = None) -> list[Stop]:
        """End one stop, or all (of those `standing`) when `stop_id` is empty; the stops that ended.

        They are in the history then.
        A file that could not be read is moved aside as evidence.  Raises NotFound for an id that is not in
        force and StateUnavailable if a file cannot be removed; what has not ended then is still in force.
        """
        wanted = [held for held in self._held() if stop_id in ("", held.stop.stop_id)]
        if stop_id and not wanted:
            known = ", ".join(stop.stop_id for stop in self.stops()) or "none"
            raise NotFound(
                f"no emergency stop {stop_id!r} is in force", hint=f"in force: {known}", target=stop_id
            )
        if not stop_id and standing is not None:
            wanted = [held for held in wanted if held.stop.stop_id in standing]
        now = self._clock.now()
        released: dict[str, Stop] = {}
        for held in wanted:
            complete = self._completed(held.stop)
            self._remove(held)
            ended = msgspec.structs.replace(complete, released_by=by, released_at=now)
            self.update(ended)
            released[f"{ended.stop_id} {held.path if ended.stop_id == UNREADABLE else ''}"] = ended
        return list(released.values())

    def history(self, limit: int) -> list[Stop]:
        """The newest stops, newest first, `limit` at most: released ones too."""
        found = {stop.stop_id: stop for stop in self.stops() if stop.stop_id != UNREADABLE}
        for history in self._histories():
            newest = history.newest(limit)
            found |= {
                stop.stop_id: stop
                for stop in newest
                if stop.stop_id not in found or found[stop.stop_id].released_at is None
            }
        return sorted(found.values(), key=lambda stop: stop.triggered_at, reverse=True)[:limit]

    def since(self) -> Since:
        """The stops that come from now on; loaded where something is changed, and not where it is stopped."""
        from dsmilctl.guard.since import Since

        return Since(self._histories())

    def _places_of(self, key: str) -> list[Path]:
        """Where the stops of a key lie, the first that can be written."""
        return [root / plain_name(key) for root in self._roots]

    def _histories(self, stop: Stop | None = None) -> list[History]:
        """The histories of this fleet, and those of every key that a stop has."""
        keys = dict.fromkeys((*self._keys, *(stop.fleets if stop else ())))
        return [
            History([place.with_name(f"{place.name}.history") for place in self._places_of(key)])
            for key in keys
        ]

    def _completed(self, stop: Stop) -> Stop:
        """The stop with what has become known of it since it was latched."""
        for history in self._histories(stop):
            if (found := history.completed(stop)) is not stop:
                return found
        return stop

    def _held(self) -> list[_Held]:
        return [held for place in self._places for held in self._in(place)]

    def _in(self, place: Path) -> list[_Held]:
        """The stops in one folder; its files are read again only when one of them is another than before."""
        try:
            marks = _marks(place)
        except FileNotFoundError:
            return []
        except OSError as error:
            return [_unreadable(place, error.strerror or str(error))]
        marked, held = self._seen.get(place, ([], []))
        if marks != marked:
            held = [found for mark in marks if (found := _read(place / mark[0])) is not None]
            self._seen[place] = (marks, held)
            if any(item.stop.stop_id == UNREADABLE for item in held):
                del self._seen[place]  # perhaps it can be read next time
        return held

    def _remove(self, held: _Held) -> None:
        try:
            if held.stop.stop_id == UNREADABLE:
                _set_aside(held.path, self._places)
                sync_folder(held.path.parent)
                return
            folders = {held.path.parent: None}
            for key in held.stop.fleets:
                folders |= dict.fromkeys(self._places_of(key))
            for folder in folders:
                _unlink(folder, held.path.name)
        except OSError as error:
            raise unavailable(
                f"the emergency stop in {held.path} cannot be released", error, held.path
            ) from error


def _marks(place: Path) -> list[_Mark]:
    """Every file that counts in a folder.  One that vanishes meanwhile has been released."""
    marks: list[_Mark] = []
    with os.scandir(place) as entries:
        for entry in entries:
            if not is_temporary(entry.name):
                with suppress(FileNotFoundError):
                    found = entry.stat(follow_symlinks=False)
                    marks.append((entry.name, found.st_ino, found.st_size, found.st_mtime_ns))
    return sorted(marks)


def _read(path: Path) -> _Held | None:
    """The stop in a file, nothing if it was released meanwhile."""
    try:
        content = unseal(_content(path).removesuffix(b"\n"))
        if content is None:
            return _unreadable(path, "its content is cut short or was changed")
        stop = _decoder.decode(content)
    except FileNotFoundError:
        return None
    except OSError as error:
        return _unreadable(path, error.strerror or str(error))
    except UNDECODABLE as error:
        return _unreadable(path, str(error))
    return _Held(stop, frozenset(stop.devices), path)


def _content(path: Path) -> bytes:
    """The file's bytes; a link is not followed, and what is no file holds nobody up."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.read(descriptor, os.fstat(descriptor).st_size + 1)
    finally:
        os.close(descriptor)


def _unreadable(path: Path, why: str) -> _Held:
    try:
        since = path.lstat().st_mtime_ns
    except OSError:
        since = 0
    reason = f"the latch {path} cannot be read, so everything counts as stopped: {why}"
    stop = Stop(stop_id=UNREADABLE, scope="all", reason=reason, triggered_by="", triggered_at=since)
    return _Held(stop, frozenset(), path)


def _write(path: Path, content: bytes, twin: Path) -> None:
    """Write a file for good, as another name of its twin where that is there: half the work for the disk."""
    if path != twin:
        with suppress(OSError):
            private_folder(path.parent)
            path.hardlink_to(twin)
            sync_folder(path.parent)
            return
    write_durably(path, content)


def _unlink(folder: Path, name: str) -> None:
    """Take a file out of a folder for good; it may be gone, and the folder, too."""
    if folder.is_dir():
        (folder / name).unlink(missing_ok=True)
        sync_folder(folder)


def _set_aside(path: Path, places: list[Path]) -> None:
    """Move what cannot be read out of the latch, beside it, under a name that is free."""
    place = path if path in places else path.parent
    aside = place.with_name(f"{place.name}.unreadable")
    private_folder(aside)
    count = 1
    while (target := aside / f"{path.name}-{count}").exists():
        count += 1
    with suppress(FileNotFoundError):
        path.rename(target)
