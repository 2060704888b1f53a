"""Mapping: messages of the API as the nouns of the model, so that a face cannot tell where a fleet is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from dsmilctl.client.remote.answers import GOOD, item_error
from dsmilctl.clock import SYSTEM
from dsmilctl.model.approval import Approval, ApprovalStatus, Subject
from dsmilctl.model.audit import AuditRecord
from dsmilctl.model.device import Device, DeviceState, DeviceStatus, Risk
from dsmilctl.model.emergency import Confirmation, Stop, StopOutcome
from dsmilctl.model.operation import (
    BulkResult,
    BulkSummary,
    Operation,
    OperationStatus,
    OperationType,
    Request,
)
from dsmilctl.model.reading import Batch, Quality, Reading
from dsmilctl.model.register import Register
from dsmilctl.wire.devices import FIRMWARE, DeviceInfo, LifecycleStatus, RegisterInfo
from dsmilctl.wire.emergency import Approval as ApprovalInfo
from dsmilctl.wire.emergency import StopInfo
from dsmilctl.wire.messages import StateBatch
from dsmilctl.wire.operations import BulkAnswer, OperationAnswer, OperationResult
from dsmilctl.wire.system import AuditLine, ReadingInfo
from dsmilctl.wire.values import from_wire
from dsmilctl.wire.words import in_options

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@lru_cache(maxsize=1024)
def nanoseconds(text: str) -> int:
    """A moment in RFC 3339 as nanoseconds UTC; 0 for none, or for one that cannot be read."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return 0
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - EPOCH) // MICROSECOND * 1000


def device_of(info: DeviceInfo, registers: tuple[Register, ...]) -> Device:
    """A device; `registers` are shared between devices of one model."""
    known = {register.name for register in registers}
    return Device(
        device_id=info.device_id,
        name=info.device_name,
        driver=info.driver,
        registers=registers,
        group=info.group,
        risk=Risk.MEDIUM if info.risk_level == "MODERATE" else Risk(info.risk_level),
        quarantined=info.is_quarantined,
        default_register=info.default_register,
        key_registers=tuple(name for name in info.key_registers if name in known),
        facts=tuple(
            (name, str(value))
            for name, value in info.hardware_info.items()
            if name != FIRMWARE or "firmware" not in info.hardware_info
        ),
    )


def register_of(info: RegisterInfo) -> Register:
    """A register with its limits."""
    fields: dict[str, Any] = {name: getattr(info, name) for name in RegisterInfo.__struct_fields__}
    return Register(**{**fields, "choices": tuple(info.choices)})


def status_of(info: DeviceInfo) -> DeviceStatus:
    """The lifecycle state that came with a device."""
    seen = info.performance_metrics.get("last_accessed")
    return DeviceStatus(
        device_id=info.device_id,
        state=DeviceState(info.state) if info.state else DeviceState.UNKNOWN,
        reason=info.state_reason,
        since=nanoseconds(info.state_since),
        last_seen=nanoseconds(seen) if isinstance(seen, str) else None,
    )


def lifecycle_of(status: LifecycleStatus) -> DeviceStatus:
    """The state after a lifecycle verb."""
    return DeviceStatus(
        device_id=status.device_id,
        state=DeviceState(status.state),
        reason=status.reason,
        since=nanoseconds(status.since),
        last_seen=None if status.last_seen is None else nanoseconds(status.last_seen),
        error_code=status.error_code,
    )


def readings_of(answer: OperationAnswer, asked: Sequence[str]) -> list[Reading]:
    """The readings in the answer to a READ; a device that failed fails for each register asked for."""
    if answer.result is None:
        error = item_error(answer)
        return [
            Reading(
                device_id=answer.device_id,
                register=name,
                value=None,
                timestamp=nanoseconds(answer.timestamp) or SYSTEM.now(),
                quality=Quality.BAD,
                error=error.message,
                error_code=error.code,
            )
            for name in asked or ("",)
        ]
    if answer.result.values:
        return [_reading(answer, item.get) for item in answer.result.values]
    return [_reading(answer, _getter(answer.result))]


def _getter(result: OperationResult) -> Any:
    return lambda name, default=None: getattr(result, name, default)


def _reading(answer: OperationAnswer, get: Any) -> Reading:
    value = get("value")
    return Reading(
        device_id=answer.device_id,
        register=get("register", ""),
        value=value if value is not None else from_wire(get("data")),
        timestamp=nanoseconds(get("timestamp", "") or answer.timestamp),
        unit=get("unit", ""),
        quality=Quality(get("quality", "good")),
        latency_ms=get("device_response_time_ms"),
        raw=get("raw"),
        error=get("error", ""),
        error_code=get("error_code", ""),
        sequence=get("sequence", 0),
    )


