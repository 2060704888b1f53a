"""Heat: the temperature sensors of a fleet, and from which temperature on each is too warm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from dsmilctl.model.device import Device, DeviceId
from dsmilctl.model.reading import Reading
from dsmilctl.model.register import Register

CELSIUS, SPEED = "°C", "RPM"
STATES = ("normal", "warning", "critical", "emergency")
"""Steps of heat, rising."""


class Key(NamedTuple):
    """One register of one device."""

    device_id: DeviceId
    register: str


class Sensor(msgspec.Struct, frozen=True):
    """One temperature: where each step begins in °C, and the fans that blow on the same chip.

    `critical` is the sensor's own limit, or what was given for those that name none.
    """

    key: Key
    name: str
    critical: float
    warning: float | None = None
    emergency: float | None = None
    fans: tuple[Key, ...] = ()

    def state(self, temperature: float) -> str:
        """One of STATES."""
        steps = zip(STATES, (-math.inf, self.warning, self.critical, self.emergency), strict=True)
        return [name for name, begin in steps if begin is not None and temperature >= begin][-1]


def sensors_of(devices: Sequence[Device], critical: float) -> list[Sensor]:
    """Every temperature of the devices; `critical` is for those that name no limit, in °C."""
    return [
        _sensor(device, register, critical)
        for device in devices
        for register in device.registers
        if register.unit == CELSIUS and register.readable and register.access == "ro"
    ]


def _sensor(device: Device, register: Register, critical: float) -> Sensor:
    """A limit beyond `critical` that only warns is the sensor's own, too: an oven is made to be hot."""
    facts = dict(device.facts)
    named = {word: _number(facts.get(f"{register.name}.{word}", "")) for word in STATES[1:]}
    warning = register.high if named["warning"] is None else named["warning"]
    limit = named["critical"]
    if limit is None:
        limit = max(critical, warning or critical)
    if warning is not None and warning >= limit:
        warning = None
    fans = tuple(Key(device.device_id, item.name) for item in device.registers if item.unit == SPEED)
    name = f"{device.shown_id} {register.name}"
    return Sensor(Key(device.device_id, register.name), name, limit, warning, named["emergency"], fans)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def number_of(reading: Reading | None) -> float | None:
    """The value of a reading as a number that can be trusted, else None."""
    if reading is None or not reading.good or not isinstance(reading.value, int | float):
        return None
    return float(reading.value) if math.isfinite(reading.value) else None
