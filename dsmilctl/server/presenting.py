"""Presenting: the nouns as messages of the API."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from dsmilctl.client.standing import Standing
from dsmilctl.clock import rfc3339
from dsmilctl.errors import DeviceNotFound, PermissionDenied
from dsmilctl.model.audit import AuditRecord
from dsmilctl.model.device import Device, DeviceId, DeviceState, DeviceStatus
from dsmilctl.model.emergency import Stop
from dsmilctl.model.identity import Identity
from dsmilctl.model.operation import Operation
from dsmilctl.model.reading import Quality, Reading
from dsmilctl.model.register import Register
from dsmilctl.wire.devices import FIRMWARE, Constraints, DeviceInfo, LifecycleStatus, RegisterInfo
from dsmilctl.wire.emergency import ConfirmationInfo, StopInfo
from dsmilctl.wire.operations import Authorization, OperationAnswer, OperationResult
from dsmilctl.wire.system import AuditLine
from dsmilctl.wire.values import to_wire
from dsmilctl.wire.words import in_fields

SCOPES = ("ALL", "DEVICE_GROUP", "SINGLE_DEVICE")
EVERYTHING = "@all"
GROUP_SIZE = 12
FIRST_DEVICE = 0x8000
_NUMBER = re.compile(r"\d+")
PASSED = Authorization()
"""Of an operation that every check let through, on a device that nobody kept from the user."""


def device_info(
    device: Device, status: DeviceStatus, standing: Standing, commands: tuple[str, ...] = ()
) -> DeviceInfo:
    """A device as `GET /devices` shows it."""
    group, index = group_and_index(device)
    seen = None if status.last_seen is None else rfc3339(status.last_seen)
    return DeviceInfo(
        device_id=device.device_id,
        device_name=device.name,
        device_group=group,
        device_index=index,
        risk_level=device.risk.value,
        security_classification="RESTRICTED",
        required_clearance=standing.clearance,
        is_active=not device.quarantined and status.state is not DeviceState.ERROR,
        is_quarantined=device.quarantined,
        capabilities=capabilities_of(device),
        constraints=Constraints(
            max_operations_per_minute=standing.changes_per_minute,
            requires_dual_auth=standing.second_person,
        ),
        hardware_info=hardware_info(device),
        performance_metrics={
            "average_response_time_ms": standing.mean_latency_ms,
            "success_rate_percent": standing.success_percent,
            "last_accessed": seen,
        },
        driver=device.driver,
        group=device.group,
        state=status.state.value,
        default_register=device.default_register,
        key_registers=list(device.key_registers),
        commands=list(commands),
        state_reason=status.reason,
        state_since=rfc3339(status.since, 6) if status.since else "",
        register_model=register_model(device.registers),
    )


def hardware_info(device: Device) -> dict[str, str]:
    """The facts of a device, its firmware also under the name that the API has for it."""
    facts = dict(device.facts)
    if "firmware" in facts:
        facts.setdefault(FIRMWARE, facts["firmware"])
    return facts


@lru_cache(maxsize=256)
def register_model(registers: tuple[Register, ...]) -> str:
    """A name that devices share when they have the same registers: a client asks for them once."""
    return hashlib.sha256(msgspec.json.encode(registers)).hexdigest()[:16]


def group_and_index(device: Device) -> tuple[int | str, int]:
    """Group and index: of DSMIL devices by their facts or id, of others the group's name and 0."""
    facts = dict(device.facts)
    if not isinstance(device.device_id, int):
        return device.group, 0
    group, index = facts.get("group", ""), facts.get("index", "")
    if _NUMBER.fullmatch(group) and _NUMBER.fullmatch(index):
        return int(group), int(index)
    return divmod(device.device_id - FIRST_DEVICE, GROUP_SIZE)


def capabilities_of(device: Device) -> list[str]:
    """READ, WRITE and CONFIG, as far as the registers allow."""
    capabilities = ["READ"] if any(register.readable for register in device.registers) else []
    if any(register.writable for register in device.registers):
        capabilities += ["WRITE", "CONFIG"]
    return capabilities


def device_status(device: Device) -> str:
    """The status that the `status` filter compares, without the lifecycle: QUARANTINED or ACTIVE."""
    return "QUARANTINED" if device.quarantined else "ACTIVE"


def register_info(register: Register) -> RegisterInfo:
    """A register with its limits."""
    return RegisterInfo(**{name: getattr(register, name) for name in RegisterInfo.__struct_fields__})


def lifecycle_status(status: DeviceStatus) -> LifecycleStatus:
    """A lifecycle state."""
    return LifecycleStatus(
        device_id=status.device_id,
        state=status.state.value,
        reason=status.reason,
        since=rfc3339(status.since) if status.since else "",
        last_seen=None if status.last_seen is None else rfc3339(status.last_seen),
        error_code=status.error_code,
    )


