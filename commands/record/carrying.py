"""`dsmilctl record export|import`: take a recording along, and bring one in."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from dsmilctl import diagnostics
from dsmilctl.archive.extra import give_free_memory_back, require_archive
from dsmilctl.archive.recording import counts
from dsmilctl.clock import SYSTEM
from dsmilctl.commands.invocation import invocation
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.progress import INTERVAL
from dsmilctl.commands.record.old_files import import_old
from dsmilctl.commands.record.place import ArchiveFolder, RecordingName, existing, places_of
from dsmilctl.commands.record.querying import Since, Until
from dsmilctl.commands.runner import show
from dsmilctl.commands.times import moment
from dsmilctl.errors import Conflict, InvalidParameter, NotFound, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsmilctl.archive.asking import Wanted
    from dsmilctl.archive.scanning import Scan

app = Noun("record")
FormatName = Annotated[
    str, typer.Option("--format", metavar="FORMAT", help="csv, excel, json, ndjson, parquet, arrow or dsm")
]


@app.command(impact="read", makes=True)
def export(
    recording: RecordingName,
    file: Annotated[str, typer.Argument(metavar="[FILE]", help="where to; its ending says the format")] = "",
    format_: FormatName = "",
    output_: Annotated[str, typer.Option("--output", metavar="FILE", help="where to, as an option")] = "",
    table: Annotated[
        str,
        typer.Option(metavar="NAME", help="operations, events, gaps, token_tests, … in place of readings"),
    ] = "readings",
    devices: Annotated[str, typer.Option(metavar="SEL", help="only these devices")] = "",
    registers: Annotated[str, typer.Option(metavar="A,B", help="only these registers")] = "",
    since: Since = "",
    until: Until = "",
    compress: Annotated[
        str, typer.Option(metavar="KIND", help="zstd or gzip; FILE.zst and FILE.gz say it, too")
    ] = "",
    metadata: Annotated[
        bool, typer.Option("--metadata", help="write what is known of the recording to FILE.meta.json, too")
    ] = False,
    escape_formulas: Annotated[
        bool, typer.Option("--escape-formulas", help="csv: no text that a spreadsheet takes for a formula")
    ] = False,
    lf: Annotated[bool, typer.Option("--lf", help="csv: lines end with LF, not with CRLF")] = False,
    force: Annotated[bool, typer.Option("--force", help="write over a file that is there")] = False,
    archive: ArchiveFolder = "",
) -> None:
    """Write a recording to a file that other programs read; it is whole or not there.

    json, ndjson, parquet, arrow and dsm carry operations, events and all that is known of the recording, too;
    `record import` gets the same readings out of each format but excel, in which no text is taken for a
    formula.

    Example: dsmilctl record export last tour.parquet
    Example: dsmilctl record export last tour.csv.zst --metadata --devices 0x8000 --registers TEMP
    Example: dsmilctl record export last --format csv --output operations.csv --table operations
    """
    require_archive()
    give_free_memory_back()
    from dsmilctl.archive.exporting import export as write
    from dsmilctl.archive.exporting import layout_of, write_description
    from dsmilctl.archive.scanning import Scan
    from dsmilctl.archive.tables import READINGS, require_table

    path = _target(file, output_, force)
    layout = layout_of(path, format_, compress, escape_formulas=escape_formulas, line_feeds=lf)
    require_table(table)
    narrowed = (devices, registers, since, until)
    if table != READINGS and any(narrowed):
        raise InvalidParameter(f"{table} are exported whole", hint="leave the choice out", target="--table")
    with Scan(existing(archive)) as opened:
        described = opened.description(recording)
        identity = described.recording.recording_id
        rows, total = _rows(opened, table, identity, narrowed)
        with Told("exported", total) as told:
            count = write(rows, described if table == READINGS else None, path, layout, told)
        beside = str(write_description(described, path)) if metadata else None
    row: dict[str, str | int | None] = {"recording_id": identity, "file": str(path), "table": table}
    row |= {"format": layout.format, "readings" if table == READINGS else "rows": count}
    show(row | {"bytes": path.stat().st_size, "metadata": beside}, schema="record.export/1")


def _rows(opened: Scan, table: str, identity: str, narrowed: tuple[str, str, str, str]) -> tuple[Any, int]:
    """What is exported, in batches, and how many rows that are, 0 where nobody knows."""
    from dsmilctl.archive.tables import READINGS, rows_of

    if table != READINGS:
        return rows_of(opened.store, table, identity), 0
    total = 0 if any(narrowed) else counts(opened.store, identity)["readings"]
    return opened.readings(_wanted(identity, *narrowed)), total


def _target(file: str, output: str, force: bool) -> Path:
    """Where to write; raises UsageError for none or two places or no folder, Conflict for a file there."""
    if bool(file) == bool(output):
        raise UsageError("one file is needed", hint="dsmilctl record export last tour.parquet")
    path = Path(file or output)
    if path.exists() and not force:
        raise Conflict(f"{path} is there already", hint="--force writes over it", target=str(path))
    if not path.parent.is_dir():
        hint = f"make it first: mkdir -p {shlex.quote(str(path.parent))}"
        raise InvalidParameter(f"there is no folder {path.parent}", hint=hint, target=str(path))
    return path


def _wanted(recording_id: str, devices: str, registers: str, since: str, until: str) -> Wanted:
    from dsmilctl.archive.asking import Wanted

    return Wanted(
        selector=devices,
        registers=tuple(filter(None, (word.strip() for word in registers.split(",")))),
        recording=recording_id,
        since=moment(since),
        until=moment(until),
    )


@app.command("import", impact="read", makes=True)
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="what record export or the old system wrote")],
    name: Annotated[str, typer.Option("--name", "-n", metavar="NAME", help="what it is called here")] = "",
    format_: FormatName = "",
    archive: ArchiveFolder = "",
) -> None:
    """Bring an exported recording into the archive, or the sessions of the system before.

    Of that its SQLite database and its JSON sessions are read, and what had to be repaired is told.

    Example: dsmilctl record import tour.parquet --name 'tour of monday'
    Example: dsmilctl record import session_20250901.json
    """
    require_archive()
    from dsmilctl.archive.legacy.source import kind_of

    if not format_ and file.is_file() and (old := kind_of(file)):
        import_old(file, old, name, archive)
        return
    from dsmilctl.archive.exporting import format_of
    from dsmilctl.archive.importing import READERS
    from dsmilctl.archive.intake import take_in
    from dsmilctl.archive.store import Store

    chosen = format_of(file, format_, READERS)
    if not file.is_file():
        hint = f"looked for it in {file.absolute().parent}"
        raise NotFound(f"there is no file {file}", hint=hint, target=str(file))
    with Store(places_of(archive)) as store, Told("imported") as told:
        recording, count = take_in(store.places, file, chosen, name=name, progress=told)
    row = {"recording_id": recording.recording_id, "name": recording.name, "readings": count}
    show(row, schema="record.import/1")


class Told:
    """How many readings are through, told on stderr: a line on a terminal, or JSON for programs.

    `total` is how many there are, 0 where nobody knows.
    """

    def __init__(self, what: str, total: int = 0) -> None:
        self._what = what
        self._total = total
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
            told = {"done": count} | ({"total": self._total} if self._total else {})
            diagnostics.say(msgspec.json.encode({"progress": told}).decode())
        else:
            of = f" of {self._total}, {100 * count // self._total} %" if self._total else " readings"
            diagnostics.write(f"\r{self._what} {count}{of}\x1b[K")
