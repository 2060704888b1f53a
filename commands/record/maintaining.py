"""`dsmilctl record maintain`: let old readings make room for coarser stretches."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from dsmilctl.archive.extra import require_archive
from dsmilctl.clock import NANOSECONDS
from dsmilctl.commands.execution import execute
from dsmilctl.commands.invocation import invocation
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.questions import confirm
from dsmilctl.commands.record.place import ArchiveFolder, existing
from dsmilctl.commands.runner import show
from dsmilctl.commands.targets import DryRun, Yes
from dsmilctl.commands.times import duration
from dsmilctl.errors import Refused

app = Noun("record")


def _kept(help: str) -> Any:
    """An option that takes how long something is kept."""
    return typer.Option(metavar="DURATION", help=help)


@app.command(impact="danger")
def maintain(
    keep_raw: Annotated[str, _kept("how long readings are kept; without it as set, or for ever")] = "",
    keep_seconds: Annotated[str, _kept("how long stretches of 1 s are kept")] = "",
    keep_minutes: Annotated[str, _kept("how long stretches of 1 min are kept")] = "",
    keep_hours: Annotated[str, _kept("how long stretches of 1 h are kept")] = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    archive: ArchiveFolder = "",
) -> None:
    """Remove what is over, after stretches of the next coarser length have taken its place.

    Stretches hold sum, count, least, most, first and last value of each register.  Without options
    the settings archive.keep_raw and so on hold.  The database gives its empty pages back, and SQLite counts
    its indices anew.

    Example: dsmilctl record maintain --keep-raw 30d --keep-minutes 365d --dry-run
    """
    require_archive()
    from dsmilctl.archive.retention import Keep, Maintained
    from dsmilctl.archive.retention import maintain as apply
    from dsmilctl.archive.store import Store

    if not (yes or dry_run) and not execute(confirm("remove what is over for good?")):
        raise Refused("nothing was removed")
    places = existing(archive)
    settings = invocation().settings.archive
    keep = Keep(
        raw=_nanoseconds(keep_raw, settings.keep_raw),
        seconds=_nanoseconds(keep_seconds, settings.keep_seconds),
        minutes=_nanoseconds(keep_minutes, settings.keep_minutes),
        hours=_nanoseconds(keep_hours, settings.keep_hours),
    )
    with Store(places) as store:
        done: Maintained = apply(store.places, keep, dry_run=dry_run)
    show(msgspec.to_builtins(done) | {"dry_run": dry_run}, schema="record.maintain/1")


def _nanoseconds(text: str, setting: float) -> int | None:
    """How long something is kept (ns): as the option says, else as the setting (s) does; None is for ever."""
    seconds = duration(text) if text else setting
    return round(seconds * NANOSECONDS) if text or setting else None