def reading_result(reading: Reading, register: Register | None = None) -> OperationResult:
    """A reading as the result of a READ."""
    return OperationResult(
        data=to_wire(reading.value),
        register=reading.register,
        register_status="VALID" if reading.quality is Quality.GOOD else reading.quality.value.upper(),
        device_response_time_ms=round(reading.latency_ms or 0.0, 3),
        value=reading.value,
        type=register.type if register else "",
        unit=reading.unit,
        quality=reading.quality.value,
        timestamp=rfc3339(reading.timestamp, 6),
        error=reading.error,
        error_code=reading.error_code,
        raw=reading.raw,
        sequence=reading.sequence,
    )


def operation_answer(operation: Operation) -> OperationAnswer:
    """A change and how it ended."""
    result = OperationResult(
        data=to_wire(operation.read_back if operation.read_back is not None else operation.new),
        register=operation.register,
        register_status="VALID" if operation.success else "INVALID",
        value=operation.new,
        old=operation.old,
        read_back=operation.read_back,
        timestamp=rfc3339(operation.timestamp, 6),
    )
    return OperationAnswer(
        operation_id=operation.operation_id,
        device_id=operation.device_id,
        operation_type=operation.type.value,
        status=operation.status.value,
        result=result,
        timestamp=rfc3339(operation.timestamp),
        execution_time_ms=round(operation.duration_ms, 3),
        user_id=operation.user,
        audit_trail_id=operation.operation_id,
        authorization=Authorization(dual_auth_completed=bool(operation.approval)),
        error=operation.error,
        error_code=operation.error_code,
        hint=in_fields(operation.hint),
    )


def past_operation(device_id: DeviceId, ended: AuditRecord, asked: Mapping[str, Any]) -> OperationAnswer:
    """A change out of the journal: how it ended, and what was asked for before."""
    found = {**asked, **ended.parameters}
    old, new, read_back = (found.get(name) for name in ("old", "value", "read_back"))
    result = OperationResult(
        data=to_wire(read_back if read_back is not None else new),
        register=str(found.get("register") or found.get("command") or ""),
        register_status="VALID" if ended.outcome == "SUCCESS" else "INVALID",
        value=new,
        old=old,
        read_back=read_back,
        timestamp=rfc3339(ended.time, 6),
    )
    return OperationAnswer(
        operation_id=ended.operation_id,
        device_id=device_id,
        operation_type=ended.action.rpartition(".")[2].upper(),
        status=ended.outcome,
        result=result if ended.decision == "ALLOWED" else None,
        timestamp=rfc3339(ended.time),
        user_id=ended.user,
        audit_trail_id=ended.operation_id,
        error=str(found.get("error") or ""),
        error_code=str(found.get("code") or ""),
    )


def authorization_after(code: str, device_id: DeviceId, identity: Identity) -> Authorization:
    """Which checks an operation passed that ended with that error code (or with none)."""
    unknown = code == DeviceNotFound.code
    return Authorization(
        clearance_verified=not unknown and code != PermissionDenied.code,
        device_access_verified=not unknown and identity.may_see(device_id),
    )


def stop_info(stop: Stop, escalation: str = "IMMEDIATE") -> StopInfo:
    """A stop with what each device answered."""
    return StopInfo(
        stop_id=stop.stop_id,
        scope=_scope(stop),
        target_devices=list(stop.devices),
        reason=stop.reason,
        triggered_by=stop.triggered_by,
        triggered_at=rfc3339(stop.triggered_at),
        escalation_level=escalation,
        confirmed=list(stop.confirmed),
        unconfirmed=list(stop.unconfirmed),
        confirmations=[
            ConfirmationInfo(
                device_id=item.device_id,
                outcome=item.outcome.value,
                elapsed_ms=round(item.elapsed_ms, 3),
                attempts=item.attempts,
                error=item.error,
            )
            for item in stop.confirmations
        ],
        latched_ms=round(stop.latched_ms, 3),
        latch_error=stop.latch_error,
        latched=stop.latched,
        released_by=stop.released_by,
        released_at=None if stop.released_at is None else rfc3339(stop.released_at),
        selector="" if stop.scope in SCOPES else stop.scope,
        elsewhere=list(stop.elsewhere),
    )


def _scope(stop: Stop) -> str:
    """The API's word for what was stopped."""
    if stop.scope in SCOPES:
        return stop.scope
    return "ALL" if stop.scope == EVERYTHING else "SINGLE_DEVICE"


def audit_line(record: AuditRecord) -> AuditLine:
    """A record of the journal."""
    fields: dict[str, Any] = {
        name: getattr(record, name) for name in AuditLine.__struct_fields__ if name != "time"
    }
    return AuditLine(time=rfc3339(record.time, 6), **fields)
