"""Control: `device activate`, `deactivate`, `reset` and `command`."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from dsmilctl.client.interface import Client
from dsmilctl.commands.changes import change_many, change_one, ensure_person
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.rows import operation_columns
from dsmilctl.commands.runner import Result, run
from dsmilctl.commands.targets import (
    Approval,
    DryRun,
    Justification,
    OneDevice,
    Targets,
    Yes,
    one_device,
    selector_of,
)
from dsmilctl.commands.values import settings_of
from dsmilctl.model.device import Device
from dsmilctl.model.operation import OperationType, Request

app = Noun("device")
Settings = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="settings: threshold=1024")
]


class ControlOptions(msgspec.Struct, frozen=True, kw_only=True):
    """One control operation on the devices of a selector."""

    selector: str
    verb: str
    type: OperationType
    command: str = ""
    arguments: tuple[str, ...] = ()
    file: str = ""
    justification: str = ""
    dry_run: bool = False
    yes: bool = False
    approval: str = ""

    def request(self, device: Device) -> Request:
        """What is asked of one device; raises InvalidParameter."""
        return Request(
            device_id=device.device_id,
            type=self.type,
            command=self.command,
            arguments=settings_of(self.arguments, self.file),
            justification=self.justification,
            dry_run=self.dry_run,
            approval=self.approval,
            origin=f"device {self.verb}",
        )


def run_control(options: ControlOptions, *, several: bool = False) -> None:
    """Run a control operation on one device, or on `several` that a selector names."""
    ensure_person(yes=options.yes, dry_run=options.dry_run)
    run(control_many if several else control_one, options, schema=f"device.{options.verb}/1")


async def control_one(client: Client, options: ControlOptions) -> Result:
    """One control operation."""
    device = await one_device(client, options.selector)
    return await change_one(client, options.request(device), device, yes=options.yes)


async def control_many(client: Client, options: ControlOptions) -> Result:
    """A control operation on every device of the selection; several are one plan with one question."""
    devices = await client.devices(selector_of(options.selector))
    requests = [options.request(device) for device in devices]
    if len(requests) == 1:
        alone = await change_one(client, requests[0], devices[0], yes=options.yes)
        return msgspec.structs.replace(alone, data=[alone.data])
    outcome = await change_many(client, requests, devices, yes=options.yes)
    return Result(outcome.rows, outcome.status, columns=operation_columns(devices))


@app.command(impact="write")
def activate(
    targets: Targets,
    justification: Justification = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    approval: Approval = "",
) -> None:
    """Activate devices.

    Example: dsmilctl -C sim device activate 0x8030 --yes
    """
    _simple(OperationType.ACTIVATE, targets, justification, dry_run, yes, approval)


@app.command(impact="write")
def deactivate(
    targets: Targets,
    justification: Justification = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    approval: Approval = "",
) -> None:
    """Deactivate devices.

    Example: dsmilctl -C sim device deactivate 0x8030 --yes
    """
    _simple(OperationType.DEACTIVATE, targets, justification, dry_run, yes, approval)


@app.command(impact="danger")
def reset(
    targets: Targets,
    justification: Justification = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    approval: Approval = "",
) -> None:
    """Bring devices back to their start state.

    Example: dsmilctl -C sim device reset 0x8030 --yes
    """
    _simple(OperationType.RESET, targets, justification, dry_run, yes, approval)


def _simple(
    kind: OperationType, targets: str, justification: str, dry_run: bool, yes: bool, approval: str
) -> None:
    options = ControlOptions(
        selector=targets,
        verb=kind.lower(),
        type=kind,
        justification=justification,
        dry_run=dry_run,
        yes=yes,
        approval=approval,
    )
    run_control(options, several=True)


@app.command(impact="write")
def command(
    device: OneDevice,
    name: Annotated[str, typer.Argument(metavar="NAME", help="a command of the device's driver")],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="what the command is given")
    ] = None,
    justification: Justification = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    approval: Approval = "",
) -> None:
    """Carry out a command that the device's driver declares; `device show` lists them.

    Example: dsmilctl -C sim device command 0x8030 identify --yes
    """
    run_control(
        ControlOptions(
            selector=device,
            verb="command",
            type=OperationType.COMMAND,
            command=name,
            arguments=tuple(arguments or ()),
            justification=justification,
            dry_run=dry_run,
            yes=yes,
            approval=approval,
        )
    )
