"""`dsmilctl record check`: whether an archive is as it was written, layer by layer."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from dsmilctl.archive.extra import require_archive
from dsmilctl.clock import SYSTEM
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.record.place import ArchiveFolder, existing
from dsmilctl.commands.runner import show
from dsmilctl.config.paths import paths
from dsmilctl.errors import CheckFailed
from dsmilctl.tables import Column

app = Noun("record")
FINDING_COLUMNS = (
    Column("layer"),
    Column("severity"),
    Column("where"),
    Column("what", flexible=True),
    Column("mend", flexible=True),
    Column("mended", sparse=True),
)


@app.command(impact="read", makes=True)
def check(
    repair: Annotated[bool, typer.Option("--repair", help="mend what is safe to mend, and say what")] = False,
    archive: ArchiveFolder = "",
) -> None:
    """Read everything back and say what is wrong, where, and how to mend it; exit status 9 then.

    Five layers: database, files, data, backups, health.  Hints (no backup yet, an old one) are no failure.

    Example: dsmilctl record check --repair
    """
    require_archive()
    from dsmilctl.archive.check import Checked, check_archive
    from dsmilctl.archive.checks.quick import note_check
    from dsmilctl.archive.repair import repair_archive

    places, backups = existing(archive), paths().backup_folder
    found: Checked = repair_archive(places, backups) if repair else check_archive(places, backups)
    note_check(paths().check_file(places.folder), found, SYSTEM.now())
    rows: list[dict[str, Any]] = [msgspec.to_builtins(item) for item in found.findings]
    status = 0 if found.sound else CheckFailed.exit_status
    empty = (
        f"{found.readings} readings in {found.segments} segments and {found.chunks} chunks: nothing is wrong"
    )
    show(rows, schema="record.check/1", columns=FINDING_COLUMNS, empty=empty, status=status)
