"""History: `device history`: what was asked of one device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import typer

from dsmilctl import diagnostics
from dsmilctl.client.interface import Client, HistoryQuery
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.rows import audit_row
from dsmilctl.commands.runner import run
from dsmilctl.commands.targets import Offset, OneDevice, one_device, tell_rest
from dsmilctl.commands.times import moment
from dsmilctl.errors import InvalidParameter, nearest
from dsmilctl.model.audit import AuditRecord
from dsmilctl.model.operation import OperationType
from dsmilctl.tables import Column, Row, plain

app = Noun("device")
INTENT = "INTENT"
"""The outcome of the line that is written before a device is told anything."""


class HistoryOptions(msgspec.Struct, frozen=True):
    """Which operations of a device are wanted."""

    device: str
    since: str
    until: str
    type: str
    limit: int
    offset: int


@app.command(impact="read")
def history(
    device: OneDevice,
    since: Annotated[str, typer.Option(metavar="TIME", help="from: 2026-11-20T10:00Z, 2h (ago)")] = "",
    until: Annotated[str, typer.Option(metavar="TIME", help="up to")] = "",
    type_: Annotated[str, typer.Option("--type", metavar="TYPE", help="WRITE, CONFIG, RESET, …")] = "",
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="at most so many, newest first")] = 50,
    offset: Offset = 0,
) -> None:
    """Show what was asked of one device, newest first.  Source: the journal.

    Example: dsmilctl -C sim device history 0x8030 --since 2h
    """
    known = [kind.value for kind in OperationType]
    if type_ and type_.upper() not in known:
        hint = nearest(type_, known) or f"types: {', '.join(known)}"
        raise InvalidParameter(f"--type cannot be {type_!r}", hint=hint, target="--type")
    options = HistoryOptions(device, since, until, type_, limit, offset)
    run(show_history, options, schema="device.history/1", columns=COLUMNS, empty="no operations")


async def show_history(client: Client, options: HistoryOptions) -> list[dict[str, Any]]:
    """The operations on one device: what was asked, and how it ended."""
    device = await one_device(client, options.device)
    query = HistoryQuery(
        device_id=device.device_id,
        since=moment(options.since),
        until=moment(options.until),
        action=f"device.{options.type.lower()}" if options.type else "",
        limit=(options.offset + options.limit) * 2,
    )
    records = await client.audit(query)
    if len(records) == query.limit and len(_ended(records)) < options.offset + options.limit:
        records = await client.audit(msgspec.structs.replace(query, limit=0))
    asked = {record.operation_id: record for record in records if record.outcome == INTENT}
    shown = _ended(records)[options.offset : options.offset + options.limit]
    if diagnostics.is_terminal():
        begun = msgspec.structs.replace(query, outcome=INTENT)
        total = await client.audit_count(query) - await client.audit_count(begun)
        tell_rest(len(shown), options.offset, total, "operations")
    return [_row(record, asked.get(record.operation_id)) for record in shown]


def _ended(records: Sequence[AuditRecord]) -> list[AuditRecord]:
    return [record for record in records if record.outcome != INTENT]


def _row(ended: AuditRecord, asked: AuditRecord | None) -> dict[str, Any]:
    """One operation; its parameters are those of both its lines in the journal."""
    row = audit_row(ended)
    if asked is not None:
        row["parameters"] = {**asked.parameters, **ended.parameters}
    kind = ended.action.rpartition(".")[2].upper()
    return {"operation_id": ended.operation_id, "type": kind, "status": ended.outcome, **row} | {
        "timestamp": row["time"]
    }


def _what(row: Row) -> str:
    """What was asked: `CONFIG 3 → 5`, or the command with its arguments."""
    parameters = row["parameters"]
    words = [parameters.get("register"), parameters.get("command"), plain(parameters.get("arguments"))]
    if "value" in parameters:
        words.append(f"{plain(parameters.get('old', '?'))} → {plain(parameters['value'])}")
    return " ".join(str(word) for word in words if word)


COLUMNS = (
    Column("timestamp", "TIME"),
    Column("type"),
    Column("status"),
    Column("parameters", "WHAT", text=_what, flexible=True),
    Column("user"),
    Column("why", text=lambda row: plain(row["parameters"].get("justification")), flexible=True, sparse=True),
    Column("error", text=lambda row: plain(row["parameters"].get("error")), flexible=True, sparse=True),
    Column("operation_id", wide=True),
)
