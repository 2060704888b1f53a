"""Restoring: a backup becomes an archive again, beside the one that is there, and then takes its place."""

from __future__ import annotations

import glob
import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from dsmilctl.archive.backup.creating import ARCHIVE, DATABASE, SEGMENTS
from dsmilctl.archive.backup.manifest import Entry, Manifest
from dsmilctl.archive.backup.repository import Repository
from dsmilctl.archive.backup.swap import put_in_place
from dsmilctl.archive.backup.verifying import verify, write_out
from dsmilctl.archive.closing import sync_folder
from dsmilctl.archive.lock import RecorderLock
from dsmilctl.archive.places import Places
from dsmilctl.archive.store import Store
from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.errors import CheckFailed, Conflict

ASIDE = ".replaced"
"""Behind the name of the folder in which an archive is kept that could not be backed up before."""

WORK = ".restoring-"
"""In the name of the folder in which an archive is put together."""


def require_whole(
    repository: Repository, manifest: Manifest, *, scratch: Path | None, clock: Clock = SYSTEM
) -> None:
    """Raise CheckFailed, which names what is damaged, unless all of a backup can be read back."""
    found = [item for item in verify(repository, manifest, scratch=scratch, clock=clock) if _matters(item)]
    if found:
        named = "; ".join(f"{item.where}: {item.what}" for item in found[:3])
        hint = "dsmilctl backup list shows the others; nothing was changed"
        raise CheckFailed(f"backup {manifest.name} is damaged: {named}", hint=hint, target=manifest.name)


def _matters(item: object) -> bool:
    return not str(getattr(item, "where", "")).endswith(".verified")


def restore(
    repository: Repository,
    manifest: Manifest,
    places: Places,
    *,
    before: Callable[[], bool],
    clock: Clock = SYSTEM,
) -> Path | None:
    """Put the archive of a verified backup into the place of the one that is there.

    It is made whole beside it and on the medium before one step exchanges the two, so that an interruption
    leaves the old one or the new.  `before` is called when no recorder can be at work any more, and says
    whether the old archive is saved elsewhere; where it is not it is kept, and its folder returned.  Raises
    Conflict while a recorder is at work, and OSError or CheckFailed with everything as it was.
    """
    place = places.folder
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = RecorderLock(places.lock)
    if there := place.exists():
        lock.take()
    try:
        _clear_leftovers(place)
        saved = not there or before()
        with tempfile.TemporaryDirectory(prefix=f".{place.name}{WORK}", dir=place.parent) as work:
            write_entries(repository, of_archive(repository, manifest), Path(work), clock=clock)
            old = put_in_place(Path(work) / ARCHIVE, place)
            return None if saved or old is None else _set_aside(old, place)
    finally:
        lock.release()


def _clear_leftovers(place: Path) -> None:
    """Remove what a restore that was killed left behind."""
    for left in place.parent.glob(f".{glob.escape(place.name)}{WORK}*"):
        shutil.rmtree(left)


def _set_aside(old: Path, place: Path) -> Path:
    """Give what was replaced a name of its own."""
    names = (place.with_name(f"{place.name}{ASIDE}-{number}") for number in itertools.count(1))
    return old.rename(next(name for name in names if not name.exists()))


def bring_out(repository: Repository, manifest: Manifest, folder: Path, *, clock: Clock = SYSTEM) -> None:
    """Write everything of a backup into another folder: the archive, the configuration and the journal.

    Raises Conflict where something is in that folder already; CheckFailed and OSError leave nothing in it.
    """
    if folder.exists() and any(folder.iterdir()):
        raise Conflict(f"{folder} is not empty", hint="name a folder that is not there yet", target="--to")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.new-", dir=folder.parent) as work:
        fresh = Path(work) / "whole"
        fresh.mkdir(mode=0o700)
        write_entries(repository, repository.entries(manifest), fresh, clock=clock)
        fresh.replace(folder)
    sync_folder(folder.parent)


def of_archive(repository: Repository, manifest: Manifest) -> list[Entry]:
    """The files of a backup that are its archive."""
    return [entry for entry in repository.entries(manifest) if entry.name.startswith(ARCHIVE)]


def write_entries(
    repository: Repository, entries: Iterable[Entry], folder: Path, *, clock: Clock = SYSTEM
) -> None:
    """Write files below a folder and onto the medium, and end the archive among them in order.

    A recording that was running when the backup was made is marked `aborted`, a database of an older schema
    is brought to that of this program.  Raises CheckFailed for a damaged object, ConfigError for a schema of
    the future, OSError.
    """
    folders = set[Path]()
    try:
        for entry in entries:
            path = folder / entry.name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            folders |= {path.parent, path.parent.parent}
            with path.open("wb") as file:
                path.chmod(0o600)
                write_out(repository, entry, file)
                file.flush()
                os.fsync(file.fileno())
    except ValueError as error:
        raise CheckFailed(
            f"{error}", hint="nothing was changed", target=str(error).partition(":")[0]
        ) from error
    (folder / SEGMENTS).mkdir(mode=0o700, parents=True, exist_ok=True)
    if (folder / DATABASE).exists():
        with Store(Places(folder / ARCHIVE), clock=clock):
            pass
    for place in folders | {folder / ARCHIVE}:
        sync_folder(place)
