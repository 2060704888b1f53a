"""Series: the number that stands for a device and a register in every block of readings."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator

import pyarrow as pa

from dsmilctl.archive.blocks import Fields
from dsmilctl.model.device import DeviceId, show_id

Key = tuple[DeviceId, str, str]
INSERT = "INSERT OR IGNORE INTO series (series_id, device, register, unit) VALUES (?, ?, ?, ?)"


class Arrivals:
    """Gives every series a place, in the order in which they first came; `keys` are those that have one."""

    def __init__(self) -> None:
        self.keys: list[Key] = []
        self._known: dict[Key, int] = {}

    def of(self, fields: Fields) -> list[int]:
        """The place of each reading's series, in order."""
        return _looked_up(self._known, fields, self._new)

    def _new(self, key: Key) -> None:
        if key not in self._known:
            self._known[key] = len(self.keys)
            self.keys.append(key)


class SeriesNumbers:
    """Gives every device, register and unit its number; new ones have to be stored with their readings."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        rows = connection.execute("SELECT series_id, device, register, unit FROM series").fetchall()
        self._by_name = {(device, register, unit): number for number, device, register, unit in rows}
        self._next = max(self._by_name.values(), default=0) + 1
        self._known: dict[Key, int] = {}
        self._keys: list[Key] = []
        self._numbers = pa.array([], pa.int32())
        self.new: list[tuple[int, str, str, str]] = []

    def of(self, fields: Fields) -> list[int]:
        """The number of each reading's series, in order."""
        return _looked_up(self._known, fields, self.number)

    def of_keys(self, keys: list[Key]) -> pa.Array:
        """The number of each series, worked out anew only where the keys are others or more."""
        if keys is not self._keys or len(keys) > len(self._numbers):
            self._keys, self._numbers = keys, pa.array(map(self.number, keys), pa.int32())
        return self._numbers

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


def _looked_up(known: dict[Key, int], fields: Fields, learn: Callable[[Key], object]) -> list[int]:
    """What is known of each reading's series, in order; what is not known yet is learnt before."""
    try:
        return list(map(known.__getitem__, _keys(fields)))
    except KeyError:
        for key in dict.fromkeys(_keys(fields)):
            learn(key)
    return list(map(known.__getitem__, _keys(fields)))


def _keys(fields: Fields) -> Iterator[Key]:
    """What names the series of each reading; no list of it, as making one takes longer than the look-up."""
    return zip(fields["device_id"], fields["register"], fields["unit"], strict=True)
