"""`/audit`: the server's journal (an extension of ours)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from dsmilctl.client.interface import HistoryQuery
from dsmilctl.errors import InvalidParameter
from dsmilctl.model.identity import Clearance
from dsmilctl.server.endpoint import Call, Endpoint
from dsmilctl.server.presenting import audit_line
from dsmilctl.times import moment
from dsmilctl.wire.base import Pagination
from dsmilctl.wire.system import AuditAnchor, AuditCheck, AuditLine, AuditLog, AuditRestart
from dsmilctl.wire.values import device_id_of


class AuditQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which records are wanted; `count=false` does without their total, which costs a look at all."""

    device_id: str = ""
    since: str = ""
    until: str = ""
    action: str = ""
    outcome: str = ""
    user: str = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 50
    offset: Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)] = 0
    count: bool = True


async def audit(call: Call) -> AuditLog:
    """Records, newest first."""
    query: AuditQuery = call.query
    wanted = HistoryQuery(
        device_id=device_id_of(query.device_id) if query.device_id else None,
        since=moment(query.since),
        until=moment(query.until),
        action=query.action,
        outcome=query.outcome,
        user=query.user,
        limit=query.limit + 1,
        offset=query.offset,
    )
    records = await call.client.audit(wanted)
    lines = [audit_line(record) for record in records[: query.limit]]
    last = bool(records) or not query.offset
    ends_here = last and len(records) <= query.limit
    total = query.offset + len(records) if ends_here else None
    if total is None and query.count:
        total = await call.client.audit_count(wanted)
    return AuditLog(
        records=lines,
        pagination=Pagination(
            total=total, returned=len(lines), offset=query.offset, has_more=len(records) > query.limit
        ),
    )


class VerifyQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What has to be in the journal: a hash, or SEQUENCE:HASH."""

    anchor: Annotated[str, msgspec.Meta(max_length=128)] = ""


async def verify(call: Call) -> AuditCheck:
    """Check that no record was changed, removed, inserted or reordered."""
    verdict = await call.client.audit_verify(call.query.anchor)
    return msgspec.convert(msgspec.to_builtins(verdict), AuditCheck)


async def anchor(call: Call) -> AuditAnchor:
    """Where the journal ends now, to be kept where nobody can change it."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        exported = await call.client.audit_export(Path(folder) / "anchor.json")
    return AuditAnchor(**exported)


async def restart(call: Call) -> AuditLine:
    """Go on in a new segment behind a damaged journal, which stays as evidence."""
    if not call.body.reason.strip():
        raise InvalidParameter("a restart needs a reason", target="reason")
    return audit_line(await call.client.audit_restart(call.body.reason))


ENDPOINTS = (
    Endpoint(
        method="GET", path="/audit", handler=audit, query=AuditQuery, answer=AuditLog, summary="The journal",
        clearance=Clearance.TOP_SECRET, errors=("STATE_UNAVAILABLE",),
    ),
    Endpoint(
        method="GET", path="/audit/verify", handler=verify, query=VerifyQuery, answer=AuditCheck,
        summary="Check the journal", clearance=Clearance.TOP_SECRET, errors=("STATE_UNAVAILABLE",),
    ),
    Endpoint(
        method="GET", path="/audit/anchor", handler=anchor, answer=AuditAnchor,
        summary="Where the journal ends", clearance=Clearance.TOP_SECRET, errors=("STATE_UNAVAILABLE",),
    ),
    Endpoint(
        method="POST", path="/audit/restart", handler=restart, body=AuditRestart, answer=AuditLine,
        summary="Go on behind a damaged journal", clearance=Clearance.TOP_SECRET,
        errors=("STATE_UNAVAILABLE", "READ_ONLY"),
    ),
)  # fmt: skip
