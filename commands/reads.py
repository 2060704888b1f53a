"""Reads: readings of many devices, with retries, and the exit status that goes with them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import msgspec

from dsmilctl.client.interface import BulkOptions, Client
from dsmilctl.commands.invocation import invocation
from dsmilctl.commands.rows import reading_columns, reading_row
from dsmilctl.commands.runner import Result
from dsmilctl.commands.targets import selector_of
from dsmilctl.diagnostics import PARTIAL
from dsmilctl.errors import kind_of
from dsmilctl.model.device import Device
from dsmilctl.model.reading import Reading, Span

LOGGER = logging.getLogger("dsmilctl.commands")
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 2.0
"""Seconds before a failed read is tried again, first and at the most; each pause is twice the one before."""


class ReadOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be read: a selector, registers, a part of a block, and how."""

    selector: str
    registers: tuple[str, ...] = ()
    span: Span | None = None
    bulk: BulkOptions = BulkOptions()


async def read_once(client: Client, options: ReadOptions) -> Result:
    """Every reading asked for, in the order of the devices; a failed one is a reading with its error."""
    devices = await client.devices(selector_of(options.selector))
    readings = await read_with_retries(client, devices, options)
    rows = [reading_row(reading) for reading in readings]
    return Result(rows, exit_status(readings), columns=reading_columns(devices))


async def read_with_retries(client: Client, devices: Sequence[Device], options: ReadOptions) -> list[Reading]:
    """Readings; devices that failed are asked again as often as `--retry` says."""
    readings = await client.read(devices, options.registers, span=options.span, options=options.bulk)
    for attempt in range(invocation().retries):
        failed = {reading.device_id for reading in readings if reading.value is None}
        again = [device for device in devices if device.device_id in failed and not device.quarantined]
        if not again:
            break
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**attempt)
        LOGGER.info("retry %d: %d devices are asked again in %g s", attempt + 1, len(again), pause)
        await asyncio.sleep(pause)
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
    return kind_of(failed[0].error_code).exit_status
