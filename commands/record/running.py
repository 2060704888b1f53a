"""`dsmilctl record run`: record in the foreground, for a time, until interrupted, or while a command runs."""

from __future__ import annotations

from typing import Annotated

import typer

from dsmilctl.archive.extra import require_archive
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.record.options import (
    Devices,
    For,
    Interval,
    Name,
    Notes,
    Registers,
    RunOptions,
    Tag,
    Type,
    interval_of,
    register_names,
)
from dsmilctl.commands.record.place import ArchiveFolder
from dsmilctl.commands.record.session import record
from dsmilctl.commands.runner import run_live
from dsmilctl.commands.times import duration

app = Noun("record")


@app.command(impact="read", usage="--name NAME [OPTIONS] [-- COMMAND...]")
def run(
    name: Name,
    command: Annotated[
        list[str] | None, typer.Argument(metavar="[COMMAND]...", help="record while this program runs")
    ] = None,
    devices: Devices = "",
    registers: Registers = "",
    interval: Interval = "",
    for_: For = "",
    type_: Type = "custom",
    notes: Notes = "",
    tag: Tag = None,
    archive: ArchiveFolder = "",
    detached: Annotated[bool, typer.Option("--detached", hidden=True)] = False,
) -> None:
    """Record readings, operations and events in the foreground.

    With a command behind `--` the recording lasts as long as it runs, and ends with its exit status.

    Example: dsmilctl -C local record run --name tour --for 10s
    Example: dsmilctl -C sim record run --name nightly -- ./token-tests.sh
    """
    require_archive()
    options = RunOptions(
        name=name,
        selector=devices,
        registers=register_names(registers),
        interval=interval_of(interval),
        seconds=duration(for_) if for_ else 0.0,
        command=tuple(command or ()),
        type=type_,
        notes=notes,
        tags=tuple(tag or ()),
        archive=archive,
        detached=detached,
    )
    run_live(record, options)
