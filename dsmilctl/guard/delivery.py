"""Delivery: one change taken to its device and read back, and the truth about answers that were lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from dsmilctl.drivers.errand import Errand, sent_on
from dsmilctl.drivers.lifecycle import Lifecycle
from dsmilctl.drivers.managed import Managed
from dsmilctl.errors import (
    DSMILError,
    EmergencyStopActive,
    HardwareError,
    OperationTimeout,
    Unreachable,
)
from dsmilctl.guard.checks import Checks
from dsmilctl.guard.plan import Plan
from dsmilctl.guard.underway import BrokenOff, Underway
from dsmilctl.guard.values import COMMANDS
from dsmilctl.model.device import Device
from dsmilctl.model.emergency import Stop
from dsmilctl.model.operation import OperationType
from dsmilctl.model.reading import Reading
from dsmilctl.model.register import Register

LOST = (OperationTimeout, Unreachable)
"""After these, once the device was told something, nobody knows whether it did it."""


class Delivery:
    """Tells devices, each call at most once.  `deadline` is in seconds, for one call of a driver."""

    def __init__(
        self,
        lifecycle: Lifecycle,
        checks: Checks,
        in_force: Callable[[], Sequence[Stop]],
        deadline: float,
    ) -> None:
        self.underway = Underway(in_force)
        self._lifecycle = lifecycle
        self._checks = checks
        self._deadline = deadline

    async def carry_out(self, plan: Plan) -> None:
        """Tell the device and read back; what went wrong is in the plan."""
        device, request = plan.managed.device, plan.request
        errand = Errand(
            plan.operation_id,
            user=self._checks.identity.user,
            justification=request.justification,
            approval=request.approval,
        )
        try:
            with sent_on(errand):
                await self.underway.run(device.device_id, self._tell(plan))
        except BrokenOff as end:
            await self._broken_off(plan, end.stop)
        except DSMILError as error:
            plan.error = error
            plan.sent = plan.sent and not errand.refused
            if plan.sent and isinstance(error, LOST):
                await self._answer_lost(plan, error)
        else:
            await self._answered(plan)
        finally:
            plan.reference = errand.reference

    async def _tell(self, plan: Plan) -> None:
        managed, request, deadline = plan.managed, plan.request, self._deadline

        def look(device: Device) -> None:
            self._checks.latch(device)
            if plan.since is not None:
                plan.since.require_none(device)
            plan.sent = True

        if plan.register is not None and request.value is not None:
            await self._lifecycle.apply_write(managed, plan.register, request.value, deadline, before=look)
        elif request.type is OperationType.RESET and not request.command:
            await self._lifecycle.apply_reset(managed, deadline, before=look)
        else:
            name, arguments = request.command or COMMANDS[request.type], dict(request.arguments)
            plan.read_back = await self._lifecycle.apply_command(
                managed, name, arguments, deadline, before=look
            )

    async def _answered(self, plan: Plan) -> None:
        """The device took it: did a stop come meanwhile, and does the register hold what was written?"""
        try:
            self._checks.latch(plan.managed.device)
        except EmergencyStopActive as stop:
            await self._make_safe(plan, stop, f"{stop.message}, which came while it was under way")
            return
        register, value = plan.register, plan.request.value
        if register is None or value is None or not plan.request.verify or not _can_confirm(register):
            return
        reading = await self._look(plan, register)
        device = plan.managed.device
        if reading.value is None:
            message = (
                f"{device.shown_id} took the write, but {register.name} was not read back: {reading.error}"
            )
            plan.error = OperationTimeout(message, device_id=device.device_id, hint="read it again")
            plan.unknown = True
        elif not register.confirms(value, reading.value):
            message = (
                f"{device.shown_id} {register.name} reads back as {register.format(reading.value)}, "
                f"not as {register.format(value)}"
            )
            hint = "the device rounds, limits or ignores what is written: see its registers"
            plan.error = HardwareError(message, device_id=device.device_id, hint=hint)

    async def _answer_lost(self, plan: Plan, error: DSMILError) -> None:
        """Nobody knows whether it was done, and it is never sent again; what the register holds may tell."""
        plan.unknown = True
        device, register = plan.managed.device, plan.register
        found = "it cannot be read back"
        if register is not None and register.readable:
            reading = await self._look(plan, register)
            answer = register.format(reading.value) if reading.value is not None else reading.error
            found = f"{register.name} reads {answer}" if reading.value is not None else answer
        message = f"{error.message} after it was told, so the outcome is unknown: {found}"
        hint = f"look at {device.shown_id} before you try again: it was not sent twice"
        plan.error = OperationTimeout(message, device_id=device.device_id, hint=hint)

    async def _broken_off(self, plan: Plan, stop: Stop) -> None:
        try:
            self._checks.latch(plan.managed.device)
        except EmergencyStopActive as refusal:
            plan.error, message = refusal, f"{refusal.message}, which broke it off"
        else:  # released in the same moment
            message = f"{stop.stop_id} broke it off"
            plan.error = EmergencyStopActive(message, hint="try again", stop_id=stop.stop_id)
        if plan.sent:
            plan.unknown = True
            await self._make_safe(plan, plan.error, message)

    async def _make_safe(self, plan: Plan, stop: DSMILError, message: str) -> None:
        """Drive the device to its safe state once more: this change may have come behind the stop's.

        What became of that is the end of the `message` with which the plan fails.
        """
        plan.error = _like(stop, message, stop.hint)  # nothing is said of it should this be cut short
        told, hint = await self._drive(plan.managed)
        plan.error = _like(stop, f"{message}: {told}", hint or stop.hint)

    async def _drive(self, managed: Managed) -> tuple[str, str]:
        """Drive a device to its safe state; what became of it, and what to do where it was not driven."""
        by_hand = f"look after {managed.device.shown_id} by hand"
        if not managed.stoppable:
            return "the device has no safe state that it could be driven to", by_hand
        try:
            await asyncio.shield(self._lifecycle.apply_safe_state(managed, self._deadline))
        except DSMILError as error:
            told = f"the device was NOT driven to its safe state again: {error.message}"
            return told, f"{by_hand}: {error.message}"
        return "the device was driven to its safe state again", ""

    async def _look(self, plan: Plan, register: Register) -> Reading:
        """What the register holds now; kept as what was read back."""
        reading = (await self._lifecycle.read(plan.managed, [register], deadline=self._deadline))[0]
        plan.read_back = reading.value
        return reading


def _can_confirm(register: Register) -> bool:
    return register.readable and not register.volatile


def _like(stop: DSMILError, message: str, hint: str) -> EmergencyStopActive:
    """The same refusal in other words."""
    stop_id = getattr(stop, "details", {}).get("stop_id", "")
    return EmergencyStopActive(message, hint=hint, target=stop.target, stop_id=stop_id)
