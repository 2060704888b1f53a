"""`dsmilctl backup create`: back the archive up, and read back what was written."""

from __future__ import annotations

import logging
import sqlite3
from functools import partial
from typing import Annotated, Any

import msgspec
import typer
from msgspec.structs import replace

from dsmilctl import __version__, diagnostics
from dsmilctl.archive.backup.attempts import Attempt, last_attempt, note_attempt
from dsmilctl.archive.backup.schedule import policy_of
from dsmilctl.archive.extra import require_archive
from dsmilctl.clock import SYSTEM
from dsmilctl.commands.backup.place import (
    COLUMNS,
    PassphraseFile,
    along,
    repository_at,
    row_of,
    scratch,
    secret,
)
from dsmilctl.commands.invocation import invocation
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.record.place import ArchiveFolder, existing, places_of
from dsmilctl.commands.runner import show
from dsmilctl.config.paths import paths
from dsmilctl.errors import CheckFailed, Conflict, DSMILError, ReadOnly
from dsmilctl.model.event import Event, Severity

LOGGER = logging.getLogger("dsmilctl.backup")
app = Noun("backup")


@app.command(impact="read", makes=True)
def create(
    name: Annotated[str, typer.Option("--name", "-n", metavar="NAME", help="without one: the moment")] = "",
    to: Annotated[
        str, typer.Option("--to", metavar="URL", help="into another folder, or to s3://… or sftp://…")
    ] = "",
    encrypt: Annotated[bool, typer.Option("--encrypt", help="so that only a passphrase opens it")] = False,
    passphrase_file: PassphraseFile = "",
    verify: Annotated[bool, typer.Option(help="read everything back at once")] = True,
    keep: Annotated[
        str, typer.Option(metavar="RULES", help="then let those go that no rule keeps: last=3,daily=14")
    ] = "",
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
    if keep and invocation().read_only:
        hint = "leave --keep out, or --read-only to let it through"
        raise ReadOnly("dsmilctl backup create --keep removes backups", hint=hint, target="--read-only")
    chosen = _Chosen(name=name, to=to, encrypt=encrypt, file=passphrase_file, verify=verify, keep=keep)
    file, now = paths().backup_status_file, SYSTEM.now()
    before = last_attempt(file)
    try:
        row, problems = _made(chosen, archive)
    except Conflict:  # nothing was tried: another name or another moment will do
        raise
    except (DSMILError, OSError) as error:
        _failed(replace(before, at=now, target=to, problem=str(error)), archive)
        raise
    if problems:
        diagnostics.warn(problems[0])
        _failed(replace(before, at=now, target=to, problem=problems[0]), archive)
    elif verify:
        note_attempt(file, replace(before, at=now, good=now, name=row["name"], target=row["at"], problem=""))
    show(row, schema="backup.create/1", columns=COLUMNS, status=CheckFailed.exit_status if problems else 0)


class _Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """What a command line asks for."""

    name: str
    to: str
    encrypt: bool
    file: str
    verify: bool
    keep: str


def _made(chosen: _Chosen, archive: str) -> tuple[dict[str, Any], list[str]]:
    """Make a backup, read it back, and let others go; the row that tells of it, and what is wrong with it."""
    from dsmilctl.archive.backup.creating import create as back_up
    from dsmilctl.archive.backup.manifest import ENDING
    from dsmilctl.archive.backup.pruning import prune
    from dsmilctl.archive.backup.verifying import distrusted
    from dsmilctl.archive.backup.verifying import verify as read_back

    places, policy = existing(archive), policy_of(chosen.keep)
    repository = repository_at(chosen.to, chosen.file, encrypts=chosen.encrypt)
    sources = [*along(), *(secret() if chosen.encrypt else [])]
    left = [] if chosen.encrypt else [source.name for source in secret()]
    back = partial(back_up, places, repository, along=sources, left_out=left, program=__version__,
                   scratch=scratch())  # fmt: skip
    made = back(name=chosen.name)
    found = read_back(repository, made, scratch=scratch()) if chosen.verify else []
    if anew := distrusted(repository, made, found):
        diagnostics.warn("objects of earlier backups are damaged: they are written anew")
        repository.target.remove(f"{made.name}{ENDING}")
        made = back(name=made.name, anew=anew)
        found = read_back(repository, made, scratch=scratch())
    if left:
        diagnostics.warn(f"left out, because they hold secrets: {', '.join(left)}")
    row = row_of(made, repository.was_verified(made)) | {"stored": made.stored, "at": str(repository.target)}
    if chosen.keep and chosen.verify and not found:
        gone = [item.name for item in prune(repository, policy).backups if not item.reasons]
        row |= {"removed": gone}
    return row, [f"{item.where}: {item.what}" for item in found]


def _failed(attempt: Attempt, archive: str) -> None:
    """Keep that a backup failed, where `record status` and `doctor` see it and in the recording that runs."""
    from dsmilctl.archive.noting import tell

    note_attempt(paths().backup_status_file, attempt)
    event = Event("backup.failed", attempt.problem, attempt.at, severity=Severity.ERROR)
    try:
        tell(places_of(archive), event)
    except (DSMILError, sqlite3.Error, OSError) as error:
        LOGGER.warning("the recording that runs does not take the event: %s", error)
