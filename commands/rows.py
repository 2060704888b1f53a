"""Rows: the nouns as the stable JSON fields that scripts rely on, and the columns that people see."""

from __future__ import annotations

from typing import Any

from dsmilctl.clock import rfc3339
from dsmilctl.model.audit import AuditRecord
from dsmilctl.model.device import Device, DeviceStatus, show_id
from dsmilctl.model.emergency import Confirmation, Stop
from dsmilctl.model.operation import BulkResult, Operation
from dsmilctl.model.reading import Reading
from dsmilctl.model.register import Register, Value
from dsmilctl.tables import Column, Row, plain

HEXADECIMAL = frozenset({"STATUS", "CONFIG", "DATA", "ERROR"})


def when(timestamp: int | None) -> str | None:
    """A time for programs, or None."""
    return None if timestamp is None else rfc3339(timestamp)


def device_row(device: Device, status: DeviceStatus) -> dict[str, Any]:
    """A device as `device list` shows it."""
    return {
        "device_id": device.shown_id,
        "name": device.name,
        "driver": device.driver,
        "group": device.group,
        "risk": device.risk.value,
        "state": status.state.value,
        "quarantined": device.quarantined,
        "last_seen": when(status.last_seen),
    }


DEVICE_COLUMNS = (
    Column("device_id", "DEVICE"),
    Column("name", flexible=True),
    Column("group"),
    Column("risk"),
    Column(
        "state", text=lambda row: f"{row['state']}, quarantined" if row["quarantined"] else str(row["state"])
    ),
    Column("driver", wide=True),
    Column("last_seen", wide=True),
)


def state_row(status: DeviceStatus) -> dict[str, Any]:
    """A lifecycle state."""
    return {
        "device_id": show_id(status.device_id),
        "state": status.state.value,
        "reason": status.reason or None,
        "since": when(status.since or None),
    }


STATE_COLUMNS = (
    Column("device_id", "DEVICE"),
    Column("state"),
    Column("since"),
    Column("reason", flexible=True),
)


def register_row(register: Register) -> dict[str, Any]:
    """A register as `device registers` shows it."""
    return {
        "register": register.name,
        "address": register.address,
        "type": register.type,
        "unit": register.unit,
        "access": register.access,
        "min": register.minimum,
        "max": register.maximum,
        "step": register.step,
        "low": register.low,
        "high": register.high,
        "safe": register.safe,
        "description": register.description,
    }


REGISTER_COLUMNS = (
    Column("register"),
    Column("address", text=lambda row: f"0x{row['address']:02X}", right=True),
    Column("type"),
    Column("unit"),
    Column("access"),
    Column("min", right=True),
    Column("max", right=True),
    Column("high", "ALARM", right=True),
    Column("safe", text=lambda row: shown_value(row, "safe"), right=True),
    Column("low", wide=True, right=True),
    Column("step", wide=True, right=True),
    Column("description", flexible=True),
)


def shown_value(row: Row, field: str = "value") -> str:
    """A value of a register as a person reads it: words of bits in hexadecimal."""
    value = row.get(field)
    if isinstance(value, int) and not isinstance(value, bool) and row.get("register") in HEXADECIMAL:
        return f"0x{value:08X}"
    return plain(value)


def reading_row(reading: Reading) -> dict[str, Any]:
    """A reading as `device read` shows it."""
    return {
        "device_id": show_id(reading.device_id),
        "register": reading.register,
        "value": reading.value,
        "raw": reading.raw,
        "unit": reading.unit,
        "quality": reading.quality.value,
        "timestamp": when(reading.timestamp),
        "latency_ms": None if reading.latency_ms is None else round(reading.latency_ms, 3),
        "error": {"code": reading.error_code, "message": reading.error} if reading.error else None,
    }


def _error_text(row: Row) -> str:
    error = row.get("error")
    if isinstance(error, dict):
        return f"{error['message']} ({error['code']})" if error["code"] else str(error["message"])
    return plain(error)


READING_COLUMNS = (
    Column("device_id", "DEVICE"),
    Column("register"),
    Column("value", text=shown_value, right=True),
    Column("unit"),
    Column("quality"),
    Column("timestamp", wide=True),
    Column("latency_ms", "LATENCY MS", wide=True, right=True),
    Column("error", text=_error_text, flexible=True),
)


