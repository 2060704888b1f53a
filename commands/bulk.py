"""`dsmilctl bulk`: read or change many devices at once, with a plan and an undo."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from dsmilctl.client.interface import BulkOptions, Client
from dsmilctl.commands.bulk_file import read_requests
from dsmilctl.commands.changes import Outcome, change_many, ensure_person
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.reads import ReadOptions, exit_status, read_with_retries
from dsmilctl.commands.rows import reading_columns, reading_row
from dsmilctl.commands.runner import Result, run
from dsmilctl.commands.targets import DryRun, Justification, Registers, Targets, Yes, selector_of
from dsmilctl.errors import InvalidParameter, NotFound, UsageError, nearest
from dsmilctl.model.device import Device
from dsmilctl.model.operation import OperationType, Request
from dsmilctl.model.reading import Reading
from dsmilctl.model.register import find_register

app = Noun("bulk")
MODES = ("parallel", "sequential")
DENIED = ("DEVICE_QUARANTINED", "PERMISSION_DENIED", "RATE_LIMITED")
"""Codes of a read that the guard refused."""

Mode = Annotated[str, typer.Option(metavar="MODE", help="parallel or sequential")]
Concurrency = Annotated[int, typer.Option(metavar="N", min=0, help="at most so many at once; 0 is all")]
StopOnError = Annotated[bool, typer.Option("--stop-on-error", help="begin nothing new after a failure")]


def _options(mode: str, concurrency: int, stop_on_error: bool) -> BulkOptions:
    if mode not in MODES:
        hint = nearest(mode, MODES) or " or ".join(MODES)
        raise InvalidParameter(f"no mode {mode!r}", hint=hint, target="--mode")
    return BulkOptions(concurrency=1 if mode == "sequential" else concurrency, stop_on_error=stop_on_error)


@app.command(impact="read")
def read(
    targets: Targets,
    registers: Registers = None,
    mode: Mode = "parallel",
    concurrency: Concurrency = 0,
    stop_on_error: StopOnError = False,
) -> None:
    """Read registers of many devices; exit status 6 when some fail.

    Example: dsmilctl -C sim bulk read @all TEMP -o json
    """
    options = ReadOptions(
        selector=targets,
        registers=tuple(registers or ()),
        bulk=_options(mode, concurrency, stop_on_error),
    )
    run(read_many, options, schema="bulk.read/1", empty="no devices", rows="results")


async def read_many(client: Client, options: ReadOptions) -> Result:
    """Readings with their counts."""
    devices = await client.devices(selector_of(options.selector))
    readings = await _read(client, devices, options)
    found = {"id": None, **_summary(readings), "results": [reading_row(reading) for reading in readings]}
    return Result(found, exit_status(readings), columns=reading_columns(devices))


async def _read(client: Client, devices: list[Device], options: ReadOptions) -> list[Reading]:
    """All at once, or one after the other until the first failure."""
    if not options.bulk.stop_on_error:
        return await read_with_retries(client, devices, options)
    readings: list[Reading] = []
    for device in devices:
        readings += await read_with_retries(client, [device], options)
        if readings and readings[-1].value is None:
            break
    return readings


def _summary(readings: list[Reading]) -> dict[str, Any]:
    codes = [reading.error_code for reading in readings if reading.value is None]
    denied = sum(code in DENIED for code in codes)
    timeouts = codes.count("TIMEOUT")
    good = len(readings) - len(codes)
    status = "COMPLETED" if not codes else "PARTIAL" if good else "FAILED"
    counts = {"total": len(readings), "successful": good, "failed": len(codes) - denied - timeouts}
    return {"status": status, "summary": counts | {"denied": denied, "timeouts": timeouts}}


class WriteOptions(msgspec.Struct, frozen=True, kw_only=True):
    """A bulk of changes that somebody asks for."""

    selector: str = ""
    register: str = ""
    value: str = ""
    file: str = ""
    justification: str = ""
    dry_run: bool = False
    yes: bool = False
    bulk: BulkOptions = BulkOptions()


@app.command(impact="danger", usage="(SEL REGISTER VALUE | --file FILE) [OPTIONS]")
def write(
    targets: Annotated[str, typer.Argument(metavar="SEL", help="devices: 0x8000-0x800F, @group, …")] = "",
    register: Annotated[
        str, typer.Argument(metavar="REGISTER", help="the register, by its name or address")
    ] = "",
    value: Annotated[str, typer.Argument(metavar="VALUE", help="the new value of each")] = "",
    file: Annotated[
        str, typer.Option(metavar="FILE", help="device_id, register and value per line: .csv, .json, -")
    ] = "",
    justification: Justification = "",
    mode: Mode = "parallel",
    concurrency: Concurrency = 0,
    stop_on_error: StopOnError = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Write one register of many devices, or what a file says; the plan first, undo later.

    Example: dsmilctl -C sim bulk write 0x8030-0x803B CONFIG 5 --justification 'new set of thresholds' --yes
    Example: dsmilctl -C sim bulk write --file setpoints.csv --justification 'night setpoints' --dry-run
    """
    if bool(file) == bool(targets) or (targets and not value):
        hint = "dsmilctl bulk write SEL REGISTER VALUE, or --file FILE"
        raise UsageError("name either devices, register and value, or a file", hint=hint)
    _change(
        WriteOptions(
            selector=targets,
            register=register,
            value=value,
            file=file,
            justification=justification,
            dry_run=dry_run,
            yes=yes,
            bulk=_options(mode, concurrency, stop_on_error),
        ),
        schema="bulk.write/1",
    )


