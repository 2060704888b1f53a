"""`dsmilctl record report`: one page about a recording."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from dsmilctl.archive.extra import require_archive
from dsmilctl.clock import SYSTEM
from dsmilctl.commands.invocation import invocation
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.record.place import ArchiveFolder, RecordingName, existing
from dsmilctl.commands.runner import show
from dsmilctl.errors import Conflict

if TYPE_CHECKING:
    from dsmilctl.archive.report.contents import Report

app = Noun("record")


@app.command(impact="read", makes=True)
def report(
    recording: RecordingName,
    output_: Annotated[
        str,
        typer.Option("--output", metavar="FILE", help="a page: FILE.html, FILE.pdf, FILE.md or FILE.json"),
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="write over a file that is there")] = False,
    archive: ArchiveFolder = "",
) -> None:
    """Tell on one page what a recording holds: statistics, charts, limits, gaps, operations, what to do.

    The HTML page is one file that loads nothing.  Without --output a summary is shown; -o json has it all.

    Example: dsmilctl record report last --output tour.html
    Example: dsmilctl record report last -o json --jq .data.recommendations
    """
    require_archive()
    from dsmilctl.archive.report.gathering import report_of
    from dsmilctl.archive.report.writing import kind_of, write_report

    if not output_:
        told = report_of(existing(archive), recording)
        for_people = invocation().make_output().for_people
        show(_summary(told) if for_people else msgspec.to_builtins(told), schema="record.report/1")
        return
    path = Path(output_)
    kind = kind_of(path)
    if path.exists() and not force:
        raise Conflict(f"{path} is there already", hint="--force writes over it", target=str(path))
    found = report_of(existing(archive), recording)
    write_report(found, path, SYSTEM.now())
    row: dict[str, Any] = {"recording_id": found.recording.recording_id, "file": str(path), "format": kind}
    row |= {"readings": found.readings, "findings": len(found.findings), "bytes": path.stat().st_size}
    show(row, schema="record.report.file/1")


def _summary(report: Report) -> dict[str, Any]:
    """What fits on a terminal."""
    from dsmilctl.archive.report.wording import facts, key_figures

    page: dict[str, Any] = dict(facts(report)) | {what: value for value, what in key_figures(report)}
    page["patterns"] = [f"{item.device} {item.register}: {item.what}" for item in report.findings[:10]]
    return page | {"what to do": list(report.recommendations)}
