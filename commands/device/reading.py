"""Reading: `device read`, once or again and again."""

from __future__ import annotations

from typing import Annotated

import typer

from dsmilctl.client.interface import BulkOptions
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.reads import ReadOptions, read_once
from dsmilctl.commands.runner import run, run_live
from dsmilctl.commands.targets import Approval, Justification, Registers, Targets
from dsmilctl.model.reading import Span

app = Noun("device")
WORD = 4
"""Bytes that are read where only an offset is given."""


@app.command(impact="read")
def read(
    targets: Targets,
    registers: Registers = None,
    offset: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="byte offset within the register's block")
    ] = None,
    length: Annotated[int | None, typer.Option(metavar="N", min=1, help="bytes to read from there")] = None,
    watch_every: Annotated[
        float | None,
        typer.Option("--watch", metavar="[SECONDS]", min=0.05, help="read again every second, or so many"),
    ] = None,
    justification: Justification = "",
    approval: Approval = "",
) -> None:
    """Read registers of one or many devices.

    A device that fails is a row with its error, and the exit status is 6 when some failed.

    Example: dsmilctl -C sim device read 0x8000-0x8003 TEMP VOLTAGE -o json
    Example: dsmilctl -C local device read load --watch 2
    """
    asked = offset is not None or length is not None
    options = ReadOptions(
        selector=targets,
        registers=tuple(registers or ()),
        span=Span(offset or 0, length or WORD) if asked else None,
        bulk=BulkOptions(justification=justification, approval=approval),
    )
    if watch_every is None:
        run(read_once, options, schema="device.read/1")
        return
    from dsmilctl.commands.watch import WatchOptions, watch

    run_live(watch, WatchOptions(options, watch_every))
