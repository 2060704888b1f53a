"""Probing: what a client tells of a token and of temperatures at one moment."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from dsmilctl.archive.heat import Sensor, number_of, sensors_of
from dsmilctl.archive.tokens import FIRST
from dsmilctl.client.interface import Client
from dsmilctl.model.device import Device
from dsmilctl.model.reading import Reading
from dsmilctl.model.register import Register

FIRST_DEVICE = 0x8000
"""The DSMIL device of token 0x480; the others follow in the same order."""

CRITICAL = 100.0
"""°C from which a sensor is critical that names no limit of its own."""

THERMAL_ROW = """INSERT INTO thermal_readings (test_id, session_id, reading_timestamp, sensor_name,
  temperature_celsius, critical_temp, warning_temp, thermal_state, created_at)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""


class Temperature(msgspec.Struct, frozen=True):
    """One sensor at one moment (nanoseconds UTC), in °C."""

    sensor: Sensor
    timestamp: int
    celsius: float

    def row(self, recording_id: str, test_id: int | None) -> tuple[object, ...]:
        """The row of `thermal_readings`."""
        return (
            test_id, recording_id, self.timestamp, self.sensor.name, self.celsius, self.sensor.critical,
            self.sensor.warning, self.sensor.state(self.celsius), self.timestamp,
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
    return Probe(
        value=value,
        source=source,
        temperatures=await _temperatures(client, devices, found[0] if found else None),
    )


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
    client: Client, devices: Sequence[Device], own: Device | None
) -> tuple[Temperature, ...]:
    asked = {device.device_id: device for device in devices if _may_be_asked(device, own)}
    told: list[Temperature] = []
    for sensor in sensors_of(list(asked.values()), CRITICAL):
        (reading,) = await client.read([asked[sensor.key.device_id]], [sensor.key.register])
        celsius = number_of(reading)
        if celsius is not None:
            told.append(Temperature(sensor, reading.timestamp, celsius))
    return tuple(told)


def _may_be_asked(device: Device, own: Device | None) -> bool:
    return not device.quarantined and (device is own or isinstance(device.device_id, str))


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
