"""`dsmilctl record run`: record in the foreground, for a time, until interrupted, or while a command runs."""

from __future__ import annotations

from typing import Annotated

import typer

from dsmilctl.archive.extra import give_free_memory_back, require_archive
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.record.options import (
    Also,
    For,
    HostMetrics,
    Interval,
    Kernel,
    Name,
    Notes,
    PostTrigger,
    PreTrigger,
    RunOptions,
    Tag,
    Type,
    When,
    formats_of,
    seconds_of,
)
from dsmilctl.commands.record.place import ArchiveFolder
from dsmilctl.commands.record.session import record
from dsmilctl.commands.runner import run_live
from dsmilctl.commands.targets import OptionalTargets, Registers
from dsmilctl.commands.times import duration

app = Noun("record")


@app.command(
    impact="read",
    makes=True,
    usage="[SEL] [REGISTER]... --name NAME [OPTIONS] [-- COMMAND...]",
    takes_program=True,
)
def run(
    name: Name,
    selector: OptionalTargets = "",
    registers: Registers = None,
    program: Annotated[
        list[str] | None, typer.Option("--program", hidden=True, help="what comes after `--`")
    ] = None,
    interval: Interval = "",
    for_: For = "",
    host_metrics: HostMetrics = False,
    kernel: Kernel = False,
    when: When = "",
    pre_trigger: PreTrigger = "",
    post_trigger: PostTrigger = "",
    type_: Type = "custom",
    notes: Notes = "",
    tag: Tag = None,
    also: Also = None,
    archive: ArchiveFolder = "",
    detached: Annotated[
        bool, typer.Option("--detached", hidden=True, help="started by record start")
    ] = False,
) -> None:
    """Record readings, operations and events in the foreground.

    With a command behind `--` the recording lasts as long as it runs, and ends with its exit status.
    `--when` keeps readings only around what it names: `TEMP > 80 and not 0x8003.STATUS == 1`.
    A temperature that is critical orders an emergency stop (setting `archive.limit_action`).

    Example: dsmilctl -C local record run --name tour --for 10s
    Example: dsmilctl -C sim record run 0x8000-0x8003 TEMP --name heat --for 10s --also csv,parquet
    Example: dsmilctl -C sim record run --name nightly -- ./token-tests.sh
    """
    require_archive()
    give_free_memory_back()
    options = RunOptions(
        name=name,
        selector=selector,
        registers=tuple(registers or ()),
        interval=seconds_of(interval, "interval"),
        seconds=duration(for_) if for_ else 0.0,
        command=tuple(program or ()),
        type=type_,
        notes=notes,
        tags=tuple(tag or ()),
        also=formats_of(also),
        archive=archive,
        detached=detached,
        host_metrics=host_metrics,
        kernel=kernel,
        when=when,
        pre_trigger=seconds_of(pre_trigger, "pre_trigger"),
        post_trigger=seconds_of(post_trigger, "post_trigger"),
    )
    run_live(record, options)
