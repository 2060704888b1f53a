"""Consents: one's own requests to a second person, matched with the change or release they are about."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from dsmilctl.client.interface import Client
from dsmilctl.errors import ApprovalRequired, DSMILError
from dsmilctl.model.approval import Approval, ApprovalStatus
from dsmilctl.model.emergency import Stop
from dsmilctl.model.operation import Request


async def approved(client: Client, request: Request, user: str) -> str:
    """The id of a second person's approval of exactly this change; empty where there is none."""
    try:
        known = await client.approvals(ApprovalStatus.APPROVED.value)
    except DSMILError:
        return ""  # whoever may see no approvals has none
    return next((item.approval_id for item in known if _is_about(item, request, user)), "")


async def ask(client: Client, request: Request) -> Approval:
    """Ask a second person to let this change through, once."""
    asked = msgspec.structs.replace(request, dry_run=False, if_value=None, approval="")
    return await client.request_approval(asked, justification=request.justification)


async def release(client: Client, justification: str, user: str, seen: Sequence[str]) -> list[Stop]:
    """Release the stops that were seen, with a second person's approval where one was asked for and given.

    A stop that came meanwhile stays: nobody has looked at it yet.
    """
    try:
        return await client.release(justification=justification, standing=seen)
    except ApprovalRequired:
        known = await client.approvals(ApprovalStatus.APPROVED.value)
        given = [item for item in known if _is_release(item, user)]
        if not given:
            raise
    return await client.release(justification=justification, approval=given[0].approval_id, standing=seen)


def _is_release(approval: Approval, user: str) -> bool:
    subject = approval.subject
    return approval.requested_by == user and subject.device_id is None and not subject.stop_id


def _is_about(approval: Approval, request: Request, user: str) -> bool:
    subject = approval.subject
    return (
        approval.requested_by == user
        and subject.operation_type == request.type.value
        and subject.device_id == request.device_id
        and subject.register == request.register
        and subject.value == request.value
        and subject.if_value is None
        and dict(subject.arguments) == dict(request.arguments)
    )
