"""Latch: the emergency stops in force, one small file each, so that a stop outlives the process it came from.

A stop is in force as long as its file lies in the fleet's folder; a file that cannot be read counts as a stop
of everything.  Engaging is one atomic rename and waits for no lock.  What devices answered lies beside it, in
the history, so that the file that is read before every write stays small.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.errors import NotFound, StateUnavailable
from dsmilctl.guard.files import plain_name, unavailable
from dsmilctl.guard.history import History
from dsmilctl.guard.latch_files import (
    UNREADABLE,
    Held,
    Mark,
    content_of,
    file_name,
    held_by,
    is_there,
    leads_nowhere,
    marks,
    set_aside,
    unlink,
    unreadable,
    write,
)
from dsmilctl.model.device import DeviceId
from dsmilctl.model.emergency import Stop

if TYPE_CHECKING:
    from dsmilctl.guard.since import Since

__all__ = ["UNREADABLE", "Latch"]

LOGGER = logging.getLogger("dsmilctl.guard")
AGAIN = 1.0
"""Seconds after which it is tried anew to copy a stop to a folder that did not take it."""


def _unheard(stop: Stop) -> None:
    """Tell nobody that a stop has ended."""
    del stop


class Latch:
    """The stops of one fleet.

    They lie in `folder`/`fleet`, or in each `fallback`/`fleet` (runtime folders, mostly in memory) when the
    first cannot be written.  All are looked at, and so is `foreign`, which is never written.  A stop that is
    found in these alone is copied to the first as soon as that can be written.  A fleet that is known by
    several keys has all of them in `also`: a stop lies under each, so that whoever knows the fleet by one of
    them sees it, and can release it for all.
    """

    def __init__(
        self,
        folder: Path,
        fleet: str,
        fallback: Path | Sequence[Path] = (),
        clock: Clock = SYSTEM,
        *,
        also: Sequence[str] = (),
        foreign: Sequence[Path] = (),
    ) -> None:
        self._folder = folder
        self._fallbacks = [fallback] if isinstance(fallback, Path) else list(fallback)
        self._roots = [folder, *self._fallbacks, *foreign]
        self._keys = (fleet, *also)
        self._names = list(dict.fromkeys(plain_name(key) for key in self._keys))
        self._places = {root: [root / name for name in self._names] for root in self._roots}
        self._clock = clock
        self._seen: dict[Path, tuple[list[Mark], list[Held]]] = {}
        self._tried: float | None = None

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

        Answers why it had to go to a fallback, and to which (empty: it did not).  Raises StateUnavailable if
        it could be written nowhere.
        """
        keys = self._keys if len(self._keys) > 1 else ()
        name, content = file_name(stop), content_of(msgspec.structs.replace(stop, fleets=keys))
        refused: list[StateUnavailable] = []
        took: dict[Path, None] = {}
        for key in self._names:
            if error := self._put(self._folder, key, name, content):
                errors = {root: self._put(root, key, name, content) for root in self._fallbacks}
                refused += [error, *(other for other in errors.values() if other)]
                took |= dict.fromkeys(root for root, other in errors.items() if other is None)
            else:
                took[self._folder] = None
        if not took:
            raise refused[0]
        where = ", ".join(str(root) for root in took if root != self._folder)
        return f"{refused[0].message}; it lies in {where or self._folder}" if refused else ""

    def _put(self, root: Path, key: str, name: str, content: bytes) -> StateUnavailable | None:
        """Write a stop under a key; why that cannot be.

        Above our own folder of a fallback none is made: what the system mounts there later would hide it.
        """
        path = root / key / name
        try:
            if root in self._fallbacks:
                os.stat(root.parents[1])  # noqa: PTH116 - the error alone is wanted
            write(path, content, root / self._names[0] / name)
        except OSError as error:
            return unavailable(f"the emergency stop cannot be latched in {path.parent}", error, path)
        return None

    def update(self, stop: Stop) -> None:
        """Keep what has become known of a stop; never puts one in force or out of it."""
        for history in self._histories(stop):
            history.keep(stop)

    def withdraw(self, stop: Stop) -> None:
        """Take back a stop that was put in force by mistake a moment ago; raises StateUnavailable."""
        for held in self._held():
            if held.stop.stop_id == stop.stop_id:
                self._remove(held)

    def release(
        self,
        stop_id: str,
        by: str,
        standing: AbstractSet[str] | None = None,
        ended: Callable[[Stop], None] = _unheard,
    ) -> list[Stop]:
        """End one stop, or all (of those `standing`) when `stop_id` is empty; the stops that ended.

        They are in the history first: whoever looks there for what came and went misses none.  As long as its
        file is there a stop is in force, whatever the history says.  A file that could not be read is moved
        aside as evidence.  Raises NotFound for an id that is not in force and StateUnavailable if a file
        cannot be removed; what has not ended then is still in force, and `ended` heard of each that has.
        """
        wanted = [held for held in self._held() if stop_id in ("", held.stop.stop_id)]
        if stop_id and not wanted:
            known = ", ".join(stop.stop_id for stop in self.stops()) or "none"
            raise NotFound(
                f"no emergency stop {stop_id!r} is in force", hint=f"in force: {known}", target=stop_id
            )
        if not stop_id and standing is not None:
            wanted = [held for held in wanted if held.stop.stop_id in standing]
        released: dict[str, Stop] = {}
        for held in wanted:
            key = held.stop.stop_id if held.readable else str(held.path)
            if key not in released:
                released[key] = self._end(held, by)
                ended(released[key])
        return list(released.values())

    def _end(self, held: Held, by: str) -> Stop:
        """End one stop, wherever it lies."""
        complete = self._completed(held.stop)
        ended = msgspec.structs.replace(complete, released_by=by, released_at=self._clock.now())
        self.update(ended)
        self._remove(held)
        return ended

    def history(self, limit: int) -> list[Stop]:
        """The newest stops, newest first, `limit` at most: released ones too."""
        held = self._held()
        standing = {(item.stop.triggered_at, item.stop.stop_id) for item in held}
        found = {item.stop.stop_id: self._completed(item.stop) for item in held if item.readable}
        for history in self._histories():
            for stop in history.newest(limit):
                known = found.get(stop.stop_id)
                ended = known is None or known.released_at is None
                if ended and (stop.triggered_at, stop.stop_id) not in standing:
                    found[stop.stop_id] = stop
        return sorted(found.values(), key=lambda stop: stop.triggered_at, reverse=True)[:limit]

    def since(self) -> Since:
        """The stops that come from now on; loaded where something is changed, and not where it is stopped."""
        from dsmilctl.guard.since import Since

        return Since(self._histories())

    def _histories(self, stop: Stop | None = None) -> list[History]:
        """The histories of this fleet, and those of every key that a stop has."""
        names = dict.fromkeys((*self._names, *(plain_name(key) for key in (stop.fleets if stop else ()))))
        roots = [self._folder, *(root for root in self._fallbacks if is_there(root.parents[1]))]
        return [History([root / f"{name}.history" for root in roots]) for name in names]

    def _completed(self, stop: Stop) -> Stop:
        """The stop with what has become known of it since it was latched."""
        for history in self._histories(stop):
            if (found := history.completed(stop)) is not stop:
                return found
        return stop

    def _held(self) -> list[Held]:
        """What lies in every place; what lies in none but a fallback is copied to where it belongs."""
        first = self._below(self._folder)
        others = [held for root in self._roots[1:] if is_there(root) for held in self._below(root)]
        if others:
            known = {held.stop.stop_id for held in first}
            self._adopt([held for held in others if held.readable and held.stop.stop_id not in known])
        return [*first, *others]

    def _below(self, root: Path) -> list[Held]:
        return [held for place in self._places[root] for held in self._in(place)]

    def _in(self, place: Path) -> list[Held]:
        """The stops in one folder; its files are read again only when one of them is another than before."""
        try:
            found = marks(place)
        except FileNotFoundError:
            return [unreadable(place, "a link in its path leads nowhere")] if leads_nowhere(place) else []
        except OSError as error:
            return [unreadable(place, error.strerror or str(error))]
        marked, held = self._seen.get(place, ([], []))
        if found != marked:
            held = held_by(place, found)
            if all(item.readable for item in held):  # what cannot be read is perhaps read next time
                self._seen[place] = (found, held)
        return held

    def _adopt(self, found: list[Held]) -> None:
        """Copy stops to where they should lie; where that does not go it is tried again after a while."""
        now = self._clock.monotonic()
        if not found or (self._tried is not None and now - self._tried < AGAIN):
            return
        self._tried = now
        for held in found:
            try:
                self._copy(held)
            except OSError as error:
                LOGGER.debug("%s lies in %s alone: %s", held.stop.stop_id, held.path.parent, error)

    def _copy(self, held: Held) -> None:
        """Write a stop that lies in a fallback under all of its keys, that of its folder last.

        Who releases it meanwhile says so in the history, takes it out of the fallback, and at last out of
        here: where the first two are so, the third may have been before this.  Raises OSError.
        """
        name, content = held.path.name, content_of(held.stop)
        keys = [plain_name(key) for key in held.stop.fleets if plain_name(key) != held.path.parent.name]
        folders = [self._folder / key for key in (*keys, held.path.parent.name)]
        for folder in folders:
            write(folder / name, content, folders[0] / name)
        if not is_there(held.path) and any(item.ended(held.stop) for item in self._histories(held.stop)):
            for folder in folders:
                unlink(folder, name)
            return
        LOGGER.warning("%s lay in %s alone, and is in %s now", held.stop.stop_id, held.path, self._folder)

    def _remove(self, held: Held) -> None:
        """Take a stop out of every place, its own folder last; raises StateUnavailable."""
        try:
            if not held.readable:
                set_aside(held.path, [place for places in self._places.values() for place in places])
                return
            keys = (plain_name(key) for key in held.stop.fleets)
            names = dict.fromkeys((*self._names, *keys, held.path.parent.name))
            for folder in (root / name for root in reversed(self._roots) for name in names):
                unlink(folder, held.path.name)
        except OSError as error:
            raise unavailable(
                f"the emergency stop in {held.path} cannot be released", error, held.path
            ) from error
