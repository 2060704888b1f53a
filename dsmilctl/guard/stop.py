"""Emergency stop: latch first, then drive every device to its safe state at once, and say who confirmed."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterable, Sequence

import msgspec

from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.drivers.lifecycle import Lifecycle
from dsmilctl.drivers.managed import Managed
from dsmilctl.errors import DSMILError, OperationTimeout, StateUnavailable
from dsmilctl.guard.journal import Entry, Journal
from dsmilctl.guard.latch import Latch
from dsmilctl.model.emergency import REASON_PREFIX, Confirmation, Stop, StopOutcome
from dsmilctl.model.identity import Identity
from dsmilctl.model.reading import Reading
from dsmilctl.model.register import Register

LOGGER = logging.getLogger("dsmilctl.guard.stop")
ATTEMPT = 0.5
"""Seconds that one attempt on one device may take before it is tried again."""

Report = Callable[[Confirmation], None]


class StopControl:
    """Stops a fleet and releases it again."""

    def __init__(
        self,
        *,
        latch: Latch,
        journal: Journal,
        lifecycle: Lifecycle,
        identity: Identity,
        context: str,
        clock: Clock = SYSTEM,
    ) -> None:
        self._latch = latch
        self._journal = journal
        self._lifecycle = lifecycle
        self._identity = identity
        self._context = context
        self._clock = clock
        self.unlatched: tuple[Stop, ...] = ()

    def engage(self, reason: str, scope: str, devices: Sequence[Managed] | None) -> Stop:
        """Latch a stop.  A latch that cannot be written holds nothing up: it is kept in memory and said."""
        begun = self._clock.monotonic()
        stop = Stop(
            stop_id=f"stop-{os.urandom(4).hex()}",
            scope=scope,
            reason=reason if reason.startswith(REASON_PREFIX) else REASON_PREFIX + reason,
            triggered_by=f"{self._identity.user}@{self._identity.host}",
            triggered_at=self._clock.now(),
            devices=() if devices is None else tuple(item.device.device_id for item in devices),
        )
        error = ""
        try:
            error = self._latch.engage(stop)
        except StateUnavailable as problem:
            error = problem.message
            self.unlatched += (stop,)
        elapsed = (self._clock.monotonic() - begun) * 1000
        return msgspec.structs.replace(stop, latched_ms=elapsed, latch_error=error)

    async def drive(
        self, stop: Stop, devices: Sequence[Managed], deadline: float, report: Report | None = None
    ) -> Stop:
        """Drive every device to its safe state until it confirms or the deadline is over."""
        journalled = asyncio.create_task(self._record(stop, "INTENT"))
        run = _Run(self._lifecycle, self._clock, deadline, report)
        await run.all(devices)
        stop = msgspec.structs.replace(stop, confirmations=tuple(run.confirmations(devices)))
        await asyncio.gather(journalled, asyncio.to_thread(self._keep, stop))
        await self._record(stop, "FAILED" if stop.unconfirmed else "SUCCESS")
        return stop

    def _keep(self, stop: Stop) -> None:
        try:
            self._latch.update(stop)
        except DSMILError as error:
            LOGGER.error("the confirmations of %s could not be kept: %s", stop.stop_id, error)

    async def release(self, stop_id: str, justification: str) -> list[Stop]:
        """End one stop, or all; the journal must be writable, since this is a change like others."""
        operation = f"op-{os.urandom(8).hex()}"

        async def record(outcome: str, **more: object) -> None:
            parameters = {"justification": justification, **more}
            entry = self._entry("emergency.release", stop_id or "all", outcome, parameters, operation)
            await asyncio.to_thread(self._journal.append, [entry])

        await record("INTENT")
        try:
            who = f"{self._identity.user}@{self._identity.host}"
            released = await asyncio.to_thread(self._latch.release, stop_id, who)
        except DSMILError as error:
            await record("FAILED", error=error.message)
            raise
        self.unlatched = tuple(stop for stop in self.unlatched if stop_id not in ("", stop.stop_id))
        await record("SUCCESS", released=[stop.stop_id for stop in released])
        return released

    async def _record(self, stop: Stop, outcome: str) -> None:
        parameters: dict[str, object] = {"reason": stop.reason, "scope": stop.scope}
        if stop.confirmations:
            unconfirmed = [str(device_id) for device_id in stop.unconfirmed]
            parameters |= {"confirmed": len(stop.confirmed), "unconfirmed": unconfirmed}
        entry = self._entry("emergency.stop", stop.stop_id, outcome, parameters, stop.stop_id)
        try:
            await asyncio.to_thread(self._journal.append, [entry])
        except StateUnavailable as error:
            LOGGER.error("the journal missed %s: %s", stop.stop_id, error)

    def _entry(
        self, action: str, target: str, outcome: str, parameters: dict[str, object], operation_id: str
    ) -> Entry:
        return Entry(
            user=self._identity.user,
            host=self._identity.host,
            context=self._context,
            action=action,
            target=target,
            parameters={**parameters, "pid": os.getpid()},
            outcome=outcome,
            operation_id=operation_id,
        )


class _Run:
    """One run over the devices of a stop."""

    def __init__(self, lifecycle: Lifecycle, clock: Clock, deadline: float, report: Report | None) -> None:
        self._lifecycle = lifecycle
        self._clock = clock
        self._begun = clock.monotonic()
        self._end = self._begun + deadline
        self._report = report or (lambda confirmation: None)
        self._known: dict[int | str, Confirmation] = {}

    async def all(self, devices: Sequence[Managed]) -> None:
        """Drive all devices at once, those of a driver that takes batches in one go."""
        groups: dict[str, list[Managed]] = {}
        for managed in devices:
            if managed.stoppable:
                groups.setdefault(managed.driver.name, []).append(managed)
            else:
                self._note(managed, StopOutcome.NOT_APPLICABLE, 0)
        await asyncio.gather(*(self._group(group) for group in groups.values()))

    async def _group(self, devices: Sequence[Managed]) -> None:
        try:
            answers = await self._lifecycle.apply_safe_many(devices)
        except (DSMILError, OSError) as error:
            LOGGER.warning("the batch stop failed, every device is driven on its own: %s", error)
            answers = [None] * len(devices)
        told = [managed for managed, answer in zip(devices, answers, strict=True) if answer is True]
        alone = [managed for managed, answer in zip(devices, answers, strict=True) if answer is not True]
        rest, _ = await asyncio.gather(self._confirm(told), self._singly(alone))
        await self._singly(rest)

    async def _confirm(self, devices: Sequence[Managed]) -> list[Managed]:
        """Read back what was told; those that do not show their safe state are driven again."""
        if not devices:
            return []
        wanted = [(managed, readable_safe_registers(managed)) for managed in devices]
        answers = await self._lifecycle.read_many(wanted, deadline=self._left(ATTEMPT))
        rest = []
        for (managed, registers), readings in zip(wanted, answers, strict=True):
            if in_safe_state(registers, readings):
                self._note(managed, StopOutcome.STOPPED, 1)
            else:
                rest.append(managed)
        return rest

    async def _singly(self, devices: Iterable[Managed]) -> None:
        await asyncio.gather(*(self._drive(managed) for managed in devices))

    async def _drive(self, managed: Managed) -> None:
        attempts, error = 0, "no time was left to reach it"
        outcome = StopOutcome.UNCONFIRMED
        while self._clock.monotonic() < self._end:
            attempts += 1
            try:
                await self._lifecycle.apply_safe_state(managed, self._left(ATTEMPT))
                registers = readable_safe_registers(managed)
                readings = await self._lifecycle.read(managed, registers, deadline=self._left(ATTEMPT))
            except DSMILError as problem:
                error = problem.message
                outcome = (
                    StopOutcome.UNCONFIRMED if isinstance(problem, OperationTimeout) else StopOutcome.FAILED
                )
            else:
                if in_safe_state(registers, readings):
                    self._note(managed, StopOutcome.STOPPED, attempts)
                    return
                outcome, error = StopOutcome.UNCONFIRMED, _why(registers, readings)
            await asyncio.sleep(min(0.02 * 2 ** min(attempts, 4), self._left(1.0)))
        self._note(managed, outcome, attempts, error)

    def _left(self, most: float) -> float:
        return max(0.001, min(most, self._end - self._clock.monotonic()))

    def _note(self, managed: Managed, outcome: StopOutcome, attempts: int, error: str = "") -> None:
        elapsed = (self._clock.monotonic() - self._begun) * 1000
        confirmation = Confirmation(managed.device.device_id, outcome, elapsed, attempts, error)
        self._known[managed.device.device_id] = confirmation
        self._report(confirmation)

    def confirmations(self, devices: Sequence[Managed]) -> list[Confirmation]:
        """What is known of each device, in the fleet's order."""
        return [self._known[managed.device.device_id] for managed in devices]


def safe_registers(managed: Managed) -> tuple[Register, ...]:
    """The registers that have a safe value."""
    return tuple(item for item in managed.device.registers if item.safe is not None and item.writable)


def readable_safe_registers(managed: Managed) -> tuple[Register, ...]:
    """The registers whose safe value can be read back."""
    return tuple(item for item in safe_registers(managed) if item.readable and not item.volatile)


def in_safe_state(registers: Sequence[Register], readings: Sequence[Reading]) -> bool:
    """Whether the readings show every register at its safe value."""
    return all(
        reading.value is not None
        and register.safe is not None
        and register.confirms(register.safe, reading.value)
        for register, reading in zip(registers, readings, strict=True)
    )


def _why(registers: Sequence[Register], readings: Sequence[Reading]) -> str:
    for register, reading in zip(registers, readings, strict=True):
        if reading.value is None:
            return reading.error
        if register.safe is not None and not register.confirms(register.safe, reading.value):
            return f"{register.name} still reads {register.format(reading.value)}"
    return ""
