"""Probing: what a client tells of a token and of temperatures at one moment."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Sequence

import msgspec

from dsmilctl.archive.tokens import FIRST
from dsmilctl.client.interface import Client
from dsmilctl.model.device import Device
from dsmilctl.model.reading import Reading
from dsmilctl.model.register import Register

FIRST_DEVICE = 0x8000
"""The DSMIL device of token 0x480; the others follow in the same order."""

CRITICAL, WARNING, EMERGENCY_ABOVE = 100.0, 85.0, 5.0
"""°C: where a sensor is critical, where it warns unless it names a limit, and the step to an emergency."""

THERMAL_ROW = """INSERT INTO thermal_readings (test_id, session_id, reading_timestamp, sensor_name,
  temperature_celsius, critical_temp, warning_temp, thermal_state, created_at)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""


class Temperature(msgspec.Struct, frozen=True):
    """One sensor at one moment (nanoseconds UTC); temperature and the limit at which it warns in °C."""

    sensor: str
    timestamp: int
    celsius: float
    warning: float = WARNING

    @property
    def critical(self) -> float:
        """°C from which the sensor is critical: never below its own warning."""
        return max(CRITICAL, self.warning)

    @property
    def state(self) -> str:
        """normal, warning, critical or emergency."""
        if self.celsius >= self.critical + EMERGENCY_ABOVE:
            return "emergency"
        if self.celsius >= self.critical:
            return "critical"
        return "warning" if self.celsius >= self.warning else "normal"

    def row(self, recording_id: str, test_id: int | None) -> tuple[object, ...]:
        """The row of `thermal_readings`."""
        return (
            test_id, recording_id, self.timestamp, self.sensor, self.celsius, self.critical,
            self.warning, self.state, self.timestamp,
        )  # fmt: skip


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """What was read for a test: the token's value as text, where it came from, and temperatures."""

    value: str | None = None
    source: str = ""
    temperatures: tuple[Temperature, ...] = ()


async def probe(client: Client, token_id: int) -> Probe:
    """Read a token and the temperatures around it.

    The token is a register of the host's SMBIOS tokens where the context has them (what libsmbios tells, else
    what the kernel's table says), else the default register of the DSMIL device in the token's place, which
    is not asked where it is quarantined.  Temperatures are those of that device and of all sensors that have
    a name.  What cannot be read is left out.
    """
    devices = await client.devices(quarantined=True)
    found = _place_of(devices, token_id)
    value, source = None, ""
    if found is not None and not found[0].quarantined:
        device, register = found
        value = _text(register, (await client.read([device], [register.name]))[0])
        source = f"{device.shown_id} {register.name}" if value is not None else ""
    return Probe(value=value, source=source, temperatures=await _temperatures(client, devices, found))


def _place_of(devices: Sequence[Device], token_id: int) -> tuple[Device, Register] | None:
    for name in (f"0x{token_id:04X}", f"0x{token_id:04X}_value"):
        for device in devices:
            for register in device.registers:
                if register.name == name:
                    return device, register
    for device in devices:
        if device.device_id == FIRST_DEVICE + token_id - FIRST:
            for register in device.registers:
                if register.name == device.default_register:
                    return device, register
    return None


def _text(register: Register, reading: Reading) -> str | None:
    if reading.value is None or not reading.good:
        return None
    return register.format(reading.value) if register.hexadecimal else str(reading.value)


async def _temperatures(
    client: Client, devices: Iterable[Device], found: tuple[Device, Register] | None
) -> tuple[Temperature, ...]:
    own = found[0] if found else None
    told: list[Temperature] = []
    for device in devices:
        warm = {item.name: item for item in device.registers if item.unit == "°C" and item.readable}
        if not warm or device.quarantined or not (device is own or isinstance(device.device_id, str)):
            continue
        for reading in await client.read([device], list(warm)):
            if reading.good and isinstance(reading.value, int | float) and math.isfinite(reading.value):
                sensor = f"{device.shown_id} {reading.register}"
                limit = warm[reading.register].high
                warning = WARNING if limit is None else limit
                told.append(Temperature(sensor, reading.timestamp, float(reading.value), warning))
    return tuple(told)


def keep_temperatures(
    connection: sqlite3.Connection, found: Probe, recording_id: str, test_id: int, *, before: int = 0
) -> None:
    """Put temperatures into the archive, tied to a test.

    With `before` (nanoseconds UTC) no later than just before that: what was read ahead of a test.
    """
    for item in found.temperatures:
        timestamp = min(item.timestamp, before - 1) if before else item.timestamp
        kept = msgspec.structs.replace(item, timestamp=timestamp)
        connection.execute(THERMAL_ROW, kept.row(recording_id, test_id))
