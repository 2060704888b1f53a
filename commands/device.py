"""`dsmilctl device`: list, read, write and control devices."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from dsmilctl.client.interface import Client, HistoryQuery
from dsmilctl.commands.changes import change_one, ensure_person, settings_of
from dsmilctl.commands.grammar import Noun
from dsmilctl.commands.reads import ReadOptions, read_once, watch
from dsmilctl.commands.rows import (
    AUDIT_COLUMNS,
    DEVICE_COLUMNS,
    OPERATION_COLUMNS,
    READING_COLUMNS,
    REGISTER_COLUMNS,
    STATE_COLUMNS,
    audit_row,
    device_row,
    operation_row,
    parse_value,
    register_row,
    state_row,
)
from dsmilctl.commands.runner import Result, run, run_live
from dsmilctl.commands.targets import (
    Approval,
    DryRun,
    Justification,
    OneDevice,
    OptionalTargets,
    Registers,
    Targets,
    Yes,
    noted,
    one_device,
    selector_of,
)
from dsmilctl.commands.times import moment
from dsmilctl.errors import DeviceNotFound, InvalidParameter
from dsmilctl.model.device import DeviceState
from dsmilctl.model.operation import OperationType, Request
from dsmilctl.model.reading import Span
from dsmilctl.model.register import find_register

app = Noun("device")


class ListOptions(msgspec.Struct, frozen=True):
    """Which devices are wanted."""

    selector: str
    group: str
    risk: str
    status: str
    quarantined: bool


@app.command("list", impact="read")
def list_(
    targets: OptionalTargets = "",
    group: Annotated[str, typer.Option(metavar="NAME", help="only this group")] = "",
    risk: Annotated[str, typer.Option(metavar="LEVEL", help="only LOW, MEDIUM, HIGH or CRITICAL")] = "",
    status: Annotated[str, typer.Option(metavar="STATE", help="only devices in this state")] = "",
    quarantined: Annotated[bool, typer.Option("--quarantined", help="quarantined devices, too")] = False,
) -> None:
    """List devices.

    The state is the last known one: a device that nothing has spoken to yet is `discovered`.

    Example: dsmilctl -C sim device list risk=CRITICAL --quarantined
    """
    options = ListOptions(targets, group, risk, status, quarantined)
    run(list_devices, options, schema="device.list/1", columns=DEVICE_COLUMNS, empty="no devices")


async def list_devices(client: Client, options: ListOptions) -> list[dict[str, Any]]:
    """The devices asked for with their last known states."""
    terms = [options.selector or "@all"]
    terms += [f"group={options.group}"] if options.group else []
    terms += [f"risk={options.risk}"] if options.risk else []
    found = await client.devices(selector_of(",".join(terms)), quarantined=options.quarantined)
    if not options.selector and not options.group and not options.risk:
        noted(client, found)
    statuses = await client.statuses(found)
    rows = [device_row(device, status) for device, status in zip(found, statuses, strict=True)]
    if options.status:
        _check_state(options.status)
        rows = [row for row in rows if row["state"] == options.status.casefold()]
    return rows


def _check_state(text: str) -> None:
    known = [state.value for state in DeviceState]
    if text.casefold() not in known:
        raise InvalidParameter(f"no state {text!r}", hint=f"states: {', '.join(known)}", target="--status")


@app.command(impact="read")
def show(device: OneDevice) -> None:
    """Show one device with its registers and commands.

    Example: dsmilctl -C sim device show 0x8001
    """
    run(show_device, device, schema="device.show/1")


async def show_device(client: Client, text: str) -> dict[str, Any]:
    """Everything that is known of one device."""
    device = await one_device(client, text)
    status = (await client.statuses([device]))[0]
    kinds = {info.name: info for info in await client.drivers()}
    driver = kinds.get(device.driver)
    return {
        **device_row(device, status),
        "reason": status.reason or None,
        "capabilities": list(driver.capabilities) if driver else [],
        "commands": list(driver.commands) if driver else [],
        "registers": [register.name for register in device.registers],
        "default_register": device.default_register,
        "hardware": dict(device.facts),
        "limits": {
            register.name: {"min": register.minimum, "max": register.maximum, "low": register.low}
            | {"high": register.high, "safe": register.safe}
            for register in device.registers
        },
    }


@app.command(impact="read")
def registers(device: OneDevice) -> None:
    """Show the registers of one device: address, type, unit, access and limits.

    Example: dsmilctl -C sim device registers 0x8001
    """
    run(show_registers, device, schema="device.registers/1", columns=REGISTER_COLUMNS)


async def show_registers(client: Client, text: str) -> list[dict[str, Any]]:
    """The registers of one device."""
    return [register_row(register) for register in (await one_device(client, text)).registers]


@app.command(impact="read")
def read(
    targets: Targets,
    registers: Registers = None,
    offset: Annotated[
        int | None, typer.Option(metavar="N", help="byte offset within the register's block")
    ] = None,
    length: Annotated[int | None, typer.Option(metavar="N", help="bytes to read from there")] = None,
    watch_every: Annotated[
        float | None, typer.Option("--watch", metavar="SECONDS", help="read again and again")
    ] = None,
) -> None:
    """Read registers of one or many devices.

    A device that fails is a row with its error, and the exit status is 6 when some failed.

    Example: dsmilctl -C sim device read 0x8000-0x8003 TEMP VOLTAGE -o json
    Example: dsmilctl -C local device read load --watch 2
    """
    span = None if offset is None and length is None else Span(offset or 0, 4 if length is None else length)
    options = ReadOptions(
        selector=targets, registers=tuple(registers or ()), span=span, every=watch_every or 0
    )
    if watch_every is not None:
        run_live(watch, options)
    else:
        run(read_once, options, schema="device.read/1", columns=READING_COLUMNS)


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
    value: Annotated[str, typer.Argument(metavar="VALUE", help="the new value; a negative one after --")],
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
    run(write_register, options, schema="device.write/1", columns=OPERATION_COLUMNS)


async def write_register(client: Client, options: WriteOptions) -> Result:
    """The write and its outcome."""
    device = await one_device(client, options.device)
    register = find_register(device.registers, options.register)
    request = Request(
        device_id=device.device_id,
        type=OperationType.WRITE,
        register=register.name,
        value=parse_value(register, options.value),
        if_value=parse_value(register, options.if_value) if options.if_value else None,
        justification=options.justification,
        verify=options.verify,
        dry_run=options.dry_run,
        approval=options.approval,
        origin="device write",
    )
    return await change_one(client, request, yes=options.yes, register=register)


class ControlOptions(msgspec.Struct, frozen=True, kw_only=True):
    """One control operation on one or many devices."""

    selector: str
    type: OperationType
    command: str = ""
    arguments: tuple[str, ...] = ()
    file: str = ""
    justification: str = ""
    dry_run: bool = False
    yes: bool = False
    approval: str = ""


Settings = Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="settings")]


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
    _control(
        ControlOptions(
            selector=device,
            type=OperationType.CONFIG,
            arguments=tuple(settings or ()),
            file=file,
            justification=justification,
            dry_run=dry_run,
            yes=yes,
            approval=approval,
        )
    )


def _control(options: ControlOptions) -> None:
    ensure_person(yes=options.yes, dry_run=options.dry_run)
    run(control, options, schema=f"device.{options.type.lower()}/1", columns=OPERATION_COLUMNS)


async def control(client: Client, options: ControlOptions) -> Result:
    """Control operations on every device of the selection, as one plan."""
    from dsmilctl.commands.changes import change_many

    arguments = settings_of(options.arguments, options.file)
    devices = await client.devices(selector_of(options.selector))
    requests = [
        Request(
            device_id=device.device_id,
            type=options.type,
            command=options.command,
            arguments=arguments,
            justification=options.justification,
            dry_run=options.dry_run,
            approval=options.approval,
            origin=f"device {options.type.lower()}",
        )
        for device in devices
    ]
    if len(requests) == 1:
        return await change_one(client, requests[0], yes=options.yes)
    result, status = await change_many(client, requests, devices, yes=options.yes)
    return Result([operation_row(operation) for operation in result.results], status)


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
    _control(
        ControlOptions(
            selector=targets,
            type=kind,
            justification=justification,
            dry_run=dry_run,
            yes=yes,
            approval=approval,
        )
    )


@app.command(impact="write")
def command(
    device: OneDevice,
    name: Annotated[str, typer.Argument(metavar="NAME", help="a command of the device's driver")],
    arguments: Settings = None,
    justification: Justification = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    approval: Approval = "",
) -> None:
    """Carry out a command that the device's driver declares.

    Example: dsmilctl -C sim device command 0x8030 identify --yes
    """
    _control(
        ControlOptions(
            selector=device,
            type=OperationType.COMMAND,
            command=name,
            arguments=tuple(arguments or ()),
            justification=justification,
            dry_run=dry_run,
            yes=yes,
            approval=approval,
        )
    )


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
    kinds = {record.operation_id: record.action.rpartition(".")[2].upper() for record in ended}
    return [
        {
            "operation_id": record.operation_id,
            "type": kinds[record.operation_id],
            "status": record.outcome,
            **audit_row(record),
            "timestamp": audit_row(record)["time"],
        }
        for record in ended
    ]


def _lifecycle(verb: str, targets: str) -> None:
    run(walk, (verb, targets), schema=f"device.{verb}/1", columns=STATE_COLUMNS)


async def walk(client: Client, options: tuple[str, str]) -> Result:
    """A lifecycle verb on every device of the selection; status 6 when some failed, 3 when all did."""
    verb, text = options
    devices = await client.devices(selector_of(text), quarantined=True)
    if not devices:
        raise DeviceNotFound(f"{text} names no device", hint="dsmilctl device list", target=text)
    statuses = await client.lifecycle(verb, devices)
    failed = sum(bool(status.reason) and verb != "state" for status in statuses)
    status = 0 if not failed else (3 if failed == len(statuses) else 6)
    return Result([state_row(item) for item in statuses], status)


@app.command(impact="read")
def scan(targets: OptionalTargets = "") -> None:
    """Ask the drivers which devices there are.

    Example: dsmilctl -C local device scan
    """
    _lifecycle("scan", targets)


@app.command(impact="read")
def initialize(targets: Targets) -> None:
    """Prepare devices for a connection.

    Example: dsmilctl -C sim device initialize 0x8000
    """
    _lifecycle("initialize", targets)


@app.command(impact="read")
def connect(targets: Targets) -> None:
    """Open the conversation with devices.

    Example: dsmilctl -C sim device connect 0x8000
    """
    _lifecycle("connect", targets)


@app.command(impact="read")
def disconnect(targets: Targets) -> None:
    """Close the conversation with devices.

    Example: dsmilctl -C sim device disconnect 0x8000
    """
    _lifecycle("disconnect", targets)


@app.command(impact="read")
def state(targets: OptionalTargets = "") -> None:
    """Show the lifecycle state of devices, why and since when.

    Example: dsmilctl -C sim device state state=error
    """
    _lifecycle("state", targets)


@app.command(impact="read")
def cleanup(targets: Targets) -> None:
    """Close devices and forget that they were initialised.

    Example: dsmilctl -C sim device cleanup 0x8000
    """
    _lifecycle("cleanup", targets)
