"""`dsmilctl approval`: asking a second person, and being one."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from dsmilctl.client.interface import Client
from dsmilctl.clock import rfc3339
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.runner import run
from dsmilctl.commands.targets import Justification, one_device
from dsmilctl.errors import InvalidParameter, nearest
from dsmilctl.model.approval import Approval
from dsmilctl.model.device import show_id
from dsmilctl.model.operation import OperationType, Request, read_request
from dsmilctl.model.register import find_register
from dsmilctl.tables import Column

app = Noun("approval")
KINDS = tuple(kind.value.lower() for kind in OperationType if kind is not OperationType.COMMAND)
APPROVAL_COLUMNS = (
    Column("approval_id"),
    Column("status"),
    Column("operation", flexible=True),
    Column("requested_by"),
    Column("expires_at"),
    Column("decided_by"),
)
Id = Annotated[str, typer.Argument(metavar="ID", help="the approval")]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants approved."""

    device: str
    register: str
    value: str
    operation: str
    release: bool
    stop_id: str
    justification: str


class Verdict(msgspec.Struct, frozen=True):
    """The word of the second person."""

    approval_id: str
    approve: bool
    justification: str


def approval_row(approval: Approval) -> dict[str, Any]:
    """An approval as commands show it."""
    subject = approval.subject
    device = "" if subject.device_id is None else show_id(subject.device_id)
    value = "" if subject.value is None else f"= {subject.value}"
    words = (subject.operation_type, device, subject.register, value, subject.command, subject.stop_id)
    return {
        "approval_id": approval.approval_id,
        "status": approval.status.value,
        "operation": " ".join(word for word in words if word),
        "device_id": device or None,
        "requested_by": approval.requested_by,
        "requested_at": rfc3339(approval.requested_at),
        "expires_at": rfc3339(approval.expires_at),
        "justification": approval.justification,
        "decided_by": approval.decided_by,
        "decided_at": None if approval.decided_at is None else rfc3339(approval.decided_at),
        "decision_justification": approval.decision_justification,
        "operation_digest": approval.digest,
    }


@app.command("list", impact="read")
def list_(
    status: Annotated[
        str, typer.Option(metavar="STATUS", help="pending, approved, rejected, used or expired")
    ] = "",
) -> None:
    """List the approvals, newest first.

    Example: dsmilctl approval list --status pending
    """
    run(
        list_approvals,
        status,
        schema="approval.list/1",
        columns=APPROVAL_COLUMNS,
        empty="nobody has asked for an approval",
    )


async def list_approvals(client: Client, status: str) -> list[dict[str, Any]]:
    """The approvals of a status, or all."""
    return [approval_row(item) for item in await client.approvals(status)]


@app.command(impact="write")
def request(
    device: Annotated[str, typer.Argument(metavar="[DEV]", help="the device")] = "",
    register: Annotated[str, typer.Argument(metavar="[REGISTER]", help="the register to write or read")] = "",
    value: Annotated[str, typer.Argument(metavar="[VALUE]", help="the value to write")] = "",
    operation: Annotated[str, typer.Option(metavar="KIND", help=", ".join(KINDS))] = "write",
    release: Annotated[bool, typer.Option("--release", help="the release of an emergency stop")] = False,
    stop_id: Annotated[str, typer.Option(metavar="ID", help="with --release: of this stop alone")] = "",
    justification: Justification = "",
) -> None:
    """Ask a second person to let exactly one operation through, once, within fifteen minutes.

    Example: dsmilctl approval request 0x8001 CONFIG 0x5 --justification 'new fan curve'
    Example: dsmilctl approval request --release --justification 'the smoke is gone'
    """
    asked = Asked(
        device=device,
        register=register,
        value=value,
        operation=operation,
        release=release,
        stop_id=stop_id,
        justification=justification,
    )
    if operation not in KINDS:
        hint = nearest(operation, KINDS) or f"one of {', '.join(KINDS)}"
        raise InvalidParameter(f"no operation {operation!r}", hint=hint, target="--operation")
    if release == bool(device):
        raise InvalidParameter("name a device, or --release", target="DEV")
    run(ask, asked, schema="approval.request/1")


async def ask(client: Client, asked: Asked) -> dict[str, Any]:
    """The request that now waits for somebody else."""
    wanted = None if asked.release else await _request(client, asked)
    kept = await client.request_approval(wanted, justification=asked.justification, stop_id=asked.stop_id)
    return approval_row(kept)


async def _request(client: Client, asked: Asked) -> Request:
    device = await one_device(client, asked.device)
    kind = OperationType(asked.operation.upper())
    if kind is OperationType.READ:
        return read_request(device.device_id, [asked.register] if asked.register else [])
    if kind is not OperationType.WRITE:
        return Request(device_id=device.device_id, type=kind, origin="approval request")
    register = find_register(device.registers, asked.register)
    if not asked.value:
        raise InvalidParameter("a write needs a value", hint="approval request DEV REGISTER VALUE")
    return Request(
        device_id=device.device_id,
        type=kind,
        register=register.name,
        value=register.parse(asked.value),
        origin="approval request",
    )


@app.command(impact="write")
def approve(approval_id: Id, justification: Justification = "") -> None:
    """Consent to what somebody else asked for; it covers that one operation, once.

    Example: dsmilctl approval approve approval-0123456789abcdef01 --justification 'checked with the shift'
    """
    run(decide, Verdict(approval_id, True, justification), schema="approval.approve/1")


@app.command(impact="write")
def reject(approval_id: Id, justification: Justification = "") -> None:
    """Refuse what somebody else asked for.

    Example: dsmilctl approval reject approval-0123456789abcdef01 --justification 'not during the test'
    """
    run(decide, Verdict(approval_id, False, justification), schema="approval.reject/1")


async def decide(client: Client, verdict: Verdict) -> dict[str, Any]:
    """The approval as it is decided."""
    decided = await client.decide_approval(
        verdict.approval_id, approve=verdict.approve, justification=verdict.justification
    )
    return approval_row(decided)
