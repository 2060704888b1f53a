"""Rows: the nouns as the stable JSON fields that scripts rely on, and the columns that people see."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dsmilctl.clock import rfc3339
from dsmilctl.commands.id_ranges import counted_ids
from dsmilctl.model.audit import AuditRecord
from dsmilctl.model.device import Device, DeviceStatus, show_id
from dsmilctl.model.emergency import Confirmation, Stop
from dsmilctl.model.operation import BulkResult, Operation
from dsmilctl.model.reading import Reading
from dsmilctl.model.register import Register
from dsmilctl.tables import Column, Row, plain


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
    Column("reason", flexible=True, sparse=True),
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


def register_columns(registers: Iterable[Register]) -> tuple[Column, ...]:
    """The columns of `device registers`, every limit as its register is read."""
    known = {register.name: register for register in registers}

    def limit(field: str, heading: str = "", **shape: bool) -> Column:
        return Column(field, heading, lambda row: known[row["register"]].format(row[field]), **shape)

    return (
        Column("register"),
        Column("address", text=lambda row: f"0x{row['address']:02X}", right=True),
        Column("type"),
        Column("unit", sparse=True),
        Column("access"),
        limit("min", right=True, sparse=True),
        limit("max", right=True, sparse=True),
        limit("low", "LOW ALARM", right=True, sparse=True),
        limit("high", "HIGH ALARM", right=True, sparse=True),
        limit("safe", "SAFE STATE", right=True, sparse=True),
        Column("step", wide=True, right=True),
        Column("description", flexible=True, sparse=True),
    )


def hexadecimal(devices: Iterable[Device]) -> frozenset[str]:
    """The names of the registers whose values are bits, which people read in hexadecimal."""
    models = {id(device.registers): device.registers for device in devices}.values()
    return frozenset(register.name for model in models for register in model if register.hexadecimal)


def _value(field: str, bits: frozenset[str], heading: str = "", *, sparse: bool = False) -> Column:
    """A column of values; those of the registers in `bits` are shown in hexadecimal."""

    def text(row: Row) -> str:
        value = row.get(field)
        if isinstance(value, int) and not isinstance(value, bool) and row.get("register") in bits:
            return f"0x{value:08X}"
        return plain(value)

    return Column(field, heading, text, right=True, sparse=sparse)


def _error_text(row: Row) -> str:
    error = row.get("error")
    if isinstance(error, dict):
        return f"{error['message']} ({error['code']})" if error["code"] else str(error["message"])
    return plain(error)


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


def reading_columns(devices: Iterable[Device] = ()) -> tuple[Column, ...]:
    """The columns of readings of these devices."""
    return (
        Column("device_id", "DEVICE"),
        Column("register"),
        _value("value", hexadecimal(devices)),
        Column("unit", sparse=True),
        Column("quality"),
        Column("timestamp", wide=True),
        Column("latency_ms", "LATENCY MS", wide=True, right=True),
        Column("error", text=_error_text, flexible=True, sparse=True),
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
    } | _elsewhere(operation)


def _elsewhere(operation: Operation) -> dict[str, Any]:
    """What another system calls it, where one carried it out."""
    reference = operation.reference
    if reference is None:
        return {}
    told = {"system": reference.system, "operation_id": reference.operation_id, "journal": reference.journal}
    return {"reference": told}


def _operation_text(row: Row) -> str:
    """What was asked: `write CONFIG`, `activate`, `command identify`."""
    return f"{row['type'].lower()} {row['register']}".rstrip()


def operation_columns(devices: Iterable[Device] = ()) -> tuple[Column, ...]:
    """The columns of operations on these devices."""
    bits = hexadecimal(devices)
    return (
        Column("device_id", "DEVICE"),
        Column("operation", text=_operation_text),
        Column("status"),
        _value("old", bits, sparse=True),
        _value("new", bits, sparse=True),
        _value("read_back", bits, sparse=True),
        Column("operation_id", wide=True),
        Column("error", text=_error_text, flexible=True, sparse=True),
    )


def bulk_row(result: BulkResult, results: list[dict[str, Any]], *, kept: bool = True) -> dict[str, Any]:
    """A bulk with its counts and its results; one that was only planned is not `kept` and has no id."""
    summary = result.summary
    counts = {"total": summary.total, "successful": summary.successful, "failed": summary.failed}
    counts |= {"denied": summary.denied, "timeouts": summary.timeouts}
    return {"id": result.id if kept else None, "status": result.status, "summary": counts, "results": results}


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
        "triggered_at": when(stop.triggered_at or None),
        "confirmed": [show_id(device_id) for device_id in stop.confirmed],
        "unconfirmed": [show_id(device_id) for device_id in stop.unconfirmed],
        "latched": stop.latched,
        "latched_ms": round(stop.latched_ms, 2),
        "latch_error": stop.latch_error or None,
        "released_by": stop.released_by or None,
        "released_at": when(stop.released_at),
        "elsewhere": list(stop.elsewhere),
    }


STOP_COLUMNS = (
    Column("stop_id", "STOP"),
    Column("scope"),
    Column("triggered_at", "SINCE"),
    Column("triggered_by", "BY"),
    Column("confirmed", text=lambda row: str(len(row["confirmed"])), right=True),
    Column("unconfirmed", text=lambda row: counted_ids(row["unconfirmed"]), flexible=True),
    Column("elsewhere", "ALSO STOPPED AT", sparse=True),
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
