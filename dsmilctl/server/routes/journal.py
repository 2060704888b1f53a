"""`/audit`: the server's journal (an extension of ours)."""

from __future__ import annotations

from typing import Annotated

import msgspec

from dsmilctl.client.interface import HistoryQuery
from dsmilctl.model.identity import Clearance
from dsmilctl.server.endpoint import Call, Endpoint
from dsmilctl.server.presenting import audit_line
from dsmilctl.times import moment
from dsmilctl.wire.base import Pagination
from dsmilctl.wire.system import AuditLog
from dsmilctl.wire.values import device_id_of


class AuditQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which records are wanted."""

    device_id: str = ""
    since: str = ""
    until: str = ""
    action: str = ""
    outcome: str = ""
    user: str = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 50


async def audit(call: Call) -> AuditLog:
    """Records, newest first."""
    query: AuditQuery = call.query
    records = await call.client.audit(
        HistoryQuery(
            device_id=device_id_of(query.device_id) if query.device_id else None,
            since=moment(query.since),
            until=moment(query.until),
            action=query.action,
            outcome=query.outcome,
            user=query.user,
            limit=query.limit,
        )
    )
    lines = [audit_line(record) for record in records]
    return AuditLog(records=lines, pagination=Pagination(total=len(lines), returned=len(lines)))


ENDPOINTS = (
    Endpoint(
        method="GET", path="/audit", handler=audit, query=AuditQuery, answer=AuditLog, summary="The journal",
        clearance=Clearance.TOP_SECRET, errors=("STATE_UNAVAILABLE",),
    ),
)  # fmt: skip
