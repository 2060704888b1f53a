"""Options: what `record run` and `record start` have in common."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from dsmilctl.commands.invocation import invocation
from dsmilctl.commands.times import duration

Name = Annotated[str, typer.Option("--name", "-n", metavar="NAME", help="what the recording is called")]
Interval = Annotated[
    str, typer.Option("--interval", metavar="DURATION", help="from one reading to the next; default 1s")
]
For = Annotated[str, typer.Option("--for", metavar="DURATION", help="end after 10s, 2m, 1h")]
Type = Annotated[
    str, typer.Option("--type", metavar="TYPE", help="single, group, range, comprehensive, custom")
]
Notes = Annotated[str, typer.Option("--notes", metavar="TEXT", help="what should be known about it")]
Also = Annotated[
    list[str] | None,
    typer.Option("--also", metavar="FORMAT", help="csv, ndjson, parquet, dsm: files beside the archive"),
]
Tag = Annotated[list[str] | None, typer.Option("--tag", metavar="TAG", help="may be repeated")]

HostMetrics = Annotated[
    bool, typer.Option("--host-metrics", help="load, memory, disk and temperatures of this machine, too")
]
Kernel = Annotated[bool, typer.Option("--kernel", help="the messages of this machine's kernel, too")]
When = Annotated[
    str, typer.Option("--when", metavar="CONDITION", help="keep readings only around this: 'TEMP > 80'")
]
PreTrigger = Annotated[
    str, typer.Option("--pre-trigger", metavar="DURATION", help="what to keep from before; default 30s")
]
PostTrigger = Annotated[
    str, typer.Option("--post-trigger", metavar="DURATION", help="what to keep from after; default 10s")
]


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What is recorded, under which name, how often and until when (0: until interrupted).

    A `detached` recorder has nobody who reads what it says.  With `when` readings are kept only around what
    that names, from `pre_trigger` seconds before to `post_trigger` seconds after.
    """

    name: str
    selector: str = ""
    registers: tuple[str, ...] = ()
    interval: float = 1.0
    seconds: float = 0.0
    command: tuple[str, ...] = ()
    type: str = "custom"
    notes: str = ""
    tags: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    archive: str = ""
    detached: bool = False
    host_metrics: bool = False
    kernel: bool = False
    when: str = ""
    pre_trigger: float = 30.0
    post_trigger: float = 10.0


def formats_of(given: list[str] | None) -> tuple[str, ...]:
    """The formats beside, as options say, else as set; raises InvalidParameter."""
    words = given or [invocation().settings.archive.also]
    names = [word.strip() for item in words for word in item.split(",") if word.strip()]
    if not names:
        return ()
    from dsmilctl.archive.beside import require_formats

    return require_formats(names)


def seconds_of(text: str, setting: str) -> float:
    """Seconds as an option says, else as set."""
    chosen: float = getattr(invocation().settings.archive, setting)
    return duration(text) if text else chosen
