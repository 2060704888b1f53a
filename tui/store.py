"""Store: what the dashboard knows of a fleet.

Written by the feed's thread alone and read by the widgets: every cell holds one frozen value, so a reader
sees the one before or the one after, never half of one.  Nothing here loops over the whole fleet per tick.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

import msgspec
from rich.cells import cell_len

from dsmilctl.clock import Clock
from dsmilctl.model.device import Device, DeviceId, DeviceState, DeviceStatus
from dsmilctl.model.emergency import Stop
from dsmilctl.model.reading import Batch, Quality, Reading
from dsmilctl.model.register import Register, find_register
from dsmilctl.tui.ring import Ring

KEY_COLUMNS = 2
MIXED_TITLES = ("READING", "ANOTHER")
LONGEST_NAME = 60
"""Cells beyond which the name of a device gets no more room."""


class Condition(StrEnum):
    """What a row says of its device, worst first."""

    QUARANTINE = "quarantine"
    ERROR = "error"
    STALE = "stale"
    WAITING = "waiting"
    ALARM = "alarm"
    GOOD = "good"


class KeyColumn(msgspec.Struct, frozen=True):
    """One column of key registers: `mixed` when the devices show different registers in it."""

    title: str
    mixed: bool


class FleetStore:
    """Devices, their states and their newest key readings, by row."""

    def __init__(self, devices: Sequence[Device], statuses: Sequence[DeviceStatus], clock: Clock) -> None:
        self.clock = clock
        self.devices = tuple(devices)
        self.row_of: dict[DeviceId, int] = {device.device_id: row for row, device in enumerate(self.devices)}
        self.statuses: list[DeviceStatus] = list(statuses)
        self.keys: list[tuple[Register, ...]] = _key_registers(self.devices)
        self._places = _places(self.keys)
        self.columns = _columns(self.keys)
        names = (cell_len(device.name[:LONGEST_NAME]) for device in self.devices)
        self.longest_name = min(LONGEST_NAME, max(names, default=0))
        self.readings: list[list[Reading | None]] = [[None] * len(self.devices) for _ in self.columns]
        self.rings: list[Ring | None] = [None] * len(self.devices)
        self.quarantined = sum(device.quarantined for device in self.devices)
        self.failing: set[int] = set()
        self.problems: dict[int, str] = {}
        self._beyond: list[set[int]] = [set() for _ in self.columns]
        self.stops: tuple[Stop, ...] = ()
        self.stopped: frozenset[DeviceId] = frozenset()
        self.all_stopped = False
        self.missed = 0
        self.gaps = 0
        self.reached_at: float | None = None
        self._alone: dict[int, float] = {}
        self._dirty: set[int] = set()

    def take(self, batch: Batch) -> None:
        """Note what one tick brought."""
        now = self.clock.monotonic()
        if not batch.partial:
            self._take_reach(batch, now)
        second = int(now)
        for reading in batch.readings:
            row = self.row_of.get(reading.device_id)
            if row is not None:
                self._take_reading(row, reading, second)
                if batch.partial and reading.value is not None:
                    self._alone[row] = now
        self._take_failures(batch)

    def _take_reach(self, batch: Batch, now: float) -> None:
        before = self.reached_at
        self.reached_at = now
        alone = {self.row_of[device] for device in (*batch.failed, *batch.pending) if device in self.row_of}
        for row in alone - self._alone.keys():
            if before is not None:
                self._alone[row] = before
        for row in self._alone.keys() - alone:
            del self._alone[row]
            self._dirty.add(row)

    def _take_reading(self, row: int, reading: Reading, second: int) -> None:
        place = self._places[row].get(reading.register)
        if place is None:
            return
        self._dirty.add(row)
        if reading.value is None:
            self.problems[row] = reading.error_code or reading.error
            return
        self.readings[place][row] = reading
        if place == 0 and isinstance(reading.value, int | float):
            self._ring(row).put(second, float(reading.value), held_until=self._held_until(row, second))
        if self.beyond(row, place):
            self._beyond[place].add(row)
        else:
            self._beyond[place].discard(row)

    def _ring(self, row: int) -> Ring:
        ring = self.rings[row]
        if ring is None:
            ring = self.rings[row] = Ring()
        return ring

    def _held_until(self, row: int, second: int) -> int:
        return int(self._alone[row]) if row in self.failing and row in self._alone else second - 1

    @property
    def alarms(self) -> set[int]:
        """The rows with a key reading beyond its alarm limits."""
        return set().union(*self._beyond)

    def _take_failures(self, batch: Batch) -> None:
        failed = {self.row_of[device] for device in batch.failed if device in self.row_of}
        if batch.partial:
            answered = {
                self.row_of[item.device_id] for item in batch.readings if item.device_id in self.row_of
            }
            failing = (self.failing - answered) | failed
        else:
            pending = {self.row_of[device] for device in batch.pending if device in self.row_of}
            failing = failed | (self.failing & pending)
        for row in self.failing ^ failing:
            self._dirty.add(row)
            if row not in failing:
                self.problems.pop(row, None)
        self.failing = failing

    def changed_failures(self, before: Iterable[int]) -> list[Device]:
        """The devices that began or ceased to fail since `before`: their state is worth asking for."""
        return [self.devices[row] for row in self.failing ^ set(before)]

    def take_statuses(self, statuses: Iterable[DeviceStatus]) -> None:
        """Note lifecycle states."""
        for status in statuses:
            row = self.row_of.get(status.device_id)
            if row is not None:
                if self.statuses[row].state is not status.state:
                    self._dirty.add(row)
                self.statuses[row] = status

    def take_stops(self, stops: Sequence[Stop]) -> bool:
        """Note the stops in force; whether anything changed."""
        if tuple(stops) == self.stops:
            return False
        self.stops = tuple(stops)
        self.all_stopped = any(not stop.devices for stop in stops)
        self.stopped = frozenset(device for stop in stops for device in stop.devices)
        return True

    def add_stop(self, stop: Stop) -> None:
        """Note a stop that is in force now."""
        if all(known.stop_id != stop.stop_id for known in self.stops):
            self.take_stops((*self.stops, stop))

    def drain(self) -> frozenset[int]:
        """The rows that changed since the last call."""
        dirty, self._dirty = self._dirty, set()
        return frozenset(dirty)

    def counts(self) -> dict[str, Any]:
        """What a snapshot says of the fleet; the rows that changed are handed over."""
        failing = len(self.failing)
        polled = len(self.devices) - self.quarantined
        return {
            "devices": len(self.devices),
            "good": max(0, polled - failing) if self.reached_at is not None else 0,
            "stale": failing,
            "alarms": len(self.alarms),
            "quarantined": self.quarantined,
            "gaps": self.gaps,
            "missed": self.missed,
            "stops": self.stops,
            "changed": self.drain(),
        }

    def condition(self, row: int, *, live: bool) -> Condition:
        """What the row says; `live` is whether the stream as a whole is."""
        if self.devices[row].quarantined:
            return Condition.QUARANTINE
        if self.statuses[row].state is DeviceState.ERROR:
            return Condition.ERROR
        if row in self.failing or (not live and self.reached_at is not None):
            return Condition.STALE
        if self.reached_at is None or not any(cells[row] for cells in self.readings):
            return Condition.WAITING
        return Condition.ALARM if any(row in rows for rows in self._beyond) else Condition.GOOD

    def is_stopped(self, row: int) -> bool:
        """Whether an emergency stop holds the device."""
        return self.all_stopped or self.devices[row].device_id in self.stopped

    def age(self, row: int, now: float) -> float | None:
        """Seconds since the device was last known to be as shown; None when it never was."""
        if self.devices[row].quarantined or not any(cells[row] for cells in self.readings):
            return None
        since = self._alone.get(row, self.reached_at)
        return None if since is None else max(0.0, now - since)

    def spark_second(self, row: int, now: float) -> int:
        """The second up to which the row's minute is known, after holding what did not change."""
        ring, age = self.rings[row], self.age(row, now)
        if ring is not None and age is not None:
            ring.hold(int(now - age))
        return int(now)

    def beyond(self, row: int, place: int) -> bool:
        """Whether a key reading lies beyond the alarm limits of its register, or cannot be."""
        reading = self.readings[place][row]
        if reading is None or isinstance(reading.value, str) or reading.value is None:
            return False
        register, value = self.keys[row][place], reading.value
        if register.low is not None and value < register.low:
            return True
        return (register.high is not None and value > register.high) or reading.quality is not Quality.GOOD


def _key_registers(devices: Sequence[Device]) -> list[tuple[Register, ...]]:
    known: dict[tuple[int, tuple[str, ...]], tuple[Register, ...]] = {}
    keys = []
    for device in devices:
        names = (device.key_registers or (device.default_register,))[:KEY_COLUMNS]
        mark = (id(device.registers), names)
        if mark not in known:
            known[mark] = tuple(find_register(device.registers, name) for name in names if name)
        keys.append(known[mark])
    return keys


def _places(keys: Sequence[tuple[Register, ...]]) -> list[dict[str, int]]:
    known: dict[tuple[str, ...], dict[str, int]] = {}
    places = []
    for registers in keys:
        names = tuple(register.name for register in registers)
        places.append(known.setdefault(names, {name: place for place, name in enumerate(names)}))
    return places


def _columns(keys: Sequence[tuple[Register, ...]]) -> tuple[KeyColumn, ...]:
    columns = []
    for place in range(max((len(registers) for registers in keys), default=0)):
        names = Counter(registers[place].name for registers in keys if len(registers) > place)
        mixed = len(names) > 1
        columns.append(KeyColumn(MIXED_TITLES[place] if mixed else next(iter(names)), mixed))
    return tuple(columns)
