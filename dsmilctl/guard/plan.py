"""Plan: one change on its way through the guard, and what becomes known of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from dsmilctl.clock import Clock
from dsmilctl.drivers.managed import Managed
from dsmilctl.errors import DSMILError, OperationTimeout, Refused
from dsmilctl.guard.evidence import Evidence
from dsmilctl.guard.journal import Entry
from dsmilctl.model.operation import Operation, OperationStatus, OperationType, Reference, Request
from dsmilctl.model.register import Register, Value

if TYPE_CHECKING:
    from dsmilctl.guard.journal import Request as Intent
    from dsmilctl.guard.since import Since

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
        "REFUSED",
    )
)
"""Codes that mean: somebody said no, and the device was not told anything."""


class Plan:
    """One request on its way through the guard.

    `kind` is what the policy judges it as.  `error` is what stood in its way; `sent` says that the driver was
    called, `unknown` that nobody can say whether the device did it, `operation` how it ended, `approved` that
    it used its approval up, `broken` that it was ended before its end, `since` the stops that came when its
    device was looked at.  `intended` is its intent on the way into the journal, or there.
    """

    __slots__ = (
        "approved", "begun", "broken", "bulk", "clock", "error", "intended", "kind", "managed", "old",
        "operation", "operation_id", "read_back", "reference", "register", "request", "sent", "since",
        "unknown",
    )  # fmt: skip

    def __init__(
        self, managed: Managed, request: Request, kind: OperationType, clock: Clock, bulk: str
    ) -> None:
        self.managed = managed
        self.request = request
        self.kind = kind
        self.clock = clock
        self.bulk = bulk
        self.operation_id = Plan.new_id()
        self.begun = clock.monotonic()
        self.register: Register | None = None
        self.old: Value | None = None
        self.read_back: Value | None = None
        self.reference: Reference | None = None
        self.error: DSMILError | None = None
        self.approved = False
        self.broken = False
        self.intended: Intent | None = None
        self.sent = False
        self.since: Since | None = None
        self.unknown = False
        self.operation: Operation | None = None

    @staticmethod
    def new_id() -> str:
        """An id that ties an outcome to its intent."""
        return f"op-{os.urandom(8).hex()}"

    @property
    def refused(self) -> bool:
        """Whether something stood in its way before the device was told anything."""
        return self.error is not None and not self.sent

    def break_off(self, why: str) -> None:
        """End it before its end: unknown where the device was told, else never begun."""
        self.broken = True
        if not self.sent:
            self.error = Refused(f"not begun: {why}")
            return
        device = self.managed.device
        message = f"{why} after {device.shown_id} was told, so the outcome is unknown"
        hint = f"look at {device.shown_id} before you try again: it was not sent twice"
        self.error, self.unknown = OperationTimeout(message, device_id=device.device_id, hint=hint), True

    def ended(self, user: str) -> Operation:
        """The operation as it ended: by the error, else as planned or done."""
        planned = OperationStatus.PLANNED if self.request.dry_run else OperationStatus.SUCCESS
        operation = self.as_operation(user, planned if self.error is None else self._failure(self.error))
        if self.error is not None:
            operation = msgspec.structs.replace(
                operation, error=self.error.message, error_code=self.error.code, hint=self.error.hint
            )
        self.operation = operation
        return operation

    def _failure(self, error: DSMILError) -> OperationStatus:
        if self.unknown:
            return OperationStatus.TIMEOUT
        refused = error.code in REFUSALS and not self.sent
        return OperationStatus.DENIED if refused else OperationStatus.FAILED

    def as_operation(self, user: str, status: OperationStatus) -> Operation:
        """What is known now, under that status."""
        return Operation(
            operation_id=self.operation_id,
            type=self.request.type,
            status=status,
            device_id=self.managed.device.device_id,
            register=self.register.name if self.register else self.request.command or self.request.register,
            old=self.old,
            new=self.request.value,
            read_back=self.read_back,
            user=user,
            timestamp=self.clock.now(),
            duration_ms=(self.clock.monotonic() - self.begun) * 1000,
            approval=self.request.approval if self.approved else "",
            reference=self.reference,
        )

    def intent(self, evidence: Evidence) -> Entry:
        """The record before the device is told."""
        return self._entry(evidence, "INTENT", self._asked())

    def refusal(self, evidence: Evidence, operation: Operation) -> Entry:
        """The record of a change that never began."""
        return self._entry(evidence, operation.status.value, self._asked() | self._problem())

    def outcome(self, evidence: Evidence) -> Entry:
        """The record of how it ended."""
        known = self._problem() | {"read_back": self.read_back}
        if self.reference is not None:
            known |= {"reference": msgspec.structs.asdict(self.reference)}
        if self.operation is None or (self.broken and self.sent):
            return self._entry(evidence, "UNKNOWN", known)
        return self._entry(evidence, self.operation.status.value, known)

    def _asked(self) -> dict[str, object]:
        request = self.request
        return {
            "register": self.register.name if self.register else request.register,
            "value": request.value,
            "command": request.command,
            "arguments": dict(request.arguments),
            "justification": request.justification,
            "approval": request.approval,
            "old": self.old,
            "if_value": request.if_value,
            "origin": request.origin,
            "bulk": self.bulk,
        }

    def _problem(self) -> dict[str, object]:
        if self.error is None:
            return {}
        return {"code": self.error.code, "error": self.error.message}

    def _entry(self, evidence: Evidence, outcome: str, parameters: dict[str, object]) -> Entry:
        return evidence.entry(
            f"device.{self.request.type.value.lower()}",
            self.managed.device.shown_id,
            outcome,
            parameters,
            decision="DENIED" if outcome == "DENIED" else "ALLOWED",
            operation_id=self.operation_id,
        )
