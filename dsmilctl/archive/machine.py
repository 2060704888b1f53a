"""Machine: what the machine under a recording does, second by second: load, memory, disk, temperatures."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from dsmilctl.archive.heat import CELSIUS, SPEED, Key, Sensor, number_of, sensors_of
from dsmilctl.archive.schedule import every
from dsmilctl.archive.writer import Writer
from dsmilctl.client.interface import Client
from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.model.device import Device
from dsmilctl.model.reading import Reading

METRICS = {
    "cpu_percent": ("cpu", "usage", 1.0),
    "memory_percent": ("memory", "used_percent", 1.0),
    "memory_available_gb": ("memory", "available", 1e-9),
    "disk_usage_percent": ("disk:/", "used_percent", 1.0),
    "system_load_1min": ("load", "load1", 1.0),
    "system_load_5min": ("load", "load5", 1.0),
    "system_load_15min": ("load", "load15", 1.0),
    "uptime_hours": ("processes", "uptime", 1 / 3600),
    "process_count": ("processes", "count", 1.0),
}
"""Column of `system_metrics` → device of the host driver, register, and what makes its unit the column's."""

THROTTLES = ("core_throttles", "package_throttles")
COOLER = "processor"
"""The cooling devices that slow the processor."""

Seen = Callable[[Sensor, Reading], Awaitable[None]]


class MachineMonitor:
    """Looks at the host driver's devices and keeps what it finds; `seen` is told every temperature."""

    def __init__(
        self,
        client: Client,
        writer: Writer,
        devices: Sequence[Device],
        *,
        interval: float,
        critical: float,
        seen: Seen,
        clock: Clock = SYSTEM,
    ) -> None:
        self._client = client
        self._writer = writer
        self._interval = interval
        self._clock = clock
        self._seen = seen
        self._sensors = sensors_of(devices, critical)
        self._wanted = [(device, names) for device in devices if (names := _names(device))]
        self._throttles: dict[Key, float] = {}

    async def run(self) -> None:
        """Look for ever."""
        await every(self._interval, self.look, self._clock)

    async def look(self) -> None:
        """One row of metrics, and one for each sensor that has a value."""
        found: dict[Key, Reading] = {}
        for device, names in self._wanted:
            answers = await self._client.read([device], names)
            found |= {Key(answer.device_id, answer.register): answer for answer in answers}
        now = self._clock.now()
        self._writer.rows("system_metrics", [(self._writer.recording_id, now, *_metrics(found), now)])
        throttled = self._throttled(found)
        for sensor in self._sensors:
            reading = found.get(sensor.key)
            temperature = number_of(reading)
            if reading is None or temperature is None:
                continue
            row = (
                self._writer.recording_id, reading.timestamp, sensor.name, temperature, sensor.critical,
                sensor.warning, sensor.state(temperature), _fan(sensor, found), int(throttled), now,
            )  # fmt: skip
            self._writer.rows("thermal_readings", [row])
            await self._seen(sensor, reading)

    def _throttled(self, found: dict[Key, Reading]) -> bool:
        """Whether heat slows the processor: its counters went up, or something cools it by slowing it."""
        slowed = False
        for key, reading in found.items():
            value = number_of(reading)
            if value is None:
                continue
            if key.device_id == "cooling" and key.register.startswith(COOLER):
                slowed |= value > 0
            if key.register in THROTTLES:
                slowed |= value > self._throttles.get(key, value)
                self._throttles[key] = value
        return slowed


def _names(device: Device) -> list[str]:
    """The registers of a device that are looked at."""
    metrics = {name for owner, name, _ in METRICS.values() if owner == device.device_id}
    return [
        register.name
        for register in device.registers
        if register.name in metrics
        or register.unit in {CELSIUS, SPEED}
        or register.name in THROTTLES
        or (device.device_id == "cooling" and register.name.startswith(COOLER))
    ]


def _metrics(found: dict[Key, Reading]) -> list[Any]:
    values = []
    for device, register, scale in METRICS.values():
        value = number_of(found.get(Key(device, register)))
        values.append(None if value is None else value * scale)
    if values[-1] is not None:
        values[-1] = int(values[-1])
    return values


def _fan(sensor: Sensor, found: dict[Key, Reading]) -> int | None:
    """The fastest fan of the sensor's chip, where it has one, else of the machine, in RPM."""
    own = [value for key in sensor.fans if (value := number_of(found.get(key))) is not None]
    every = [
        value
        for key, reading in found.items()
        if str(key.device_id).startswith("fan:") and (value := number_of(reading)) is not None
    ]
    return round(max(own or every)) if own or every else None
