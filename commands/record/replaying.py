"""`dsmilctl record replay`: what was recorded, played again as it came."""

from __future__ import annotations

from typing import Annotated

import typer

from dsmilctl.archive.extra import require_archive
from dsmilctl.commands.execution import execute
from dsmilctl.commands.invocation import invocation
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.record.place import ArchiveFolder, RecordingName, existing
from dsmilctl.commands.runner import end_with
from dsmilctl.commands.stream import Count, StreamOptions, follow_devices
from dsmilctl.commands.times import moment
from dsmilctl.errors import InvalidParameter
from dsmilctl.stdout import is_terminal

app = Noun("record")
TICK = 0.05
"""Seconds between two looks at what has come due."""


@app.command(impact="read")
def replay(
    recording: RecordingName,
    targets: Annotated[str, typer.Argument(metavar="[SEL]", help="which devices; without it all")] = "",
    registers: Annotated[
        list[str] | None, typer.Argument(metavar="[REGISTER]...", help="registers; without one all of them")
    ] = None,
    speed: Annotated[
        str, typer.Option(metavar="X", help="1 as it was, 10 ten times as fast, 0 at once")
    ] = "1",
    from_: Annotated[str, typer.Option("--from", metavar="TIME", help="begin there: 2026-11-20T10:00Z")] = "",
    to: Annotated[str, typer.Option(metavar="TIME", help="end there")] = "",
    count: Count = None,
    archive: ArchiveFolder = "",
) -> None:
    """Play a recording again: its readings come as they came, with the times at which they were taken.

    A recording is a context of its own, too, beside the live one and read-only: `-C replay:NAME` works with
    device, stream, audit and tui.

    Example: dsmilctl record replay last --speed 10
    Example: dsmilctl record replay last 0x8000 TEMP --speed 0 -o ndjson
    """
    require_archive()
    from dsmilctl.archive.replay import ReplayClient
    from dsmilctl.client.opening import local_identity

    chosen = invocation()
    output = chosen.make_output("" if is_terminal() else "ndjson")
    client = ReplayClient(
        existing(archive),
        recording,
        local_identity(),
        speed=_number(speed),
        since=moment(from_),
        until=moment(to),
    )
    output.context = chosen.context = client.context.name
    options = StreamOptions(
        selector=targets, registers=tuple(registers or ()), interval=TICK, count=count or 0
    )

    async def work() -> int:
        async with client:
            return await follow_devices(client, options, output)

    end_with(execute(work(), chosen.time_limit))


def _number(text: str) -> float:
    """A speed: `2`, `2x`, `0.5`; raises InvalidParameter."""
    try:
        return float(text.strip().lower().removesuffix("x"))
    except ValueError:
        raise InvalidParameter(
            f"--speed cannot be {text!r}", hint="1 as it was, 10 faster, 0 at once", target="--speed"
        ) from None
