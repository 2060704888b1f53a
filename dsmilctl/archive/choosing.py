"""Choosing: which devices, registers and recording of an archive a question names."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from dsmilctl.archive.asking import Wanted
from dsmilctl.archive.recording import find
from dsmilctl.errors import InvalidParameter, nearest
from dsmilctl.model.device import Device, DeviceId, DeviceState, DeviceStatus, Risk, show_id
from dsmilctl.model.selector import parse_selector, select


class Chosen(msgspec.Struct, frozen=True):
    """What a question names, as it is written in the archive; None is all of them.

    `recording` is an id, or empty; `since` and `until` are nanoseconds UTC, inclusive.
    """

    devices: tuple[str, ...] | None
    registers: tuple[str, ...] | None
    recording: str
    since: int | None
    until: int | None

    def among(self, first: int, last: int) -> Chosen:
        """The same without a bound that nothing from `first` to `last` lies beyond: it would be looked at."""
        since = self.since if self.since is not None and self.since > first else None
        until = self.until if self.until is not None and self.until < last else None
        return msgspec.structs.replace(self, since=since, until=until)


def choose(store: sqlite3.Connection, wanted: Wanted) -> Chosen:
    """Find what is asked for; raises DeviceNotFound, InvalidParameter or NotFound for what there is not."""
    recording = find(store, wanted.recording).recording_id if wanted.recording else ""
    devices: tuple[str, ...] | None = wanted.devices or None
    if wanted.selector not in ("", "@all"):
        devices = (*wanted.devices, *_devices(store, wanted.selector))
    registers = _registers(store, wanted.registers) if wanted.registers else None
    return Chosen(devices, registers, recording, wanted.since, wanted.until)


def _devices(store: sqlite3.Connection, selector: str) -> tuple[str, ...]:
    """The devices with readings that a selector names; groups and risks are those of the 84."""
    parsed = parse_selector(selector)
    if parsed.only_id is not None and _is_recorded(store, name := show_id(parsed.only_id)):
        return (name,)
    found = select(parsed, recorded_devices(store), _status, quarantined=True)
    return tuple(show_id(device.device_id) for device in found)


def _is_recorded(store: sqlite3.Connection, name: str) -> bool:
    """Whether a device of exactly this id has readings; found by an index, however many devices there are."""
    return store.execute("SELECT 1 FROM series WHERE device = ? LIMIT 1", (name,)).fetchone() is not None


def recorded_devices(store: sqlite3.Connection) -> list[Device]:
    """Every device that has readings in an archive."""
    rows = store.execute("SELECT hex_id, device_name, device_group, risk_level FROM device_definitions")
    known = {row[0]: row[1:] for row in rows}
    names = store.execute("SELECT DISTINCT device FROM series ORDER BY device")
    return [device_named(name, known.get(name)) for (name,) in names]


def device_named(name: str, known: tuple[Any, ...] | None) -> Device:
    """A device as an archive knows it: by its name, and what is `known` of one of the 84."""
    numbered = name.startswith("0x") and re.fullmatch(r"0x[0-9A-F]{4,}", name)
    identity = int(name, 16) if numbered else name
    if known is None:
        return Device(identity, name, "")
    return Device(identity, known[0], "", group=str(known[1]), risk=Risk(known[2]))


def _status(device_id: DeviceId) -> DeviceStatus:
    """An archive does not know how a device is now."""
    return DeviceStatus(device_id, DeviceState.UNKNOWN)


def _registers(store: sqlite3.Connection, wanted: Sequence[str]) -> tuple[str, ...]:
    """The registers of those names, in any case."""
    known = [row[0] for row in store.execute("SELECT DISTINCT register FROM series")]
    for name in wanted:
        if name.casefold() not in map(str.casefold, known):
            hint = nearest(name, known) or f"registers: {', '.join(known[:12])}"
            raise InvalidParameter(f"no register {name!r} in this archive", hint=hint, target=name)
    folded = {name.casefold() for name in wanted}
    return tuple(name for name in known if name.casefold() in folded)
