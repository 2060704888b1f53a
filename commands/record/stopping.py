"""`dsmilctl record stop`: end the recording that runs, and say what it kept."""

from __future__ import annotations

import os
import re
import signal
import time
from contextlib import suppress
from typing import Annotated

import typer

from dsmilctl.archive import recording as recordings
from dsmilctl.archive.lock import holder
from dsmilctl.archive.places import Places
from dsmilctl.archive.recording import STATUSES, Recording
from dsmilctl.archive.supervision import Ending, Supervision
from dsmilctl.commands.invocation import invocation
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.record.listing import recording_row
from dsmilctl.commands.record.place import ArchiveFolder, existing, reading
from dsmilctl.commands.runner import show
from dsmilctl.config.paths import paths
from dsmilctl.errors import Conflict, InvalidParameter, NotFound, OperationTimeout, nearest

app = Noun("record")
LOOK = 0.05
"""Seconds from one look at the recorder to the next."""


@app.command(impact="write")
def stop(
    recording: Annotated[
        str, typer.Argument(metavar="[RECORDING]", help="its id or name; without it the one that runs")
    ] = "",
    status: Annotated[
        str, typer.Option(metavar="STATUS", help="how it ended: completed, failed or aborted")
    ] = "completed",
    notes: Annotated[str, typer.Option(metavar="TEXT", help="what should be known about it")] = "",
    archive: ArchiveFolder = "",
) -> None:
    """End the recording that runs; returns when everything it kept is sealed.

    Example: dsmilctl record stop --notes 'the night shift is over'
    """
    if status not in STATUSES[1:]:
        hint = nearest(status, STATUSES[1:]) or f"one of {', '.join(STATUSES[1:])}"
        raise InvalidParameter(f"no recording ends as {status!r}", hint=hint, target="--status")
    places = existing(archive)
    with reading(archive) as connection:
        running = _running(places, recordings.recordings(connection), recording)
    _end(places, Ending(status, notes))
    with reading(archive) as connection:
        row = recording_row(connection, recordings.find(connection, running.recording_id))
    show(row, schema="record.stop/1")


def _running(places: Places, known: list[Recording], wanted: str) -> Recording:
    """The recording that runs; raises NotFound, and Conflict where another one was meant."""
    found = next((item for item in known if item.status == "running"), None)
    if found is None or not holder(places.lock):
        raise NotFound("nothing records in this archive", hint="dsmilctl record start --name NAME")
    if wanted not in ("", "last", found.recording_id, found.name):
        hint = f"dsmilctl record stop {found.recording_id}"
        raise Conflict(f"{wanted} does not run; {found.name} does", hint=hint, target=wanted)
    return found


def _end(places: Places, ending: Ending) -> None:
    """Let the recorder end and wait until it has let go of the archive; raises OperationTimeout."""
    supervision = Supervision(paths().recorder_folder(places.folder))
    supervision.ask_to_end(ending)
    told = holder(places.lock)
    if number := re.fullmatch(r"process (\d+)", told):
        with suppress(ProcessLookupError):  # it has ended by itself
            os.kill(int(number[1]), signal.SIGTERM)
    ends = time.monotonic() + invocation().settings.archive.stop_wait
    while holder(places.lock) == told and told:
        if time.monotonic() > ends:
            raise OperationTimeout(f"the recorder ({told}) has not ended yet", hint="dsmilctl record status")
        time.sleep(LOOK)  # another process writes what is looked at
