"""Reading: once, with retries, or again and again."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

import msgspec

from dsmilctl.client.interface import BulkOptions, Client
from dsmilctl.commands.rows import READING_COLUMNS, reading_row
from dsmilctl.commands.runner import Result, invocation
from dsmilctl.commands.targets import selector_of
from dsmilctl.diagnostics import PARTIAL
from dsmilctl.errors import (
    DeviceError,
    DeviceQuarantined,
    DSMILError,
    NetworkError,
    OperationTimeout,
    PermissionDenied,
)
from dsmilctl.model.device import Device
from dsmilctl.model.reading import Reading, Span
from dsmilctl.output import Output

STATUSES = {
    kind.code: kind.exit_status
    for kind in (DeviceQuarantined, DeviceError, NetworkError, OperationTimeout, PermissionDenied)
}


class ReadOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be read: a selector, registers, a part of a block, and how often."""

    selector: str
    registers: tuple[str, ...] = ()
    span: Span | None = None
    every: float = 0.0
    bulk: BulkOptions = BulkOptions()
    stop_on_error: bool = False


async def read_once(client: Client, options: ReadOptions) -> Result:
    """Every reading asked for, in the order of the devices; a failed one is a reading with its error."""
    devices = await client.devices(selector_of(options.selector))
    readings = await read_with_retries(client, devices, options)
    return Result([reading_row(reading) for reading in readings], exit_status(readings))


async def read_with_retries(client: Client, devices: Sequence[Device], options: ReadOptions) -> list[Reading]:
    """Readings; devices that failed are asked again as often as `--retry` says."""
    readings = await client.read(devices, options.registers, span=options.span, options=options.bulk)
    for _ in range(invocation().retry):
        failed = {reading.device_id for reading in readings if reading.value is None}
        again = [device for device in devices if device.device_id in failed and not device.quarantined]
        if not again:
            break
        later = await client.read(again, options.registers, span=options.span, options=options.bulk)
        found = {(reading.device_id, reading.register): reading for reading in later}
        readings = [found.get((reading.device_id, reading.register), reading) for reading in readings]
    return readings


def exit_status(readings: Sequence[Reading]) -> int:
    """0 when all are there, 6 when some failed, and the status of the first error when all did."""
    failed = [reading for reading in readings if reading.value is None]
    if not failed:
        return 0
    if len(failed) < len(readings):
        return PARTIAL
    return STATUSES.get(failed[0].error_code, DSMILError.exit_status)


async def watch(client: Client, options: ReadOptions, output: Output) -> int:
    """The same readings again and again; on a terminal the table stays in its place."""
    devices = await client.devices(selector_of(options.selector))
    redraw = output.format in ("table", "wide") and sys.stdout.isatty()
    while True:
        readings = await read_with_retries(client, devices, options)
        rows = [reading_row(reading) for reading in readings]
        if redraw:
            output.text(
                "\x1b[H\x1b[J" + f"every {options.every:g} s, {rows[0]['timestamp'] if rows else ''}\n"
            )
        output.show(rows, schema="device.read/1", columns=READING_COLUMNS)
        await asyncio.sleep(max(options.every, 0.05))
