"""`dsmilctl record export|import`: take a recording along, and bring one in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from dsmilctl import diagnostics
from dsmilctl.archive.extra import require_archive
from dsmilctl.clock import SYSTEM
from dsmilctl.commands.invocation import invocation
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.progress import INTERVAL
from dsmilctl.commands.record.place import ArchiveFolder, RecordingName, existing, places_of
from dsmilctl.commands.record.querying import Since, Until
from dsmilctl.commands.runner import show
from dsmilctl.commands.times import moment
from dsmilctl.errors import Conflict, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable

app = Noun("record")
FormatName = Annotated[
    str, typer.Option("--format", metavar="FORMAT", help="csv, excel, json, ndjson, parquet, arrow or dsm")
]


@app.command(impact="read")
def export(
    recording: RecordingName,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="where to; its ending says the format")],
    format_: FormatName = "",
    devices: Annotated[str, typer.Option(metavar="SEL", help="only these devices")] = "",
    registers: Annotated[str, typer.Option(metavar="A,B", help="only these registers")] = "",
    since: Since = "",
    until: Until = "",
    force: Annotated[bool, typer.Option("--force", help="write over a file that is there")] = False,
    archive: ArchiveFolder = "",
) -> None:
    """Write a recording to a file that other programs read; it is whole or not there.

    All formats but csv and excel carry operations and events, too; `record import` gets the same rows out of
    each but excel, in which no text is taken for a formula.

    Example: dsmilctl record export last tour.parquet
    Example: dsmilctl record export last tour.csv --devices 0x8000 --registers TEMP
    """
    require_archive()
    from dsmilctl.archive.exporting import export as write
    from dsmilctl.archive.exporting import format_of
    from dsmilctl.archive.query import Query, Wanted

    chosen = format_of(file, format_)
    if file.exists() and not force:
        raise Conflict(f"{file} is there already", hint="--force writes over it", target=str(file))
    with Query(existing(archive)) as opened:
        description = opened.description(recording)
        wanted = Wanted(
            selector=devices,
            registers=tuple(filter(None, (word.strip() for word in registers.split(",")))),
            recording=description.recording.recording_id,
            since=moment(since),
            until=moment(until),
        )
        with Told("exported") as told:
            count = write(opened.readings(wanted, ordered=False), description, file, chosen, told)
    row: dict[str, str | int] = {"recording_id": description.recording.recording_id, "file": str(file)}
    row |= {"format": chosen, "readings": count, "bytes": file.stat().st_size}
    show(row, schema="record.export/1")


@app.command("import", impact="read")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="what record export wrote")],
    name: Annotated[str, typer.Option("--name", "-n", metavar="NAME", help="what it is called here")] = "",
    format_: FormatName = "",
    archive: ArchiveFolder = "",
) -> None:
    """Bring an exported recording into the archive.

    Example: dsmilctl record import tour.parquet --name 'tour of monday'
    """
    require_archive()
    from dsmilctl.archive.exporting import format_of
    from dsmilctl.archive.importing import READERS
    from dsmilctl.archive.intake import take_in
    from dsmilctl.archive.store import Store

    chosen = format_of(file, format_, READERS)
    if not file.is_file():
        raise NotFound(f"there is no file {file}", target=str(file))
    with Store(places_of(archive)) as store, Told("imported") as told:
        recording, count = take_in(store.places, file, chosen, name=name, progress=told)
    row = {"recording_id": recording.recording_id, "name": recording.name, "readings": count}
    show(row, schema="record.import/1")


class Told:
    """How many readings are through, told on stderr: a line on a terminal, or JSON for programs."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._at = SYSTEM.monotonic()
        mode = invocation().progress
        self._painted = mode == "auto" and diagnostics.is_terminal()
        self._json = mode == "json"

    def __enter__(self) -> Callable[[int], None]:
        return self._tell

    def __exit__(self, *error: object) -> None:
        if self._painted:
            diagnostics.write("\r\x1b[K")

    def _tell(self, count: int) -> None:
        if not (self._painted or self._json) or SYSTEM.monotonic() - self._at < INTERVAL:
            return
        self._at = SYSTEM.monotonic()
        if self._json:
            diagnostics.say(msgspec.json.encode({"progress": {"done": count}}).decode())
        else:
            diagnostics.write(f"\r{self._what} {count} readings\x1b[K")
