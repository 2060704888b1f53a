"""`/approvals`: the consent of a second person to exactly one operation."""

from __future__ import annotations

from typing import Any

import msgspec

from dsmilctl.clock import rfc3339
from dsmilctl.errors import InvalidParameter, NotFound
from dsmilctl.model.approval import RELEASE
from dsmilctl.model.approval import Approval as Kept
from dsmilctl.model.identity import Clearance
from dsmilctl.model.operation import OperationType, Request, read_request
from dsmilctl.server.endpoint import Call, Endpoint
from dsmilctl.server.routes.changes import change_request
from dsmilctl.server.routes.devices import device_of
from dsmilctl.server.routes.reads import span_of
from dsmilctl.wire.emergency import Approval, ApprovalRequest, Approvals, ApprovalVerdict
from dsmilctl.wire.values import to_wire

KINDS = (*OperationType, RELEASE)


class ApprovalsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which approvals are wanted: those of one status, or all."""

    status: str = ""


async def request(call: Call) -> Approval:
    """Ask a second person to let exactly this operation through, once."""
    wanted: ApprovalRequest = call.body
    if wanted.operation_type not in KINDS:
        hint = f"one of {', '.join(KINDS)}"
        raise InvalidParameter(f"no operation {wanted.operation_type!r}", hint=hint, target="operation_type")
    asked = None if wanted.operation_type == RELEASE else await _asked(call, wanted)
    kept = await call.client.request_approval(
        asked, justification=wanted.justification, stop_id=wanted.stop_id
    )
    return approval_info(kept)


async def _asked(call: Call, wanted: ApprovalRequest) -> Request:
    """The operation as the guard will meet it."""
    if wanted.device_id is None:
        raise InvalidParameter(f"{wanted.operation_type} needs a device_id", target="device_id")
    device, data = await device_of(call, wanted.device_id), wanted.operation_data
    if wanted.operation_type == "READ":
        names = list(data.registers) or ([data.register] if data.register else [])
        return read_request(device.device_id, names, span_of(data))
    if wanted.command:
        return Request(
            device_id=device.device_id,
            type=OperationType.COMMAND,
            command=wanted.command,
            arguments=tuple(data.settings.items()),
            origin="api",
        )
    return change_request(device, wanted.operation_type, data, "")


async def list_(call: Call) -> Approvals:
    """The approvals about devices that this user may see, newest first."""
    return Approvals(
        approvals=[approval_info(item) for item in await call.client.approvals(call.query.status)]
    )


async def get(call: Call) -> Approval:
    """One approval."""
    wanted = call.path["approval_id"]
    for item in await call.client.approvals():
        if item.approval_id == wanted:
            return approval_info(item)
    raise NotFound(f"no approval {wanted!r}", hint="GET /api/v2/approvals", target=wanted)


async def approve(call: Call) -> Approval:
    """Consent, as a second person."""
    return await _decide(call, approve=True)


async def reject(call: Call) -> Approval:
    """Refuse, as a second person."""
    return await _decide(call, approve=False)


async def _decide(call: Call, *, approve: bool) -> Approval:
    kept = await call.client.decide_approval(
        call.path["approval_id"], approve=approve, justification=call.body.justification
    )
    return approval_info(kept)


def approval_info(kept: Kept) -> Approval:
    """An approval as it travels: its operation with what is not said left out."""
    subject = kept.subject
    said: dict[str, Any] = {
        "operation_type": subject.operation_type,
        "device_id": subject.device_id,
        "register": subject.register,
        "value": None if subject.value is None else to_wire(subject.value),
        "if_value": None if subject.if_value is None else to_wire(subject.if_value),
        "command": subject.command,
        "settings": dict(subject.arguments),
        "stop_id": subject.stop_id,
    }
    return Approval(
        approval_id=kept.approval_id,
        status=kept.status.value,
        operation={key: value for key, value in said.items() if value not in (None, "", {})},
        operation_digest=kept.digest,
        requested_by=kept.requested_by,
        requested_at=rfc3339(kept.requested_at),
        expires_at=rfc3339(kept.expires_at),
        justification=kept.justification,
        decided_by=kept.decided_by,
        decided_at=None if kept.decided_at is None else rfc3339(kept.decided_at),
        decision_justification=kept.decision_justification,
    )


ASKING = ("APPROVAL_REQUIRED", "DEVICE_NOT_FOUND", "JUSTIFICATION_REQUIRED", "READ_ONLY", "STATE_UNAVAILABLE")
DECIDING = ("APPROVAL_REQUIRED", "NOT_FOUND", "CONFLICT", "READ_ONLY", "STATE_UNAVAILABLE")
ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        method="POST", path="/approvals", handler=request, body=ApprovalRequest, answer=Approval, status=201,
        summary="Ask for a second person's approval", errors=ASKING, clearance=Clearance.CONFIDENTIAL,
    ),
    Endpoint(
        method="GET", path="/approvals", handler=list_, query=ApprovalsQuery, answer=Approvals,
        summary="List approvals", errors=("APPROVAL_REQUIRED", "STATE_UNAVAILABLE"),
        clearance=Clearance.CONFIDENTIAL,
    ),
    Endpoint(
        method="GET", path="/approvals/{approval_id}", handler=get, answer=Approval, summary="One approval",
        errors=DECIDING, clearance=Clearance.CONFIDENTIAL,
    ),
    Endpoint(
        method="POST", path="/approvals/{approval_id}/approve", handler=approve, body=ApprovalVerdict,
        answer=Approval, summary="Approve as the second person", errors=DECIDING,
        clearance=Clearance.CONFIDENTIAL,
    ),
    Endpoint(
        method="POST", path="/approvals/{approval_id}/reject", handler=reject, body=ApprovalVerdict,
        answer=Approval, summary="Reject as the second person", errors=DECIDING,
        clearance=Clearance.CONFIDENTIAL,
    ),
)  # fmt: skip
