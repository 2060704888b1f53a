"""Operation: a request to read, write, configure, activate, deactivate or reset, and its outcome."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from dsmilctl.model.device import DeviceId
from dsmilctl.model.reading import Span
from dsmilctl.model.register import Value


class OperationType(StrEnum):
    """What an operation asks of a device."""

    READ = "READ"
    WRITE = "WRITE"
    CONFIG = "CONFIG"
    ACTIVATE = "ACTIVATE"
    DEACTIVATE = "DEACTIVATE"
    RESET = "RESET"
    COMMAND = "COMMAND"


class OperationStatus(StrEnum):
    """How an operation ended; PLANNED is a dry run that every check let pass."""

    SUCCESS = "SUCCESS"
    PENDING = "PENDING"
    FAILED = "FAILED"
    DENIED = "DENIED"
    TIMEOUT = "TIMEOUT"
    PLANNED = "PLANNED"


class Request(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One change that somebody asks for.

    WRITE uses `register` and `value`; CONFIG, ACTIVATE, DEACTIVATE, RESET and COMMAND use `command` and
    `arguments`.  `if_value` is the value the register must hold for the write to happen; `dry_run` goes
    through every check and stops before the driver; `attempt` marks a dry run whose refusal is evidence,
    since the change itself was asked for; `origin` is the command or screen that asked;
    `dual_auth` asks for a second person although the policy may not.
    """

    device_id: DeviceId
    type: OperationType
    register: str = ""
    value: Value | None = None
    command: str = ""
    arguments: tuple[tuple[str, Value], ...] = ()
    justification: str = ""
    if_value: Value | None = None
    verify: bool = True
    dry_run: bool = False
    attempt: bool = False
    approval: str = ""
    origin: str = ""
    dual_auth: bool = False

    @property
    def is_evidence(self) -> bool:
        """Whether a refusal belongs into the journal: the change was asked for, not only tried out."""
        return self.attempt or not self.dry_run


def read_request(
    device_id: DeviceId,
    registers: Sequence[str],
    span: Span | None = None,
    *,
    justification: str = "",
    approval: str = "",
) -> Request:
    """A read as a request, for what has to be asked or approved before it."""
    return Request(
        device_id=device_id,
        type=OperationType.READ,
        register=",".join(registers),
        arguments=(("length", span.length), ("offset", span.offset)) if span else (),
        justification=justification,
        approval=approval,
    )


class Reference(msgspec.Struct, frozen=True, gc=False):
    """What another system that carried out an operation calls it: its id there, and in the journal there."""

    system: str
    operation_id: str
    journal: str = ""


class Operation(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One request and how it ended.

    `old` and `read_back` are the register before and after; `reference` is there where another system
    carried it out; `approval` is the one that was used up.
    """

    operation_id: str
    type: OperationType
    status: OperationStatus
    device_id: DeviceId
    register: str = ""
    old: Value | None = None
    new: Value | None = None
    read_back: Value | None = None
    error: str = ""
    error_code: str = ""
    hint: str = ""
    user: str = ""
    timestamp: int = 0
    duration_ms: float = 0.0
    approval: str = ""
    reference: Reference | None = None

    @property
    def success(self) -> bool:
        """Whether the change is known to have happened (or, in a dry run, would be let through)."""
        return self.status in (OperationStatus.SUCCESS, OperationStatus.PLANNED)


class BulkSummary(msgspec.Struct, frozen=True):
    """Counts of a bulk operation."""

    total: int
    successful: int
    failed: int
    denied: int
    timeouts: int


class BulkResult(msgspec.Struct, frozen=True):
    """A bulk of changes: `status` is COMPLETED, PARTIAL or FAILED, `results` in the order asked for."""

    id: str
    status: str
    summary: BulkSummary
    results: tuple[Operation, ...]


def summarize(statuses: list[OperationStatus]) -> BulkSummary:
    """Count how the operations of a bulk ended."""
    good = (OperationStatus.SUCCESS, OperationStatus.PLANNED, OperationStatus.PENDING)
    return BulkSummary(
        total=len(statuses),
        successful=sum(status in good for status in statuses),
        failed=statuses.count(OperationStatus.FAILED),
        denied=statuses.count(OperationStatus.DENIED),
        timeouts=statuses.count(OperationStatus.TIMEOUT),
    )


def bulk_status(summary: BulkSummary) -> str:
    """COMPLETED when all succeeded, FAILED when none did, else PARTIAL."""
    if summary.successful == summary.total:
        return "COMPLETED"
    return "PARTIAL" if summary.successful else "FAILED"
