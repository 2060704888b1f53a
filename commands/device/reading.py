"""Reading: `device read`, once or again and again."""

from __future__ import annotations

from typing import Annotated

import typer

from dsmilctl.client.interface import BulkOptions
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.reads import ReadOptions, read_once
from dsmilctl.commands.runner import run, run_live
from dsmilctl.commands.targets import Approval, Justification, Registers, Targets
from dsmilctl.commands.times import duration
from dsmilctl.errors import InvalidParameter
from dsmilctl.model.reading import Span

app = Noun("device")
WORD = 4
"""Bytes that are read where only an offset is given."""

SHORTEST = 0.05
"""Seconds from one reading to the next, at the least."""


@app.command(impact="read")
def read(
    targets: Targets,
    registers: Registers = None,
    offset: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="byte offset within the register's block")
    ] = None,
    length: Annotated[int | None, typer.Option(metavar="N", min=1, help="bytes to read from there")] = None,
    every: Annotated[
        str,
        typer.Option(
            "--watch", metavar="[DURATION]", help="read again every second, or as often: 500ms, 10s"
        ),
    ] = "",
    justification: Justification = "",
    approval: Approval = "",
) -> None:
    """Read registers of one or many devices.

    A device that fails is a row with its error, and the exit status is 6 when some failed.

    Example: dsmilctl -C sim device read 0x8000-0x8003 TEMP VOLTAGE -o json
    Example: dsmilctl -C local device read load --watch 2s
    """
    asked = offset is not None or length is not None
    options = ReadOptions(
        selector=targets,
        registers=tuple(registers or ()),
        span=Span(offset or 0, length or WORD) if asked else None,
        bulk=BulkOptions(justification=justification, approval=approval),
    )
    if not every:
        run(read_once, options, schema="device.read/1")
        return
    from dsmilctl.commands.watch import WatchOptions, watch

    run_live(watch, WatchOptions(options, _pause(every)))


def _pause(text: str) -> float:
    """Seconds from one reading to the next; raises InvalidParameter."""
    seconds = duration(text)
    if seconds < SHORTEST:
        raise InvalidParameter(f"--watch cannot be {text}", hint="50ms or more", target="--watch")
    return seconds
