"""Backups: what the dashboard asks of the backups of this user, in a thread: it waits for the disk."""

from __future__ import annotations

import msgspec

from dsmilctl.archive.backup.attempts import last_attempt
from dsmilctl.archive.extra import require_archive
from dsmilctl.config.paths import paths


class BackupRow(msgspec.Struct, frozen=True, kw_only=True):
    """One backup, or one that cannot be read: then `problem` says why.  Times are in nanoseconds UTC."""

    name: str
    created: int = 0
    size: int = 0
    recordings: int = 0
    rows: int = 0
    verified: int | None = None
    encrypted: bool = False
    problem: str = ""


class BackupListing(msgspec.Struct, frozen=True):
    """Every backup, newest first; how they are (`ok`, `none`, `failed`, `stale`), and a sentence about it."""

    rows: tuple[BackupRow, ...]
    state: str
    told: str


def backups(now: int) -> BackupListing:
    """The backups in this user's folder; raises MissingExtraError."""
    require_archive()
    from dsmilctl.archive.backup.folder import Folder
    from dsmilctl.archive.backup.manifest import Manifest
    from dsmilctl.archive.backup.repository import Repository

    repository = Repository(Folder(paths().backup_folder))
    rows = []
    for name, found in repository.looked_at():
        if isinstance(found, Manifest):
            rows.append(
                BackupRow(
                    name=name, created=found.created, size=found.size, recordings=found.recordings,
                    rows=found.rows, verified=repository.was_verified(found), encrypted=bool(found.sealed),
                )
            )  # fmt: skip
        else:
            rows.append(BackupRow(name=name, problem=found.what))
    state, told = last_attempt(paths().backup_status_file).state(now)
    rows.sort(key=lambda row: (row.created, row.name), reverse=True)
    return BackupListing(tuple(rows), state, told)
