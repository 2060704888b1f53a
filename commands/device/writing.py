"""Writing: `device write` and `device configure`: one register, or the settings of one device."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from dsmilctl.client.interface import Client
from dsmilctl.commands.changes import change_one, ensure_person
from dsmilctl.commands.device.control import ControlOptions, Settings, run_control
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.runner import Result, run
from dsmilctl.commands.targets import Approval, DryRun, Justification, OneDevice, Yes, one_device
from dsmilctl.errors import UsageError
from dsmilctl.model.operation import OperationType, Request
from dsmilctl.model.register import find_register

app = Noun("device")


class WriteOptions(msgspec.Struct, frozen=True, kw_only=True):
    """One write that somebody asks for."""

    device: str
    register: str
    value: str
    if_value: str
    justification: str
    verify: bool
    dry_run: bool
    yes: bool
    approval: str


@app.command(impact="write")
def write(
    device: OneDevice,
    register: Annotated[str, typer.Argument(metavar="REGISTER", help="the register's name or address")],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="the new value: 5, 0x10, -3.5, on")],
    justification: Justification = "",
    if_value: Annotated[str, typer.Option(metavar="V", help="only if the register holds this value")] = "",
    verify: Annotated[bool, typer.Option("--verify/--no-verify", help="read the register back")] = True,
    dry_run: DryRun = False,
    yes: Yes = False,
    approval: Approval = "",
) -> None:
    """Write one register: shows old → new, asks, writes, reads back.

    Example: dsmilctl -C sim device write 0x8030 CONFIG 5 --yes
    Example: dsmilctl -C sim device write 0x8001 DATA 0x10 --justification 'calibrate fan curve' --dry-run
    """
    options = WriteOptions(
        device=device,
        register=register,
        value=value,
        if_value=if_value,
        justification=justification,
        verify=verify,
        dry_run=dry_run,
        yes=yes,
        approval=approval,
    )
    ensure_person(yes=yes, dry_run=dry_run)
    run(write_register, options, schema="device.write/1")


async def write_register(client: Client, options: WriteOptions) -> Result:
    """The write and its outcome."""
    device = await one_device(client, options.device)
    register = find_register(device.registers, options.register)
    request = Request(
        device_id=device.device_id,
        type=OperationType.WRITE,
        register=register.name,
        value=register.parse(options.value),
        if_value=register.parse(options.if_value) if options.if_value else None,
        justification=options.justification,
        verify=options.verify,
        dry_run=options.dry_run,
        approval=options.approval,
        origin="device write",
    )
    return await change_one(client, request, device, yes=options.yes, register=register)


@app.command(impact="write")
def configure(
    device: OneDevice,
    settings: Settings = None,
    file: Annotated[str, typer.Option(metavar="FILE", help="settings as JSON, - for stdin")] = "",
    justification: Justification = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    approval: Approval = "",
) -> None:
    """Set settings of one device.

    Example: dsmilctl -C sim device configure 0x8030 threshold=1024 mode=continuous --yes
    """
    if not settings and not file:
        hint = f"dsmilctl device configure {device} threshold=1024, or --file FILE"
        raise UsageError("no setting is given", hint=hint, target="KEY=VALUE")
    run_control(
        ControlOptions(
            selector=device,
            verb="configure",
            type=OperationType.CONFIG,
            arguments=tuple(settings or ()),
            file=file,
            justification=justification,
            dry_run=dry_run,
            yes=yes,
            approval=approval,
        )
    )