def operation_row(operation: Operation) -> dict[str, Any]:
    """An operation as `device write` shows it."""
    return {
        "operation_id": operation.operation_id,
        "type": operation.type.value,
        "status": operation.status.value,
        "device_id": show_id(operation.device_id),
        "register": operation.register,
        "old": operation.old,
        "new": operation.new,
        "read_back": operation.read_back,
        "error": {"code": operation.error_code, "message": operation.error} if operation.error else None,
        "user": operation.user,
        "timestamp": when(operation.timestamp),
        "duration_ms": round(operation.duration_ms, 3),
    }


OPERATION_COLUMNS = (
    Column("device_id", "DEVICE"),
    Column("register"),
    Column("status"),
    Column("old", text=lambda row: shown_value(row, "old"), right=True),
    Column("new", text=lambda row: shown_value(row, "new"), right=True),
    Column("read_back", "READ BACK", text=lambda row: shown_value(row, "read_back"), right=True),
    Column("operation_id", wide=True),
    Column("error", text=_error_text, flexible=True),
)


def bulk_row(result: BulkResult, results: list[dict[str, Any]]) -> dict[str, Any]:
    """A bulk with its counts and its results."""
    summary = result.summary
    counts = {"total": summary.total, "successful": summary.successful, "failed": summary.failed}
    counts |= {"denied": summary.denied, "timeouts": summary.timeouts}
    return {"id": result.id, "status": result.status, "summary": counts, "results": results}


def confirmation_row(confirmation: Confirmation) -> dict[str, Any]:
    """What one device answered to a stop."""
    return {
        "device_id": show_id(confirmation.device_id),
        "outcome": confirmation.outcome.value,
        "elapsed_ms": round(confirmation.elapsed_ms, 1),
        "attempts": confirmation.attempts,
        "error": confirmation.error or None,
    }


def stop_row(stop: Stop) -> dict[str, Any]:
    """A stop as `emergency stop`, `status`, `history` and `release` show it."""
    return {
        "stop_id": stop.stop_id,
        "scope": stop.scope,
        "reason": stop.reason,
        "triggered_by": stop.triggered_by,
        "triggered_at": when(stop.triggered_at),
        "confirmed": [show_id(device_id) for device_id in stop.confirmed],
        "unconfirmed": [show_id(device_id) for device_id in stop.unconfirmed],
        "latched_ms": round(stop.latched_ms, 2),
        "latch_error": stop.latch_error or None,
        "released_by": stop.released_by or None,
        "released_at": when(stop.released_at),
    }


STOP_COLUMNS = (
    Column("stop_id", "STOP"),
    Column("scope"),
    Column("triggered_at", "SINCE"),
    Column("triggered_by", "BY"),
    Column("confirmed", text=lambda row: str(len(row["confirmed"])), right=True),
    Column("unconfirmed", text=lambda row: ", ".join(row["unconfirmed"]) or "none", flexible=True),
    Column("reason", flexible=True),
    Column("released_at", "RELEASED", wide=True),
    Column("released_by", wide=True),
)


def audit_row(record: AuditRecord) -> dict[str, Any]:
    """A line of the journal."""
    return {
        "sequence": record.sequence,
        "time": rfc3339(record.time, 6),
        "user": record.user,
        "host": record.host,
        "context": record.context,
        "action": record.action,
        "target": record.target,
        "decision": record.decision,
        "outcome": record.outcome,
        "operation_id": record.operation_id,
        "parameters": record.parameters,
        "previous": record.previous,
        "hash": record.hash,
    }


AUDIT_COLUMNS = (
    Column("sequence", "SEQ", right=True),
    Column("time"),
    Column("user"),
    Column("context"),
    Column("action"),
    Column("target"),
    Column("outcome"),
    Column("parameters", flexible=True),
    Column("host", wide=True),
    Column("operation_id", wide=True),
    Column("hash", wide=True),
)


def parse_value(register: Register | None, text: str) -> Value:
    """What the text of a command line means, for a register or for a free setting."""
    if register is not None:
        return register.parse(text)
    folded = text.casefold()
    if folded in ("true", "false"):
        return folded == "true"
    for kind in (lambda item: int(item, 0), float):
        try:
            number: int | float = kind(text)
        except ValueError:
            continue
        return number
    return text
