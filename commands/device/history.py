"""History: `device history`: what was asked of one device."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from dsmilctl.client.interface import Client, HistoryQuery
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.rows import AUDIT_COLUMNS, audit_row
from dsmilctl.commands.runner import run
from dsmilctl.commands.targets import OneDevice, one_device
from dsmilctl.commands.times import moment
from dsmilctl.errors import InvalidParameter, nearest
from dsmilctl.model.audit import AuditRecord
from dsmilctl.model.operation import OperationType

app = Noun("device")


class HistoryOptions(msgspec.Struct, frozen=True):
    """Which operations of a device are wanted."""

    device: str
    since: str
    until: str
    type: str
    limit: int


@app.command(impact="read")
def history(
    device: OneDevice,
    since: Annotated[str, typer.Option(metavar="TIME", help="from: 2026-11-20T10:00Z, 2h (ago)")] = "",
    until: Annotated[str, typer.Option(metavar="TIME", help="up to")] = "",
    type_: Annotated[str, typer.Option("--type", metavar="TYPE", help="WRITE, CONFIG, RESET, …")] = "",
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="at most so many, newest first")] = 50,
) -> None:
    """Show what was asked of one device, newest first.  Source: the journal.

    Example: dsmilctl -C sim device history 0x8030 --since 2h
    """
    known = [kind.value for kind in OperationType]
    if type_ and type_.upper() not in known:
        hint = nearest(type_, known) or f"types: {', '.join(known)}"
        raise InvalidParameter(f"--type is never {type_!r}", hint=hint, target="--type")
    options = HistoryOptions(device, since, until, type_, limit)
    run(show_history, options, schema="device.history/1", columns=AUDIT_COLUMNS, empty="no operations")


async def show_history(client: Client, options: HistoryOptions) -> list[dict[str, Any]]:
    """The outcomes of operations on one device."""
    device = await one_device(client, options.device)
    records = await client.audit(
        HistoryQuery(
            device_id=device.device_id,
            since=moment(options.since),
            until=moment(options.until),
            action=f"device.{options.type.lower()}" if options.type else "",
            limit=options.limit * 2,
        )
    )
    ended = [record for record in records if record.outcome != "INTENT"][: options.limit]
    return [operation_record_row(record) for record in ended]


def operation_record_row(record: AuditRecord) -> dict[str, Any]:
    """A line of the journal as the operation that it is about."""
    row = audit_row(record)
    kind = record.action.rpartition(".")[2].upper()
    head = {"operation_id": record.operation_id, "type": kind, "status": record.outcome}
    return {**head, **row, "timestamp": row["time"]}
