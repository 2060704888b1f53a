"""`dsmilctl backup create`: back the archive up, and read back what was written."""

from __future__ import annotations

from typing import Annotated

import typer

from dsmilctl import __version__, diagnostics
from dsmilctl.archive.extra import require_archive
from dsmilctl.commands.backup.place import (
    COLUMNS,
    PassphraseFile,
    along,
    repository_at,
    row_of,
    scratch,
    secret,
)
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.record.place import ArchiveFolder, existing
from dsmilctl.commands.runner import show
from dsmilctl.errors import CheckFailed

app = Noun("backup")


@app.command(impact="read")
def create(
    name: Annotated[str, typer.Option("--name", "-n", metavar="NAME", help="without one: the moment")] = "",
    to: Annotated[
        str, typer.Option("--to", metavar="URL", help="into another folder, or to s3://… or sftp://…")
    ] = "",
    encrypt: Annotated[bool, typer.Option("--encrypt", help="so that only a passphrase opens it")] = False,
    passphrase_file: PassphraseFile = "",
    verify: Annotated[bool, typer.Option(help="read everything back at once")] = True,
    archive: ArchiveFolder = "",
) -> None:
    """Back up the archive as it is now, while recording goes on, with settings, policy and journal.

    What has not changed since an earlier backup is not kept twice.  Tokens and users are left out, unless
    the backup is encrypted: with age, by the passphrase of DSMIL_BACKUP_PASSPHRASE, a file, or typed.

    Example: dsmilctl backup create
    Example: dsmilctl backup create --name before-upgrade --to /mnt/disk
    Example: dsmilctl backup create --encrypt --to sftp://ada@vault/srv/backups
    """
    require_archive()
    from dsmilctl.archive.backup.creating import create as back_up
    from dsmilctl.archive.backup.verifying import verify as read_back

    places = existing(archive)
    repository = repository_at(to, passphrase_file, encrypts=encrypt)
    sources = [*along(), *(secret() if encrypt else [])]
    left = [] if encrypt else [source.name for source in secret()]
    made = back_up(
        places, repository, name=name, along=sources, left_out=left, program=__version__, scratch=scratch()
    )
    found = read_back(repository, made, scratch=scratch()) if verify else []
    for item in found:
        diagnostics.warn(f"{item.where}: {item.what}")
    if left:
        diagnostics.warn(f"left out, because they hold secrets: {', '.join(left)}")
    row = row_of(made, repository.was_verified(made)) | {"stored": made.stored}
    status = CheckFailed.exit_status if found else 0
    show(row, schema="backup.create/1", columns=COLUMNS, status=status)