def reading_of(info: ReadingInfo) -> Reading:
    """A reading of a stream."""
    return Reading(
        info.device_id,
        info.register,
        info.value,
        nanoseconds(info.timestamp),
        info.unit,
        Quality(info.quality),
        info.raw,
        info.latency_ms,
        info.error,
        info.error_code,
        info.sequence,
    )


def batch_of(batch: StateBatch, number: int) -> Batch:
    """One tick of a stream."""
    readings = tuple(reading_of(item) for item in batch.readings if item.register)
    stamp = batch.timestamp or (batch.readings[0].timestamp if batch.readings else "")
    return Batch(
        sequence=number,
        timestamp=nanoseconds(stamp),
        readings=readings,
        failed=tuple(batch.failed),
        latency_ms=batch.latency_ms,
        partial=batch.partial,
        pending=tuple(batch.pending),
    )


def operation_of(answer: OperationAnswer, request: Request, user: str = "") -> Operation:
    """How a change of `user` ended; what the answer leaves open is that of the request."""
    found = answer.result or OperationResult()
    wanted = request.register or request.command
    return Operation(
        operation_id=answer.operation_id,
        type=OperationType(answer.operation_type),
        status=OperationStatus(answer.status),
        device_id=answer.device_id,
        register=found.register or wanted,
        old=found.old,
        new=found.value if found.value is not None else request.value,
        read_back=found.read_back,
        error=answer.error,
        error_code=answer.error_code,
        hint=in_options(answer.hint),
        user=answer.user_id or user,
        timestamp=nanoseconds(found.timestamp or answer.timestamp) or SYSTEM.now(),
        duration_ms=answer.execution_time_ms,
    )


def bulk_of(answer: BulkAnswer, operations: Sequence[Operation]) -> BulkResult:
    """A bulk with its operations."""
    statuses = [operation.status for operation in operations]
    summary = BulkSummary(
        total=len(statuses),
        successful=sum(status.value in GOOD for status in statuses),
        failed=statuses.count(OperationStatus.FAILED),
        denied=statuses.count(OperationStatus.DENIED),
        timeouts=statuses.count(OperationStatus.TIMEOUT),
    )
    status = "PARTIAL" if summary.successful else "FAILED"
    whole = "COMPLETED" if summary.successful == summary.total else status
    return BulkResult(answer.bulk_operation_id, whole, summary, tuple(operations))


def stop_of(info: StopInfo) -> Stop:
    """An emergency stop with what each device answered."""
    confirmations = tuple(
        Confirmation(item.device_id, StopOutcome(item.outcome), item.elapsed_ms, item.attempts, item.error)
        for item in info.confirmations
    ) or tuple(
        Confirmation(device_id, outcome)
        for ids, outcome in (
            (info.confirmed, StopOutcome.STOPPED),
            (info.unconfirmed, StopOutcome.UNCONFIRMED),
        )
        for device_id in ids
    )
    return Stop(
        stop_id=info.stop_id,
        scope=info.selector or ("@all" if info.scope == "ALL" else info.scope),
        reason=info.reason,
        triggered_by=info.triggered_by,
        triggered_at=nanoseconds(info.triggered_at),
        devices=tuple(info.target_devices),
        confirmations=confirmations,
        latched_ms=info.latched_ms,
        latch_error=info.latch_error,
        latched=info.latched,
        released_by=info.released_by,
        released_at=None if info.released_at is None else nanoseconds(info.released_at),
        elsewhere=tuple(info.elsewhere),
    )


def approval_of(info: ApprovalInfo) -> Approval:
    """An approval; hashes of definitions and of the policy stay with the server."""
    said = info.operation.get
    subject = Subject(
        fleet="",
        operation_type=str(said("operation_type", "")),
        device_id=said("device_id"),
        register=str(said("register", "")),
        value=from_wire(said("value")),
        if_value=from_wire(said("if_value")),
        command=str(said("command", "")),
        arguments=tuple(dict(said("settings") or {}).items()),
        stop_id=str(said("stop_id", "")),
    )
    return Approval(
        approval_id=info.approval_id,
        status=ApprovalStatus(info.status),
        subject=subject,
        digest=info.operation_digest,
        level="",
        requested_by=info.requested_by,
        requested_at=nanoseconds(info.requested_at),
        expires_at=nanoseconds(info.expires_at),
        justification=info.justification,
        decided_by=info.decided_by,
        decided_at=None if info.decided_at is None else nanoseconds(info.decided_at),
        decision_justification=info.decision_justification,
    )


def record_of(line: AuditLine) -> AuditRecord:
    """A record of the journal."""
    fields: dict[str, Any] = {name: getattr(line, name) for name in AuditLine.__struct_fields__}
    return AuditRecord(**{**fields, "time": nanoseconds(line.time)})
