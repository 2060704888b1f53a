"""The lifecycle around a driver: state, locks, deadlines, reconnects and statistics of each device.

Nothing else calls a driver's `write`, `command`, `reset` or safe state, and only the guard calls the
`apply_…` methods here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.drivers.answers import Numbering, nothing_read
from dsmilctl.drivers.contract import Answer, Capability, require_span
from dsmilctl.drivers.managed import Managed, Reconnect, failure_of
from dsmilctl.drivers.prompt import within
from dsmilctl.drivers.transitions import require
from dsmilctl.errors import (
    Conflict,
    DeviceBusy,
    DeviceQuarantined,
    DSMILError,
    HardwareError,
    PermissionDenied,
    Refused,
    UsageError,
)
from dsmilctl.model.device import Device, DeviceState
from dsmilctl.model.event import Event, Severity
from dsmilctl.model.reading import Reading, Span
from dsmilctl.model.register import Register, Value

LOGGER = logging.getLogger("dsmilctl.lifecycle")

T = TypeVar("T")
Before = Callable[[Device], None]
Target = tuple[Managed, Sequence[Register]]

NOT_THE_DEVICE = (UsageError, Refused, PermissionDenied, DeviceQuarantined, DeviceBusy, Conflict)
"""Errors that tell nothing of the device's health: a wrong question, a refusal, somebody else's turn."""

IN_ONE_TURN = 1000
DEADLINE = 2.0
"""Seconds that one call of a driver may take where nobody said otherwise."""


def allow(device: Device) -> None:
    """Let a change through; the guard puts its latch here."""
    del device


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
        self._numbering = Numbering()

    def move(self, managed: Managed, state: DeviceState, reason: str = "") -> None:
        """Change the state of a device; raises DeviceBusy where the table does not allow it."""
        require(managed.device.device_id, managed.state, state)
        managed.state, managed.reason, managed.since = state, reason, self._clock.now()

    async def connect(self, managed: Managed, deadline: float = DEADLINE) -> None:
        """Bring a device to CONNECTED, through every state between; nothing when it is there already."""
        if not managed.connected:
            await self._exchange(managed, _nothing, deadline)

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
        await self._take(managed, deadline)
        try:
            self.move(managed, DeviceState.INITIALIZED)
            await self._guarded(managed, self._prepare(managed), deadline)
        finally:
            managed.lock.release()

    async def disconnect(self, managed: Managed, deadline: float = DEADLINE) -> None:
        """Close a device; an ACTIVE one leaves its activity first.  How closing failed is in the reason."""
        await self._take(managed, deadline)
        try:
            if managed.state is DeviceState.ACTIVE:
                self.move(managed, DeviceState.CONNECTED)
            self.move(managed, DeviceState.DISCONNECTED)
            managed.reason = await self._close(managed, deadline)
        finally:
            managed.lock.release()

    async def cleanup(self, managed: Managed, deadline: float = DEADLINE) -> None:
        """Close a device if it is open and forget that it was initialised."""
        if managed.state not in (DeviceState.DISCONNECTED, DeviceState.DISCOVERED):
            await self.disconnect(managed, deadline)
        managed.initialized = False

    async def _open(self, managed: Managed) -> None:
        """Walk to CONNECTED.  Safe to be under way twice: an emergency stop does not wait for the lock."""
        if managed.state is DeviceState.ERROR:
            self.move(managed, DeviceState.DISCONNECTED, managed.reason)
            await self._close(managed, DEADLINE)
        if managed.state is not DeviceState.INITIALIZED:
            self.move(managed, DeviceState.INITIALIZED)
        await self._prepare(managed)
        managed.opened = True
        await managed.driver.open(managed.device)
        if not managed.connected:
            self.move(managed, DeviceState.CONNECTED)

    async def _prepare(self, managed: Managed) -> None:
        if not managed.initialized:
            await managed.driver.initialize(managed.device)
            managed.initialized = True

    async def _close(self, managed: Managed, deadline: float) -> str:
        """End the conversation, if one was begun; what went wrong, for nobody can do anything about it."""
        if not managed.opened or managed.plain:
            return ""
        managed.opened = False
        try:
            async with asyncio.timeout(deadline):
                await managed.driver.close(managed.device)
        except Exception as error:  # a conversation that is over anyway; the caller goes on without it
            return f"closing failed: {failure_of(managed, error, deadline).message}"
        return ""

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
            answers = await self._exchange(
                managed, lambda: managed.driver.read(managed.device, registers, span), deadline
            )
        except DSMILError as error:
            return self.failed_readings(managed, registers, error, begun)
        return self.readings(managed, registers, answers, *self.moment(begun))

    async def read_many(self, wanted: Sequence[Target], *, deadline: float = DEADLINE) -> list[list[Reading]]:
        """Readings of many devices of one driver; no device waits for another one."""
        begun = self._clock.monotonic()
        answers = await self.ask_many(wanted, deadline=deadline)
        now, latency = self.moment(begun)
        results: list[list[Reading] | None] = []
        for (managed, registers), answer in zip(wanted, answers, strict=True):
            result = None if answer is None else self.readings(managed, registers, answer, now, latency)
            results.append(result)
            if len(results) % IN_ONE_TURN == 0:
                await asyncio.sleep(0)  # a large fleet must not keep the loop to itself
        alone = [index for index, result in enumerate(results) if result is None]
        if not alone:
            return [result for result in results if result is not None]
        asked = await asyncio.gather(*(self.read(*wanted[index], deadline=deadline) for index in alone))
        for index, result in zip(alone, asked, strict=True):
            results[index] = result
        return [result for result in results if result is not None]

    async def ask_many(
        self, wanted: Sequence[Target], *, deadline: float = DEADLINE
    ) -> list[Sequence[Answer] | None]:
        """The raw answers of many devices of one driver; None for each that has to be asked on its own.

        A batch that fails as a whole, or has another length, is no device's fault: each is asked on its own.
        """
        answers: list[Sequence[Answer] | None] = [None] * len(wanted)
        if not wanted or Capability.BATCH not in wanted[0][0].driver.capabilities:
            return answers
        ready = [index for index, (managed, _) in enumerate(wanted) if self.connect_quickly(managed)]
        batch = [(wanted[index][0].device, wanted[index][1]) for index in ready]
        try:
            given = await within(deadline, wanted[0][0].driver.read_many(batch))
            each = dict(zip(ready, given, strict=True))
        except Exception as error:  # whatever it was, the devices are asked one by one and tell it each
            LOGGER.warning("driver %s failed on a batch of reads: %r", wanted[0][0].driver.name, error)
            return answers
        for index, answer in each.items():
            answers[index] = answer
        return answers

    def moment(self, begun: float) -> tuple[int, float]:
        """Now, in nanoseconds, and the milliseconds since `begun`: for all answers that came together."""
        return self._clock.now(), (self._clock.monotonic() - begun) * 1000

    def readings(
        self,
        managed: Managed,
        registers: Sequence[Register],
        answers: Sequence[Answer],
        now: int,
        latency: float,
    ) -> list[Reading]:
        """Answers of a driver as readings of a moment, `latency` milliseconds after they were asked for."""
        if len(answers) != len(registers):
            error = HardwareError(
                f"{managed.device.shown_id} gave {len(answers)} answers to {len(registers)} questions",
                device_id=managed.device.device_id,
            )
            self.fail(managed, error)
            return self._numbering.readings(managed.device, registers, [error] * len(registers), now, latency)
        problem = nothing_read(answers)
        if problem is None:
            self._answered(managed, now)
            managed.statistics.answered(latency)
        else:
            self.fail(managed, problem)
        return self._numbering.readings(managed.device, registers, answers, now, latency)

    def _answered(self, managed: Managed, now: int) -> None:
        if managed.failures:
            times = f"{managed.failures} failure{'s' if managed.failures > 1 else ''}"
            self._event(managed, Severity.INFO, f"{managed.device.shown_id} answers again after {times}")
        managed.failures = 0
        managed.last_seen = now

    def failed_readings(
        self, managed: Managed, registers: Sequence[Register], error: DSMILError, begun: float
    ) -> list[Reading]:
        """A bad reading per register that carries the error."""
        errors = [error] * len(registers)
        return self._numbering.readings(managed.device, registers, errors, *self.moment(begun))

    async def apply_write(
        self,
        managed: Managed,
        register: Register,
        value: Value,
        deadline: float = DEADLINE,
        *,
        before: Before = allow,
    ) -> None:
        """Write one register.  For the guard alone; `before` is its last look before the wire."""

        async def write() -> None:
            before(managed.device)
            await managed.driver.write(managed.device, register, value)

        await self._apply(managed, write, deadline)

    async def apply_command(
        self,
        managed: Managed,
        name: str,
        arguments: Mapping[str, Value],
        deadline: float = DEADLINE,
        *,
        before: Before = allow,
    ) -> Value | None:
        """Carry out a command of the driver.  For the guard alone; `before` is its last look."""

        async def command() -> Value | None:
            before(managed.device)
            return await managed.driver.command(managed.device, name, arguments)

        return await self._apply(managed, command, deadline)

    async def apply_reset(
        self, managed: Managed, deadline: float = DEADLINE, *, before: Before = allow
    ) -> None:
        """Reset a device.  For the guard alone; `before` is its last look before the wire."""

        async def reset() -> None:
            before(managed.device)
            await managed.driver.reset(managed.device)

        await self._apply(managed, reset, deadline)

    async def _apply(self, managed: Managed, call: Callable[[], Awaitable[T]], deadline: float) -> T:
        result = await self._exchange(managed, call, deadline)
        self._answered(managed, self._clock.now())
        managed.statistics.writes += 1
        return result

    async def apply_safe_state(self, managed: Managed, deadline: float = DEADLINE) -> None:
        """Drive a device to its safe state, past whoever holds its lock.  For the guard alone."""
        await self._guarded(
            managed, self._talk(managed, lambda: managed.driver.safe_state(managed.device)), deadline
        )
        self._answered(managed, self._clock.now())

    async def apply_safe_many(
        self, devices: Sequence[Managed], deadline: float = DEADLINE
    ) -> list[DSMILError | bool | None]:
        """Safe state of many devices of one driver; None for those to be driven on their own.

        They all are when the batch fails as a whole, or has another length.
        """
        answers: list[DSMILError | bool | None] = [None] * len(devices)
        if not devices or Capability.BATCH not in devices[0].driver.capabilities:
            return answers
        ready = [index for index, managed in enumerate(devices) if self.connect_quickly(managed)]
        try:
            async with asyncio.timeout(deadline):
                given = await devices[0].driver.safe_many([devices[index].device for index in ready])
            each = dict(zip(ready, given, strict=True))
        except Exception as error:  # whatever it was, a stop goes on with every device on its own
            LOGGER.warning("driver %s failed on a batch stop: %r", devices[0].driver.name, error)
            return answers
        for index, answer in each.items():
            answers[index] = answer
        return answers

    async def _exchange(self, managed: Managed, call: Callable[[], Awaitable[T]], deadline: float) -> T:
        """Await one call of the driver on a connected device, while nobody else speaks to it."""
        await self._take(managed, deadline)
        try:
            return await self._guarded(managed, self._talk(managed, call), deadline)
        finally:
            managed.lock.release()

    async def _take(self, managed: Managed, deadline: float) -> None:
        """Take the device's lock; raises DeviceBusy when it is not free within the deadline."""
        if not managed.waiting and not managed.lock.locked():
            await managed.lock.acquire()
            return
        managed.waiting += 1
        try:
            async with asyncio.timeout(deadline):
                await managed.lock.acquire()
        except TimeoutError:
            message = f"{managed.device.shown_id} is busy: others spoke to it for {deadline:g} s"
            hint = "try again, or with a longer --timeout"
            raise DeviceBusy(message, device_id=managed.device.device_id, hint=hint) from None
        finally:
            managed.waiting -= 1

    async def _talk(self, managed: Managed, call: Callable[[], Awaitable[T]]) -> T:
        if not managed.connected:
            await self._open(managed)
        return await call()

    async def _guarded(self, managed: Managed, call: Awaitable[T], deadline: float) -> T:
        """Await a driver's call under a deadline; an I/O failure moves the device to ERROR."""
        try:
            async with asyncio.timeout(deadline):
                return await call
        except NOT_THE_DEVICE:
            raise
        except Exception as error:  # whatever a driver raises becomes one of our errors
            raise self._failed(managed, error, deadline) from error

    def _failed(self, managed: Managed, error: Exception, deadline: float) -> DSMILError:
        """Note a failure; what it is called.  Who raises it keeps no name for it, which would be a cycle."""
        problem = failure_of(managed, error, deadline)
        self.fail(managed, problem)
        return problem

    def fail(self, managed: Managed, error: DSMILError) -> None:
        """Note a failure: the device goes to ERROR and is tried again after a backoff."""
        managed.statistics.errors += 1
        managed.failures += 1
        if managed.failures == 1:
            self._event(managed, Severity.ERROR, error.message)
        managed.retry_at = self._clock.monotonic() + self._reconnect.delay(managed.failures)
        if managed.state in (DeviceState.INITIALIZED, DeviceState.CONNECTED, DeviceState.ACTIVE):
            self.move(managed, DeviceState.ERROR, error.message)
        else:
            managed.reason = error.message

    def may_retry(self, managed: Managed) -> bool:
        """Whether a device is due: not in ERROR, or in ERROR with its backoff over."""
        if managed.state is not DeviceState.ERROR:
            return True
        if self._reconnect.given_up(managed.failures) and not self._reconnect.cool_down:
            return False
        return self._clock.monotonic() >= managed.retry_at

    def _event(self, managed: Managed, severity: Severity, message: str) -> None:
        event = Event("device.state", message, self._clock.now(), severity, managed.device.device_id)
        self._announce(event)


async def _nothing() -> None:
    """What there is to say to a device that is only to be connected."""
