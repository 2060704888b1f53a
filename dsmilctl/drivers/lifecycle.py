"""The lifecycle around a driver: state, locks, deadlines, reconnects and statistics of each device.

Nothing else calls a driver's `write`, `command`, `reset` or safe state, and only the guard calls the
`apply_…` methods here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.drivers.contract import Answer, Capability, Driver
from dsmilctl.drivers.managed import Managed, Reconnect, failure_of
from dsmilctl.drivers.transitions import require
from dsmilctl.errors import DeviceBusy, DSMILError, HardwareError, InvalidParameter, UsageError
from dsmilctl.model.device import DeviceState
from dsmilctl.model.event import Event, Severity
from dsmilctl.model.reading import Quality, Reading, Span, judge
from dsmilctl.model.register import Register, Value

T = TypeVar("T")

DEADLINE = 2.0
"""Seconds that one call of a driver may take where nobody said otherwise."""


class Lifecycle:
    """Moves devices through their states and speaks to them through their drivers."""

    def __init__(
        self,
        *,
        clock: Clock = SYSTEM,
        reconnect: Reconnect | None = None,
        announce: Callable[[Event], None] | None = None,
    ) -> None:
        self._clock = clock
        self._reconnect = reconnect or Reconnect()
        self._announce = announce or (lambda event: None)
        self._sequence = 0

    def move(self, managed: Managed, state: DeviceState, reason: str = "") -> None:
        """Change the state of a device; raises DeviceBusy where the table does not allow it."""
        require(managed.device.device_id, managed.state, state)
        managed.state, managed.reason, managed.since = state, reason, self._clock.now()

    async def connect(self, managed: Managed, deadline: float = DEADLINE) -> None:
        """Bring a device to CONNECTED, through every state between; nothing when it is there already."""
        if managed.connected:
            return
        async with managed.lock:
            if managed.connected:
                return
            await self._guarded(managed, self._open(managed), deadline)

    async def _open(self, managed: Managed) -> None:
        if managed.state is DeviceState.ERROR:
            self.move(managed, DeviceState.DISCONNECTED, managed.reason)
        if managed.state in (DeviceState.DISCOVERED, DeviceState.DISCONNECTED):
            self.move(managed, DeviceState.INITIALIZED)
            if not managed.initialized:
                await managed.driver.initialize(managed.device)
                managed.initialized = True
        await managed.driver.open(managed.device)
        self.move(managed, DeviceState.CONNECTED)

    def connect_quickly(self, managed: Managed) -> bool:
        """Connect a device whose driver has nothing to do for it, without a task; False when it has."""
        if managed.connected:
            return True
        if managed.state is not DeviceState.DISCOVERED or not managed.plain:
            return False
        self.move(managed, DeviceState.INITIALIZED)
        self.move(managed, DeviceState.CONNECTED)
        managed.initialized = True
        return True

    async def initialize(self, managed: Managed, deadline: float = DEADLINE) -> None:
        """Bring a discovered or disconnected device to INITIALIZED."""
        self.move(managed, DeviceState.INITIALIZED)
        if not managed.initialized:
            await self._guarded(managed, managed.driver.initialize(managed.device), deadline)
            managed.initialized = True

    async def disconnect(self, managed: Managed, deadline: float = DEADLINE) -> None:
        """Close a device; an ACTIVE one leaves its activity first."""
        if managed.state is DeviceState.ACTIVE:
            self.move(managed, DeviceState.CONNECTED)
        was_open = managed.state is DeviceState.CONNECTED
        self.move(managed, DeviceState.DISCONNECTED)
        if was_open and not managed.plain:
            async with managed.lock, asyncio.timeout(deadline):
                await managed.driver.close(managed.device)

    async def cleanup(self, managed: Managed, deadline: float = DEADLINE) -> None:
        """Close a device if it is open and forget that it was initialised."""
        if managed.state not in (DeviceState.DISCONNECTED, DeviceState.DISCOVERED):
            await self.disconnect(managed, deadline)
        managed.initialized = False

    async def read(
        self,
        managed: Managed,
        registers: Sequence[Register],
        *,
        span: Span | None = None,
        deadline: float = DEADLINE,
    ) -> list[Reading]:
        """One reading per register; a failure is a reading of quality bad, never an exception."""
        begun = self._clock.monotonic()
        try:
            require_span(managed.driver, span)
            await self.connect(managed, deadline)
            async with managed.lock:
                answers = await self._guarded(
                    managed, managed.driver.read(managed.device, registers, span), deadline
                )
        except DSMILError as error:
            return self.failed_readings(managed, registers, error, begun)
        return self.readings(managed, registers, answers, begun)

    async def read_many(
        self, wanted: Sequence[tuple[Managed, Sequence[Register]]], *, deadline: float = DEADLINE
    ) -> list[list[Reading]]:
        """Readings of many devices of one driver; no device waits for another one."""
        begun = self._clock.monotonic()
        driver = wanted[0][0].driver
        quick = [self.connect_quickly(managed) for managed, _ in wanted]
        answers: Sequence[Sequence[Answer] | None] = [None] * len(wanted)
        if Capability.BATCH in driver.capabilities:
            answers = await driver.read_many([(managed.device, registers) for managed, registers in wanted])
        results: list[list[Reading] | None] = [
            self.readings(managed, registers, answer, begun) if answer is not None and ready else None
            for (managed, registers), answer, ready in zip(wanted, answers, quick, strict=True)
        ]
        alone = [index for index, result in enumerate(results) if result is None]
        asked = await asyncio.gather(*(self.read(*wanted[index], deadline=deadline) for index in alone))
        for index, result in zip(alone, asked, strict=True):
            results[index] = result
        return [result for result in results if result is not None]

    def readings(
        self, managed: Managed, registers: Sequence[Register], answers: Sequence[Answer], begun: float
    ) -> list[Reading]:
        """Answers of a driver as readings, each with its quality."""
        now, latency = self._clock.now(), (self._clock.monotonic() - begun) * 1000
        self._answered(managed, now, latency)
        if len(answers) != len(registers):
            error = HardwareError(
                f"{managed.device.shown_id} gave {len(answers)} answers to {len(registers)} questions",
                device_id=managed.device.device_id,
            )
            return self.failed_readings(managed, registers, error, begun)
        return [
            self._reading(managed, register, answer, now, latency)
            for register, answer in zip(registers, answers, strict=True)
        ]

    def _answered(self, managed: Managed, now: int, latency: float) -> None:
        if managed.failures:
            times = f"{managed.failures} failure{'s' if managed.failures > 1 else ''}"
            self._event(managed, Severity.INFO, f"{managed.device.shown_id} answers again after {times}")
        managed.answered(now, latency)

    def _reading(
        self, managed: Managed, register: Register, answer: Answer, now: int, latency: float
    ) -> Reading:
        self._sequence += 1
        if isinstance(answer, DSMILError):
            return self._bad(managed, register, answer, now, latency)
        quality, why = judge(register, answer)
        return Reading(
            managed.device.device_id, register.name, answer, now, register.unit, quality,
            None, latency, why, "", self._sequence,
        )  # fmt: skip

    def failed_readings(
        self, managed: Managed, registers: Sequence[Register], error: DSMILError, begun: float
    ) -> list[Reading]:
        """A bad reading per register that carries the error."""
        now, latency = self._clock.now(), (self._clock.monotonic() - begun) * 1000
        return [self._bad(managed, register, error, now, latency) for register in registers]

    def _bad(
        self, managed: Managed, register: Register, error: DSMILError, now: int, latency: float
    ) -> Reading:
        self._sequence += 1
        return Reading(
            device_id=managed.device.device_id,
            register=register.name,
            value=None,
            timestamp=now,
            unit=register.unit,
            quality=Quality.BAD,
            latency_ms=latency,
            error=error.message,
            error_code=error.code,
            sequence=self._sequence,
        )

    async def apply_write(
        self, managed: Managed, register: Register, value: Value, deadline: float = DEADLINE
    ) -> None:
        """Write one register.  For the guard alone."""
        await self.connect(managed, deadline)
        async with managed.lock:
            await self._guarded(managed, managed.driver.write(managed.device, register, value), deadline)
        managed.statistics.writes += 1

    async def apply_command(
        self, managed: Managed, name: str, arguments: Mapping[str, Value], deadline: float = DEADLINE
    ) -> Value | None:
        """Carry out a command of the driver.  For the guard alone."""
        await self.connect(managed, deadline)
        async with managed.lock:
            return await self._guarded(
                managed, managed.driver.command(managed.device, name, arguments), deadline
            )

    async def apply_reset(self, managed: Managed, deadline: float = DEADLINE) -> None:
        """Reset a device.  For the guard alone."""
        await self.connect(managed, deadline)
        async with managed.lock:
            await self._guarded(managed, managed.driver.reset(managed.device), deadline)

    async def apply_safe_state(self, managed: Managed, deadline: float = DEADLINE) -> None:
        """Drive a device to its safe state, past whoever holds its lock.  For the guard alone."""
        if not managed.connected:
            await self._guarded(managed, self._open(managed), deadline)
        await self._guarded(managed, managed.driver.safe_state(managed.device), deadline)

    async def apply_safe_many(self, devices: Sequence[Managed]) -> list[DSMILError | bool | None]:
        """Safe state of many devices of one driver; None for those to be driven on their own."""
        driver = devices[0].driver
        if Capability.BATCH not in driver.capabilities:
            return [None] * len(devices)
        quick = [self.connect_quickly(managed) for managed in devices]
        answers = await driver.safe_many([managed.device for managed in devices])
        return [answer if ready else None for answer, ready in zip(answers, quick, strict=True)]

    async def _guarded(self, managed: Managed, call: Awaitable[T], deadline: float) -> T:
        """Await a driver's call under a deadline; an I/O failure moves the device to ERROR."""
        try:
            async with asyncio.timeout(deadline):
                return await call
        except UsageError:
            raise
        except Exception as error:  # whatever a driver raises becomes one of our errors
            managed.statistics.errors += 1
            problem = failure_of(managed, error, deadline)
            self.fail(managed, problem)
            raise problem from error

    def fail(self, managed: Managed, error: DSMILError) -> None:
        """Note a failure: the device goes to ERROR and is tried again after a backoff."""
        managed.failures += 1
        if managed.failures == 1:
            self._event(managed, Severity.ERROR, error.message)
        managed.retry_at = self._clock.monotonic() + self._reconnect.delay(managed.failures)
        if managed.state in (DeviceState.INITIALIZED, DeviceState.CONNECTED, DeviceState.ACTIVE):
            self.move(managed, DeviceState.ERROR, error.message)

    def may_retry(self, managed: Managed) -> bool:
        """Whether a device is due: not in ERROR, or in ERROR with its backoff over."""
        if managed.state is not DeviceState.ERROR:
            return True
        if self._reconnect.given_up(managed.failures):
            return False
        return self._clock.monotonic() >= managed.retry_at

    def _event(self, managed: Managed, severity: Severity, message: str) -> None:
        event = Event("device.state", message, self._clock.now(), severity, managed.device.device_id)
        self._announce(event)


def require_span(driver: Driver, span: Span | None) -> None:
    """Raise InvalidParameter when a part of a register is asked of a driver that reads whole ones."""
    if span is not None and Capability.SPAN not in driver.capabilities:
        raise InvalidParameter(
            f"driver {driver.name} reads whole registers",
            hint="leave --offset and --length out",
            target="--offset",
        )


def require_command(managed: Managed, name: str) -> None:
    """Raise InvalidParameter unless the driver declares the command."""
    from dsmilctl.errors import nearest

    if name not in managed.driver.commands:
        known = list(managed.driver.commands)
        hint = nearest(name, known) or (
            f"commands of {managed.driver.name}: {', '.join(known)}" if known else "it declares no commands"
        )
        raise InvalidParameter(f"{managed.device.shown_id} has no command {name!r}", hint=hint, target=name)


def require_known_state(managed: Managed) -> None:
    """Raise DeviceBusy for a device that was not discovered yet."""
    if managed.state is DeviceState.UNKNOWN:
        raise DeviceBusy(f"{managed.device.shown_id} was not discovered", device_id=managed.device.device_id)
