"""Rows: records of the journal and events as the archive keeps them, each with a checksum."""

from __future__ import annotations

import zlib
from typing import Any

import msgspec

from dsmilctl.model.audit import AuditRecord
from dsmilctl.model.device import show_id
from dsmilctl.model.event import Event

OPERATION_COLUMNS = (
    "session_id", "timestamp", "sequence", "user", "host", "context", "action", "target", "parameters",
    "decision", "outcome", "operation_id", "previous", "hash",
)  # fmt: skip
EVENT_COLUMNS = ("session_id", "timestamp", "type", "severity", "device", "message")
PLAIN = {
    "system_metrics": (
        "session_id", "metric_timestamp", "cpu_percent", "memory_percent", "memory_available_gb",
        "disk_usage_percent", "system_load_1min", "system_load_5min", "system_load_15min", "uptime_hours",
        "process_count", "created_at",
    ),
    "thermal_readings": (
        "session_id", "reading_timestamp", "sensor_name", "temperature_celsius", "critical_temp",
        "warning_temp", "thermal_state", "fan_speed_rpm", "thermal_throttling", "created_at",
    ),
    "kernel_messages": (
        "session_id", "message_timestamp", "log_level", "subsystem", "message_text", "raw_message",
        "correlation_tags", "created_at",
    ),
}  # fmt: skip
"""Tables of the seed that a recorder fills, and the columns that it knows."""

SUMMED = {"operations": OPERATION_COLUMNS, "events": EVENT_COLUMNS}
"""Tables whose rows carry a checksum, and the columns that it covers."""


def insert_of(table: str) -> str:
    """The statement that puts a row, with its checksum where the table has one, into a table."""
    names = PLAIN[table] if table in PLAIN else (*SUMMED[table], "checksum")
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"


def checksum_of(row: tuple[Any, ...]) -> int:
    """CRC-32 of a row's fields in order: finds every single flipped bit.  Source: ISO 3309."""
    return zlib.crc32(msgspec.msgpack.encode(row))


def operation_row(recording_id: str, record: AuditRecord) -> tuple[Any, ...]:
    """A record of the journal as a row of `operations`."""
    row = (
        recording_id, record.time, record.sequence, record.user, record.host, record.context, record.action,
        record.target, msgspec.json.encode(record.parameters).decode(), record.decision, record.outcome,
        record.operation_id, record.previous, record.hash,
    )  # fmt: skip
    return (*row, checksum_of(row))


def event_row(recording_id: str, event: Event) -> tuple[Any, ...]:
    """An event as a row of `events`."""
    device = None if event.device_id is None else show_id(event.device_id)
    row = (
        recording_id,
        event.timestamp,
        event.type,
        event.severity.name.lower(),
        device,
        event.message.encode("utf-8", "backslashreplace").decode(),
    )
    return (*row, checksum_of(row))
