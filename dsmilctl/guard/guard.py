"""The guard: every change is checked, journalled, carried out, read back and journalled again."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.drivers.lifecycle import Lifecycle
from dsmilctl.drivers.managed import Managed
from dsmilctl.errors import DSMILError, HardwareError, OperationTimeout, ReadOnly, StateUnavailable
from dsmilctl.guard.checks import COMMANDS, Checks, compare
from dsmilctl.guard.journal import Entry, Journal
from dsmilctl.model.audit import AuditRecord
from dsmilctl.model.device import DeviceId
from dsmilctl.model.operation import Operation, OperationStatus, OperationType, Request
from dsmilctl.model.register import Register, Value

LOGGER = logging.getLogger("dsmilctl.guard")

REFUSALS = frozenset(
    (
        "EMERGENCY_STOP",
        "READ_ONLY",
        "DEVICE_QUARANTINED",
        "PERMISSION_DENIED",
        "JUSTIFICATION_REQUIRED",
        "APPROVAL_REQUIRED",
        "INVALID_PARAMETER",
        "CONFLICT",
        "RATE_LIMITED",
        "DEVICE_BUSY",
        "STATE_UNAVAILABLE",
    )
)
"""Codes that mean: the device was not told anything."""


class Plan:
    """One request on its way through the guard."""

    __slots__ = ("begun", "managed", "old", "operation_id", "register", "request")

    def __init__(self, managed: Managed, request: Request, operation_id: str, begun: float) -> None:
        self.managed = managed
        self.request = request
        self.operation_id = operation_id
        self.begun = begun
        self.register: Register | None = None
        self.old: Value | None = None


class Guard:
    """Stands before every change of one fleet."""

    def __init__(
        self,
        *,
        checks: Checks,
        lifecycle: Lifecycle,
        journal: Journal,
        clock: Clock = SYSTEM,
        deadline: float = 2.0,
    ) -> None:
        self.checks = checks
        self._lifecycle = lifecycle
        self._journal = journal
        self._clock = clock
        self._deadline = deadline

    async def change(self, managed: Managed, request: Request) -> Operation:
        """Carry out one change; raises the refusal, a failure is in the operation that comes back."""
        plan = self._plan(managed, request)
        try:
            await self._check(plan)
        except DSMILError as refusal:
            if not request.dry_run:
                await self._record([self._entry(plan, "DENIED", "DENIED", refusal)], strict=False)
            raise
        if request.dry_run:
            return self._operation(plan, OperationStatus.PLANNED)
        await self._record([self._entry(plan, "ALLOWED", "INTENT")])
        operation = await self._carry_out(plan)
        await self._record([self._outcome(plan, operation)], strict=False)
        return operation

    async def change_many(
        self,
        wanted: Sequence[tuple[Managed, Request]],
        *,
        concurrency: int = 0,
        stop_on_error: bool = False,
        progress: Callable[[Operation], None] | None = None,
    ) -> list[Operation]:
        """Carry out many changes: all checked and their intents journalled at once, then the devices told."""
        plans = [self._plan(managed, request) for managed, request in wanted]
        verdicts = await asyncio.gather(*(self._verdict(plan) for plan in plans))
        await self._record_intents(plans, verdicts)
        places = asyncio.Semaphore(concurrency or max(1, len(plans)))
        failed = asyncio.Event()
        outcomes: list[Entry] = []

        async def run(plan: Plan, verdict: Operation | None) -> Operation:
            async with places:
                if verdict is None and stop_on_error and failed.is_set():
                    operation = self._failed(plan, HardwareError("not begun: an earlier change failed"))
                else:
                    operation = verdict or await self._carry_out(plan)
                if verdict is None:
                    outcomes.append(self._outcome(plan, operation))
                if not operation.success:
                    failed.set()
                if progress:
                    progress(operation)
                return operation

        try:
            return await asyncio.gather(*(run(*item) for item in zip(plans, verdicts, strict=True)))
        finally:  # also when somebody interrupts: what is known goes into the journal
            await asyncio.shield(self._record(outcomes, strict=False))

    def check_release(self, justification: str) -> None:
        """Raise ReadOnly or JustificationRequired unless a stop may be released."""
        if self.checks.read_only:
            message = f"context {self.checks.context} is read-only: nothing was released"
            raise ReadOnly(message, hint="use a context that is not read-only")
        if self.checks.policy.justify_release:
            self.checks.require_justification(justification, "the release of an emergency stop")

    async def record_denied_reads(self, denied: Mapping[str, DSMILError]) -> None:
        """Journal reads that were refused, by the devices' shown ids."""
        identity = self.checks.identity
        entries = [
            Entry(
                user=identity.user,
                host=identity.host,
                context=self.checks.context,
                action="device.read",
                target=shown,
                parameters={"code": error.code},
                decision="DENIED",
                outcome="DENIED",
            )
            for shown, error in denied.items()
        ]
        await asyncio.to_thread(self._journal.append, entries)

    async def settle(self, devices: Mapping[DeviceId, Managed]) -> None:
        """Read back and record every change of this context whose process ended before its outcome."""
        left = [
            record for record in await asyncio.to_thread(self._journal.unfinished) if self._orphaned(record)
        ]
        by_name = {managed.device.shown_id: managed for managed in devices.values()}
        for record in left:
            found = await self._found(record, by_name.get(record.target))
            LOGGER.warning("%s of %s was cut off, outcome unknown; %s", record.action, record.target, found)
            await self._record([_unknown(record, found)])

    def _orphaned(self, record: AuditRecord) -> bool:
        return record.context == self.checks.context and not _alive(record.parameters.get("pid"))

    async def _found(self, record: AuditRecord, managed: Managed | None) -> str:
        name = record.parameters.get("register")
        registers = [item for item in managed.device.registers if item.name == name] if managed else []
        if managed is None or not registers or not registers[0].readable:
            return "it cannot be read back"
        reading = (await self._lifecycle.read(managed, registers, deadline=self._deadline))[0]
        return f"{name} reads {registers[0].format(reading.value) or reading.error}"

    async def _verdict(self, plan: Plan) -> Operation | None:
        """None when every check let the change pass and it is to be carried out."""
        try:
            await self._check(plan, bulk=True)
        except DSMILError as refusal:
            return self._failed(plan, refusal)
        return self._operation(plan, OperationStatus.PLANNED) if plan.request.dry_run else None

    async def _record_intents(self, plans: Sequence[Plan], verdicts: Sequence[Operation | None]) -> None:
        entries = []
        for plan, verdict in zip(plans, verdicts, strict=True):
            if verdict is None:
                entries.append(self._entry(plan, "ALLOWED", "INTENT"))
            elif not verdict.success and not plan.request.dry_run:
                entries.append(self._outcome(plan, verdict))
        await self._record(entries)

    def _plan(self, managed: Managed, request: Request) -> Plan:
        return Plan(managed, request, f"op-{os.urandom(8).hex()}", self._clock.monotonic())

    async def _check(self, plan: Plan, *, bulk: bool = False) -> None:
        managed, request = plan.managed, plan.request
        self.checks.before_value(managed, request, bulk=bulk)
        plan.register = self.checks.value(managed, request)
        if plan.register is not None and plan.register.readable:
            await self._read_old(plan, plan.register)
        self.checks.rate(managed.device, request.type)
        self.checks.state(managed)
        self._journal.check_writable()

    async def _read_old(self, plan: Plan, register: Register) -> None:
        reading = (await self._lifecycle.read(plan.managed, [register], deadline=self._deadline))[0]
        plan.old = reading.value
        if plan.request.if_value is not None:
            compare(plan.managed.device, register, plan.request.if_value, plan.old)

    async def _carry_out(self, plan: Plan) -> Operation:
        try:
            self.checks.latch(plan.managed.device)
            await self._tell(plan)
            return await self._read_back(plan)
        except DSMILError as error:
            return self._failed(plan, error)

    async def _tell(self, plan: Plan) -> None:
        managed, request = plan.managed, plan.request
        if plan.register is not None and request.value is not None:
            await self._lifecycle.apply_write(
                managed, plan.register, request.value, self._deadline, before=self.checks.latch
            )
        elif request.type is OperationType.RESET:
            await self._lifecycle.apply_reset(managed, self._deadline, before=self.checks.latch)
        else:
            name = request.command or COMMANDS[request.type]
            await self._lifecycle.apply_command(
                managed, name, dict(request.arguments), self._deadline, before=self.checks.latch
            )

    async def _read_back(self, plan: Plan) -> Operation:
        register, request = plan.register, plan.request
        if register is None or not request.verify or not register.readable or register.volatile:
            return self._operation(plan, OperationStatus.SUCCESS)
        reading = (await self._lifecycle.read(plan.managed, [register], deadline=self._deadline))[0]
        shown = plan.managed.device.shown_id
        if reading.value is None or request.value is None:
            message = f"{shown} took the write, but reading {register.name} back failed: {reading.error}"
            raise OperationTimeout(message, device_id=plan.managed.device.device_id, hint="read it again")
        if not register.confirms(request.value, reading.value):
            message = (
                f"{shown} {register.name} reads back as {register.format(reading.value)}, "
                f"not as {register.format(request.value)}"
            )
            operation = self._failed(plan, HardwareError(message, device_id=plan.managed.device.device_id))
            return _replace(operation, read_back=reading.value)
        return _replace(self._operation(plan, OperationStatus.SUCCESS), read_back=reading.value)

    def _failed(self, plan: Plan, error: DSMILError) -> Operation:
        status = OperationStatus.FAILED
        if isinstance(error, OperationTimeout):
            status = OperationStatus.TIMEOUT
        elif error.code in REFUSALS:
            status = OperationStatus.DENIED
        operation = self._operation(plan, status)
        return _replace(operation, error=error.message, error_code=error.code, hint=error.hint)

    def _operation(self, plan: Plan, status: OperationStatus) -> Operation:
        return Operation(
            operation_id=plan.operation_id,
            type=plan.request.type,
            status=status,
            device_id=plan.managed.device.device_id,
            register=plan.register.name if plan.register else plan.request.command,
            old=plan.old,
            new=plan.request.value,
            user=self.checks.identity.user,
            timestamp=self._clock.now(),
            duration_ms=(self._clock.monotonic() - plan.begun) * 1000,
        )

    def _entry(self, plan: Plan, decision: str, outcome: str, error: DSMILError | None = None) -> Entry:
        parameters: dict[str, Any] = {"register": plan.request.register, "value": plan.request.value}
        parameters |= {"command": plan.request.command, "arguments": dict(plan.request.arguments)}
        parameters |= {"justification": plan.request.justification, "old": plan.old}
        parameters |= {"origin": plan.request.origin, "pid": os.getpid()}
        if error is not None:
            parameters |= {"code": error.code, "error": error.message}
        return self._line(plan, decision, outcome, parameters)

    def _outcome(self, plan: Plan, operation: Operation) -> Entry:
        parameters: dict[str, Any] = {"register": operation.register, "read_back": operation.read_back}
        parameters |= {"code": operation.error_code, "error": operation.error}
        decision = "DENIED" if operation.status is OperationStatus.DENIED else "ALLOWED"
        return self._line(plan, decision, operation.status.value, parameters)

    def _line(self, plan: Plan, decision: str, outcome: str, parameters: dict[str, Any]) -> Entry:
        identity = self.checks.identity
        return Entry(
            user=identity.user,
            host=identity.host,
            context=self.checks.context,
            action=f"device.{plan.request.type.value.lower()}",
            target=plan.managed.device.shown_id,
            parameters={name: value for name, value in parameters.items() if value not in (None, "", {})},
            decision=decision,
            outcome=outcome,
            operation_id=plan.operation_id,
        )

    async def _record(self, entries: Sequence[Entry], *, strict: bool = True) -> None:
        """Write to the journal; where the change is over already (`strict` False) a failure is logged."""
        if not entries:
            return
        try:
            await asyncio.to_thread(self._journal.append, entries)
        except StateUnavailable as error:
            if strict:
                raise
            LOGGER.error("the journal missed %s: %s", entries[0].action, error)


def _alive(pid: object) -> bool:
    if not isinstance(pid, int):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _unknown(record: AuditRecord, found: str) -> Entry:
    return Entry(
        user=record.user,
        host=record.host,
        context=record.context,
        action=record.action,
        target=record.target,
        parameters={"found": found},
        outcome="UNKNOWN",
        operation_id=record.operation_id,
    )


def _replace(operation: Operation, **changes: Any) -> Operation:
    return msgspec.structs.replace(operation, **changes)
