"""`dsmilctl record note`: write down beside a recording what a person saw."""

from __future__ import annotations

from typing import Annotated

import typer

from dsmilctl.archive.extra import require_archive
from dsmilctl.clock import SYSTEM, rfc3339
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.record.place import ArchiveFolder, RecordingName, existing
from dsmilctl.commands.runner import show
from dsmilctl.errors import InvalidParameter

app = Noun("record")
LONGEST = 10_000
"""Characters of a note."""


@app.command(impact="write")
def note(
    recording: RecordingName,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="what should be known")],
    archive: ArchiveFolder = "",
) -> None:
    """Note something with the time now, while a recording runs or afterwards; it is one of its events.

    Example: dsmilctl record note last 'the fan was cleaned'
    """
    require_archive()
    if not text.strip() or len(text) > LONGEST:
        raise InvalidParameter("a note needs a text", hint=f"up to {LONGEST} characters", target="TEXT")
    from dsmilctl.archive.noting import note as keep

    now = SYSTEM.now()
    found = keep(existing(archive), recording, text, now)
    data = {"recording_id": found.recording_id, "name": found.name, "timestamp": rfc3339(now), "note": text}
    show(data, schema="record.note/1")
