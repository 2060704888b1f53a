"""Replayed: operations and events out of a recording, as those that were there saw them."""

from __future__ import annotations

from typing import Any

import msgspec

from dsmilctl.archive.choosing import device_named
from dsmilctl.client.interface import HistoryQuery
from dsmilctl.model.audit import AuditRecord
from dsmilctl.model.device import show_id
from dsmilctl.model.dotted import fits
from dsmilctl.model.event import Event, Severity


def event_of(row: tuple[Any, ...]) -> Event:
    """An event out of a description."""
    timestamp, kind, severity, device, message = row
    identity = None if device is None else device_named(device, None).device_id
    return Event(kind, message, timestamp, Severity[severity.upper()], identity)


def record_of(row: tuple[Any, ...]) -> AuditRecord:
    """A record of the journal out of a description."""
    moment, sequence, user, host, context, action, target, parameters, decision, outcome, *rest = row
    return AuditRecord(
        time=moment, sequence=sequence, user=user, host=host, context=context, action=action, target=target,
        parameters=msgspec.json.decode(parameters), decision=decision, outcome=outcome, operation_id=rest[0],
        previous=rest[1], hash=rest[2],
    )  # fmt: skip


def fitting(record: AuditRecord, query: HistoryQuery) -> bool:
    """Whether a record is one of those that are asked for."""
    return (
        (query.device_id is None or record.target == show_id(query.device_id))
        and (query.since is None or record.time >= query.since)
        and (query.until is None or record.time <= query.until)
        and fits(query.action, record.action)
        and query.outcome in ("", record.outcome)
        and query.user in ("", record.user)
    )
