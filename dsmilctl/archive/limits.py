"""Limits: what happens when a recorded value leaves its limits: an event, and where it is too hot a stop."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

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
AGAIN_AFTER = 1.0
"""Seconds from an order of a stop that failed until it is ordered again, at the least."""


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
    `stops` there are events and no stop.  A stop that fails is ordered again as readings come, for as long as
    the temperature is critical; one that was ordered and released is not, until it is critical anew.
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
        self._owed: dict[Key, str] = {}
        self._stop_id = ""
        self._stopping: asyncio.Task[None] | None = None
        self._next_order = -math.inf
        self._failures: Counter[str] = Counter()

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
        self._count_failures()

    def _judge(self, bounds: Bounds, reading: Reading) -> None:
        key, value = Key(reading.device_id, reading.register), number_of(reading)
        if value is not None and (state := bounds.state(value)) != self._states.get(key, "normal"):
            self._cross(bounds, reading, value, state)
        if key in self._owed:
            self._order_stop()

    def _cross(self, bounds: Bounds, reading: Reading, value: float, state: str) -> None:
        """Tell that a value is in another state now; one that is critical is owed a stop."""
        key = Key(reading.device_id, reading.register)
        before, self._states[key] = self._states.get(key, "normal"), state
        told = f"{show_id(reading.device_id)} {reading.register} is {bounds.register.format(value)}"
        if state not in CRITICAL:
            self._forgive([key])
        if state == "normal":
            self._tell("limit.cleared", f"{told}: within its limits again", reading, Severity.INFO)
            return
        side = "below" if state == "low" else "at or above"
        limit = f"{side} {bounds.register.format(bounds.limit(state))} ({state})"
        if state in CRITICAL and before not in CRITICAL and self._stops:
            self._owed[key] = f"{told}, {limit}"
        severity = Severity.CRITICAL if state in CRITICAL else Severity.WARNING
        self._tell("limit.crossed", f"{told}, {limit}", reading, severity)
        if bounds.sensor is not None and state != "low":
            self._writer.put(COUNT_WARNING, (self._writer.recording_id,))

    def _order_stop(self) -> None:
        """Order the stop that is owed, unless one is under way or failed less than a second ago."""
        now = self._clock.monotonic()
        if now >= self._next_order and (self._stopping is None or self._stopping.done()):
            self._next_order = now + AGAIN_AFTER
            self._stopping = asyncio.create_task(self._stop(dict(self._owed)))

    async def _stop(self, owed: Mapping[Key, str]) -> None:
        """Stop everything that the context reaches, unless a stop that was ordered here is still in force."""
        stop, reason = None, next(iter(owed.values()))
        if not await self._in_force():
            try:
                stop = await self._client.stop(reason=reason, deadline=self._deadline)
            except Exception as error:  # whatever it is, it must not keep the next order from being given
                self._failed(error)
                return
            self._stop_id = stop.stop_id
        self._next_order = -math.inf
        self._forgive(owed)
        if stop is not None:
            LOGGER.critical("emergency stop %s: %s", stop.stop_id, reason)
            self._writer.put(COUNT_STOP, (self._writer.recording_id,))
            self._tell("limit.stopped", f"emergency stop {stop.stop_id}: {reason}", None, Severity.CRITICAL)

    async def _in_force(self) -> bool:
        """Whether the stop that was ordered here last still is; where nobody can say, it is not."""
        if not self._stop_id:
            return False
        try:
            async with asyncio.timeout(self._deadline):
                return any(stop.stop_id == self._stop_id for stop in await self._client.stops())
        except Exception as error:  # whatever it is, a stop too many does no harm, and one too few does
            LOGGER.warning("nobody can say whether %s is in force: %r", self._stop_id, error)
            return False

    def _failed(self, error: Exception) -> None:
        """Tell that a stop failed: the log each time, as it counts repetitions, the events each kind once."""
        known = error if isinstance(error, DSMILError) else DSMILError(f"{type(error).__name__}: {error}")
        LOGGER.critical("the emergency stop failed: %s", known, exc_info=None if known is error else error)
        if known.code not in self._failures:
            self._tell("limit.not-stopped", f"{known.code}: {known.message}", None, Severity.CRITICAL)
        self._failures[known.code] += 1

    def _forgive(self, keys: Iterable[Key]) -> None:
        """No stop is owed for these any more."""
        for key in keys:
            self._owed.pop(key, None)
        if not self._owed:
            self._count_failures()

    def _count_failures(self) -> None:
        """Tell how often a stop was ordered in vain, where it was more than once."""
        if (count := self._failures.total()) > 1:
            told = f"a stop was ordered {count} times in vain"
            self._tell("limit.not-stopped", told, None, Severity.CRITICAL)
        self._failures.clear()

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
