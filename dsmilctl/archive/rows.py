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
SUMMED = {"operations": OPERATION_COLUMNS, "events": EVENT_COLUMNS}
"""Tables whose rows carry a checksum, and the columns that it covers."""


def insert_of(table: str) -> str:
    """The statement that puts a row with its checksum into a table."""
    names = (*SUMMED[table], "checksum")
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
