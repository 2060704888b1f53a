"""Watch: the same readings again and again; on a terminal the table stays where it is."""

from __future__ import annotations

import asyncio

import msgspec

from dsmilctl.client.interface import Client
from dsmilctl.clock import SYSTEM, rfc3339
from dsmilctl.commands.reads import ReadOptions, read_with_retries
from dsmilctl.commands.rows import reading_columns, reading_row
from dsmilctl.commands.targets import selector_of
from dsmilctl.output import Output
from dsmilctl.stdout import moves_cursor


class WatchOptions(msgspec.Struct, frozen=True):
    """What is watched, and how many seconds lie between two readings."""

    read: ReadOptions
    every: float


async def watch(client: Client, options: WatchOptions, output: Output) -> int:
    """Show readings on a fixed schedule until a signal or the deadline ends it."""
    devices = await client.devices(selector_of(options.read.selector))
    columns = reading_columns(devices)
    painted = output.for_people and moves_cursor()
    due = SYSTEM.monotonic()
    while True:
        rows = [reading_row(reading) for reading in await read_with_retries(client, devices, options.read)]
        if painted:
            title = f"{client.context.name}, every {options.every:g} s, {rfc3339(SYSTEM.now())}"
            output.repaint(rows, columns, title)
        elif output.format == "ndjson":
            for row in rows:
                output.row(row)
        else:
            output.show(rows, schema="device.read/1", columns=columns)
        due = max(due + options.every, SYSTEM.monotonic())
        await asyncio.sleep(due - SYSTEM.monotonic())
