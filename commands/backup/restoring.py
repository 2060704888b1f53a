"""`dsmilctl backup restore`: put a backup into the place of the archive, or bring it out elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsmilctl import __version__, diagnostics
from dsmilctl.archive.extra import require_archive
from dsmilctl.commands.backup.place import At, BackupName, PassphraseFile, repository_at, row_of, scratch
from dsmilctl.commands.execution import execute
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.questions import confirm_by_name
from dsmilctl.commands.record.place import ArchiveFolder, places_of
from dsmilctl.commands.runner import show
from dsmilctl.errors import ConfirmationRequired, DSMILError, NotFound, Refused, UsageError

if TYPE_CHECKING:
    from dsmilctl.archive.backup.encryption import Encrypting
    from dsmilctl.archive.backup.manifest import Manifest
    from dsmilctl.archive.places import Places

app = Noun("backup")
BEFORE = "before-restore-"
"""How the names of backups begin that were made because something else takes the archive's place."""


@app.command(impact="danger")
def restore(
    name: BackupName,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="DIR", help="bring everything out into a new folder instead"),
    ] = None,
    recording: Annotated[
        str, typer.Option("--recording", metavar="ID", help="only this one, which the archive lost")
    ] = "",
    confirm: Annotated[str, typer.Option("--confirm", metavar="NAME", help="the name, typed again")] = "",
    passphrase_file: PassphraseFile = "",
    at: At = "",
    archive: ArchiveFolder = "",
) -> None:
    """Verify a backup and put it into the place of the archive, which is backed up before.

    Settings, policy and journal stay as they are: `--to` brings those of the backup out, too.  With
    `--recording` one recording is added to the archive, and all else in it stays.  Refused while a recorder
    is at work.

    Example: dsmilctl backup restore last --to /tmp/look
    Example: dsmilctl backup restore last --recording tour
    Example: dsmilctl backup restore before-upgrade --confirm before-upgrade
    """
    require_archive()
    from dsmilctl.archive.backup import restoring
    from dsmilctl.archive.backup.recovering import recover

    repository = repository_at(at, passphrase_file)
    manifest = repository.manifest(name)
    if to is not None and recording:
        raise UsageError("either --recording or --to", hint="--to brings all of it out", target="--recording")
    if to is None and not recording:
        _require_consent(manifest.name, confirm)
    restoring.require_whole(repository, manifest, scratch=scratch())
    row = row_of(manifest, repository.was_verified(manifest))
    if to is not None:
        restoring.bring_out(repository, manifest, to)
        row |= {"restored_to": str(to)}
    elif recording:
        found = recover(repository, manifest, recording, places_of(archive))
        row |= {"recording_id": found.recording_id, "restored_to": str(places_of(archive).folder)}
    else:
        row |= _restored(repository, manifest, places_of(archive))
    show(row, schema="backup.restore/1")


def _require_consent(name: str, confirm: str) -> None:
    if confirm and confirm != name:
        message = f"--confirm {confirm} is not the name of the backup"
        raise ConfirmationRequired(message, hint=f"--confirm {name}", target="--confirm")
    question = f"backup {name} takes the place of the archive"
    if not confirm and not execute(confirm_by_name(question, name)):
        raise Refused("nothing was restored")


def put_back(manifest: Manifest, places: Places) -> None:
    """Verify one of the user's own backups and put it into the place of the archive."""
    from dsmilctl.archive.backup import restoring

    repository = repository_at("")
    restoring.require_whole(repository, manifest, scratch=scratch())
    _restored(repository, manifest, places)


def _restored(repository: Encrypting, manifest: Any, places: Places) -> dict[str, Any]:
    from dsmilctl.archive.backup import restoring

    saved: list[str] = []
    repository.encrypts = bool(manifest.sealed)
    aside = restoring.restore(repository, manifest, places, before=lambda: _saved(repository, places, saved))
    if aside is not None:
        diagnostics.warn(f"the archive that was there could not be backed up: it is kept in {aside}")
    return {
        "restored_to": str(places.folder),
        "saved": saved[0] if saved else None,
        "kept": None if aside is None else str(aside),
    }


def _saved(repository: Encrypting, places: Places, saved: list[str]) -> bool:
    """Back up what is there; whether that was possible, or nothing was there."""
    from dsmilctl.archive.backup.creating import create
    from dsmilctl.archive.backup.manifest import new_name
    from dsmilctl.clock import SYSTEM

    taken = {item.name.replace(BEFORE, "backup-") for item in repository.manifests()}
    name = new_name(SYSTEM.now(), taken).replace("backup-", BEFORE)
    try:
        saved.append(create(places, repository, name=name, program=__version__, scratch=scratch()).name)
    except NotFound:
        return True  # nothing was recorded in it
    except DSMILError as error:
        diagnostics.warn(f"the archive that is there cannot be backed up: {error.message}")
        return False
    return True
