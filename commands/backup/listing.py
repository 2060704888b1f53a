"""`dsmilctl backup list|show|verify`: which backups there are, and whether they are whole."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from dsmilctl.archive.extra import require_archive
from dsmilctl.archive.finding import Finding
from dsmilctl.commands.backup.place import (
    COLUMNS,
    At,
    BackupName,
    PassphraseFile,
    repository_at,
    row_of,
    scratch,
)
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.runner import show as show_data
from dsmilctl.errors import CheckFailed, UsageError
from dsmilctl.tables import Column

app = Noun("backup")
PROBLEM_COLUMNS = (
    Column("name"),
    Column("verified"),
    Column("rows", right=True),
    Column("where", flexible=True, sparse=True),
    Column("what", flexible=True, sparse=True),
)


@app.command("list", impact="read")
def list_(at: At = "") -> None:
    """List the backups, newest first, and what is wrong with those that cannot be read.

    Example: dsmilctl backup list
    """
    require_archive()
    repository = repository_at(at)
    rows: list[dict[str, Any]] = []
    for manifest in repository.manifests():
        rows.append(row_of(manifest, repository.was_verified(manifest)))
    for name, found in repository.looked_at():
        if isinstance(found, Finding):
            rows.append({"name": name, "verified": None, "problem": found.what})
    show_data(rows, schema="backup.list/1", columns=COLUMNS, empty="no backup yet: dsmilctl backup create")


@app.command(impact="read")
def show(name: BackupName, passphrase_file: PassphraseFile = "", at: At = "") -> None:
    """Show one backup: its files, the rows of each table, what was left out.

    Example: dsmilctl backup show last
    """
    require_archive()
    repository = repository_at(at, passphrase_file)
    manifest = repository.manifest(name)
    row = row_of(manifest, repository.was_verified(manifest)) | {
        "stored": manifest.stored,
        "program": manifest.program,
        "tables": {table: rows for table, rows in manifest.tables.items() if rows},
        "left_out": list(manifest.left_out),
        "contents": [{"name": entry.name, "size": entry.size} for entry in repository.entries(manifest)],
    }
    show_data(row, schema="backup.show/1")


@app.command(impact="read")
def verify(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="its name, or last")] = "",
    all_: Annotated[bool, typer.Option("--all", help="every backup there is")] = False,
    passphrase_file: PassphraseFile = "",
    at: At = "",
) -> None:
    """Read backups back, every byte, open their database and count its rows; exit status 9 if damaged.

    Example: dsmilctl backup verify last
    Example: dsmilctl backup verify --all
    """
    require_archive()
    from dsmilctl.archive.backup.verifying import strangers
    from dsmilctl.archive.backup.verifying import verify as read_back

    if bool(name) == all_:
        raise UsageError("either NAME or --all", hint="dsmilctl backup verify last", target="NAME")
    repository = repository_at(at, passphrase_file)
    rows: list[dict[str, Any]] = []
    for manifest in repository.manifests() if all_ else [repository.manifest(name)]:
        found = read_back(repository, manifest, scratch=scratch())
        plain = row_of(manifest, repository.was_verified(manifest) if not found else None)
        rows += [plain | _problem(item) for item in found] or [plain]
    rows += [{"name": None, "verified": None} | _problem(item) for item in strangers(repository)]
    status = CheckFailed.exit_status if any("where" in row for row in rows) else 0
    show_data(rows, schema="backup.verify/1", columns=PROBLEM_COLUMNS, empty="no backup yet", status=status)


def _problem(finding: Finding) -> dict[str, Any]:
    row: dict[str, Any] = msgspec.to_builtins(finding)
    return {key: row[key] for key in ("where", "what", "mend")}
