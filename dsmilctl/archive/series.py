"""Series: the number that stands for a device and a register in every block of readings."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from operator import attrgetter

from dsmilctl.model.device import DeviceId, show_id
from dsmilctl.model.reading import Reading

Key = tuple[DeviceId, str, str]
_device, _register, _unit = attrgetter("device_id"), attrgetter("register"), attrgetter("unit")
INSERT = "INSERT OR IGNORE INTO series (series_id, device, register, unit) VALUES (?, ?, ?, ?)"


class SeriesNumbers:
    """Gives every device, register and unit its number; new ones have to be stored with their readings."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        rows = connection.execute("SELECT series_id, device, register, unit FROM series").fetchall()
        self._by_name = {(device, register, unit): number for number, device, register, unit in rows}
        self._next = max(self._by_name.values(), default=0) + 1
        self._known: dict[Key, int] = {}
        self.new: list[tuple[int, str, str, str]] = []

    def of(self, readings: Sequence[Reading]) -> list[int]:
        """The number of each reading's series, in order."""
        try:
            return list(map(self._known.__getitem__, keys(readings)))
        except KeyError:
            for key in dict.fromkeys(keys(readings)):
                self.number(key)
        return list(map(self._known.__getitem__, keys(readings)))

    def number(self, key: Key) -> int:
        """The number of one series."""
        if key not in self._known:
            self._known[key] = self._number(key)
        return self._known[key]

    def stored(self) -> None:
        """Everything new is on the disk."""
        self.new.clear()

    def _number(self, key: Key) -> int:
        device, register, unit = key
        name = (_text(show_id(device)), _text(register), _text(unit))
        found = self._by_name.get(name)
        if found is None:
            found = self._by_name[name] = self._next
            self._next += 1
            self.new.append((found, *name))
        return found


def _text(name: str) -> str:
    """A name that UTF-8 can hold: a lone surrogate in it is written out."""
    return name.encode("utf-8", "backslashreplace").decode()


def keys(readings: Sequence[Reading]) -> Iterator[Key]:
    """What names the series of each reading; no list of it, as making one takes longer than the look-up."""
    return zip(map(_device, readings), map(_register, readings), map(_unit, readings), strict=True)
