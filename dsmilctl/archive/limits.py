"""Limits: what happens when a recorded value leaves its limits: an event, and where it is too hot a stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence

import msgspec

from dsmilctl.archive.heat import Key, Sensor, number_of, sensors_of
from dsmilctl.archive.rows import event_row
from dsmilctl.archive.writer import Writer
from dsmilctl.client.interface import Client
from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.errors import DSMILError
from dsmilctl.model.device import Device, show_id
from dsmilctl.model.event import Event, Severity
from dsmilctl.model.reading import Reading
from dsmilctl.model.register import Register

LOGGER = logging.getLogger("dsmilctl.archive.limits")
CRITICAL = ("critical", "emergency")
COUNT_WARNING = "UPDATE test_sessions SET thermal_warnings = thermal_warnings + 1 WHERE session_id = ?"
COUNT_STOP = "UPDATE test_sessions SET emergency_stops = emergency_stops + 1 WHERE session_id = ?"


class Bounds(msgspec.Struct, frozen=True):
    """What a register may be; of a temperature its sensor says it."""

    register: Register
    sensor: Sensor | None = None

    def state(self, value: float) -> str:
        """`normal`, `low`, `high`, or the step of heat."""
        if self.register.low is not None and value < self.register.low:
            return "low"
        if self.sensor is not None:
            return self.sensor.state(value)
        return "high" if self.register.high is not None and value > self.register.high else "normal"

    def limit(self, state: str) -> float | None:
        """The limit behind which that state begins."""
        if state in ("low", "high") or self.sensor is None:
            return self.register.low if state == "low" else self.register.high
        return {
            "warning": self.sensor.warning,
            "critical": self.sensor.critical,
            "emergency": self.sensor.emergency,
        }[state]


class Limits:
    """Tells each crossing of a limit once, and orders an emergency stop where a temperature is critical.

    Only values that can be trusted count.  `critical` is the limit in °C of sensors that name none; without
    `stops` there are events and no stop.
    """

    def __init__(
        self,
        client: Client,
        writer: Writer,
        devices: Sequence[Device],
        *,
        critical: float,
        stops: bool,
        deadline: float = 2.0,
        clock: Clock = SYSTEM,
    ) -> None:
        self._client = client
        self._writer = writer
        self._stops = stops
        self._deadline = deadline
        self._clock = clock
        self._bounds = bounds_of(devices, critical)
        self._states: dict[Key, str] = {}
        self._stop_id = ""
        self._stopping: asyncio.Task[None] | None = None

    def readings(self, readings: Iterable[Reading]) -> None:
        """Judge readings as they come."""
        for reading in readings:
            bounds = self._bounds.get(Key(reading.device_id, reading.register))
            if bounds is not None:
                self._judge(bounds, reading)

    async def sensor(self, sensor: Sensor, reading: Reading) -> None:
        """Judge a temperature of the machine itself."""
        register = Register(reading.register, type="f64", unit=reading.unit)
        self._judge(Bounds(register, sensor), reading)

    async def close(self) -> None:
        """Wait for a stop that was ordered."""
        if self._stopping is not None:
            await self._stopping

    def _judge(self, bounds: Bounds, reading: Reading) -> None:
        value = number_of(reading)
        if value is None:
            return
        key = Key(reading.device_id, reading.register)
        before, state = self._states.get(key, "normal"), bounds.state(value)
        if state == before:
            return
        self._states[key] = state
        told = f"{show_id(reading.device_id)} {reading.register} is {bounds.register.format(value)}"
        if state == "normal":
            self._tell("limit.cleared", f"{told}: within its limits again", reading, Severity.INFO)
            return
        side = "below" if state == "low" else "at or above"
        limit = f"{side} {bounds.register.format(bounds.limit(state))} ({state})"
        severity = Severity.CRITICAL if state in CRITICAL else Severity.WARNING
        self._tell("limit.crossed", f"{told}, {limit}", reading, severity)
        if bounds.sensor is not None and state != "low":
            self._writer.put(COUNT_WARNING, (self._writer.recording_id,))
        if state in CRITICAL and before not in CRITICAL and self._stops:
            self._order_stop(f"{told}, {limit}")

    def _order_stop(self, reason: str) -> None:
        if self._stopping is None or self._stopping.done():
            self._stopping = asyncio.create_task(self._stop(reason))

    async def _stop(self, reason: str) -> None:
        """Stop everything that the context reaches, unless a stop that was ordered here is still in force."""
        try:
            if self._stop_id and any(stop.stop_id == self._stop_id for stop in await self._client.stops()):
                return
            stop = await self._client.stop(reason=reason, deadline=self._deadline)
        except DSMILError as error:
            LOGGER.critical("the emergency stop failed: %s", error)
            self._tell("limit.not-stopped", f"{error.code}: {error.message}", None, Severity.CRITICAL)
            return
        self._stop_id = stop.stop_id
        LOGGER.critical("emergency stop %s: %s", stop.stop_id, reason)
        self._writer.put(COUNT_STOP, (self._writer.recording_id,))
        self._tell("limit.stopped", f"emergency stop {stop.stop_id}: {reason}", None, Severity.CRITICAL)

    def _tell(self, type: str, message: str, reading: Reading | None, severity: Severity) -> None:
        timestamp = self._clock.now() if reading is None else reading.timestamp
        device = None if reading is None else reading.device_id
        event = Event(type, message, timestamp, severity, device)
        self._writer.rows("events", [event_row(self._writer.recording_id, event)])


def bounds_of(devices: Sequence[Device], critical: float) -> dict[Key, Bounds]:
    """The bounds of every register that has some."""
    sensors = {sensor.key: sensor for sensor in sensors_of(devices, critical)}
    found = {}
    for device in devices:
        for register in device.registers:
            key = Key(device.device_id, register.name)
            if key in sensors or register.low is not None or register.high is not None:
                found[key] = Bounds(register, sensors.get(key))
    return found