@app.command("run", impact="danger")
def run_(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="changes: ndjson or csv")],
    justification: Justification = "",
    mode: Mode = "parallel",
    concurrency: Concurrency = 0,
    stop_on_error: StopOnError = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Carry out mixed changes from a file: one JSON object or CSV row each.

    The fields are device_id, type (write, config, activate, deactivate, reset, command), register, value,
    if_value, command, arguments (KEY=VALUE …) and justification; the first line of a CSV names them.  Reads
    are for `bulk read`.

    Example: dsmilctl -C sim bulk run night.ndjson --justification 'night shutdown' --yes
    """
    _change(
        WriteOptions(
            file=file,
            justification=justification,
            dry_run=dry_run,
            yes=yes,
            bulk=_options(mode, concurrency, stop_on_error),
        ),
        schema="bulk.run/1",
    )


def _change(options: WriteOptions, schema: str) -> None:
    ensure_person(yes=options.yes, dry_run=options.dry_run)
    run(change, options, schema=schema, empty="no operations", rows="results")


async def change(client: Client, options: WriteOptions) -> Result:
    """The plan, the question, the changes, and every outcome."""
    if options.file:
        requests, devices = await _from_file(client, options)
    else:
        devices = await client.devices(selector_of(options.selector))
        requests = [_write_request(device, options) for device in devices]
    outcome = await change_many(client, requests, devices, yes=options.yes, options=options.bulk)
    return outcome.found(devices)


async def _from_file(client: Client, options: WriteOptions) -> tuple[list[Request], list[Device]]:
    everything = await client.devices(quarantined=True)
    requests = [_completed(request, options) for request in read_requests(options.file, everything)]
    return requests, _devices_of(requests, everything)


def _devices_of(requests: list[Request], everything: list[Device]) -> list[Device]:
    named = {request.device_id for request in requests}
    return [device for device in everything if device.device_id in named]


def _write_request(device: Device, options: WriteOptions) -> Request:
    register = find_register(device.registers, options.register)
    request = Request(
        device_id=device.device_id,
        type=OperationType.WRITE,
        register=register.name,
        value=register.parse(options.value),
    )
    return _completed(request, options)


def _completed(request: Request, options: WriteOptions) -> Request:
    return msgspec.structs.replace(
        request,
        justification=request.justification or options.justification,
        dry_run=options.dry_run,
        origin="bulk",
    )


@app.command(impact="read")
def status(bulk_id: Annotated[str, typer.Argument(metavar="ID", help="the bulk's id")]) -> None:
    """Show what became of a bulk.

    Example: dsmilctl -C sim bulk status bulk-0123456789ab
    """
    run(show_status, bulk_id, schema="bulk.status/1", rows="results")


async def show_status(client: Client, bulk_id: str) -> Result:
    """A kept bulk."""
    outcome = Outcome(await client.bulk(bulk_id), 0, kept=True)
    return outcome.found(await client.devices(quarantined=True))


class UndoOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Which bulk is to be undone, and how."""

    bulk_id: str
    justification: str
    dry_run: bool
    yes: bool


@app.command(impact="danger")
def undo(
    bulk_id: Annotated[str, typer.Argument(metavar="ID", help="the bulk's id")],
    justification: Justification = "",
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Put back what a bulk of writes changed, through the same guard; shows the plan first.

    Example: dsmilctl -C sim bulk undo bulk-0123456789ab --yes
    """
    ensure_person(yes=yes, dry_run=dry_run)
    options = UndoOptions(bulk_id=bulk_id, justification=justification, dry_run=dry_run, yes=yes)
    run(put_back, options, schema="bulk.undo/1", rows="results")


async def put_back(client: Client, options: UndoOptions) -> Result:
    """The writes that restore the old values."""
    requests = [
        msgspec.structs.replace(
            request, justification=options.justification or request.justification, dry_run=options.dry_run
        )
        for request in await client.undo_requests(options.bulk_id)
    ]
    if not requests:
        hint = f"dsmilctl -C {client.context.name} bulk status {options.bulk_id}"
        message = f"{options.bulk_id} changed nothing that could be put back"
        raise NotFound(message, hint=hint, target=options.bulk_id)
    devices = _devices_of(requests, await client.devices(quarantined=True))
    return (await change_many(client, requests, devices, yes=options.yes)).found(devices)
