"""Backups and health layers: whether there is something to fall back on, and room to go on."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from dsmilctl.archive.finding import HINT, Finding
from dsmilctl.archive.places import Places
from dsmilctl.clock import NANOSECONDS, SYSTEM, Clock

STALE = 24 * 3600
"""Seconds after which the newest backup is an old one."""

LITTLE_ROOM = 256 * 1024 * 1024
"""Bytes on the disk below which a recorder will soon have to stop."""

LARGE_LOG = 256 * 1024 * 1024
FREE_SHARE = 0.25
"""Part of the database that may be empty pages."""

SLOW = 1.0
"""Seconds that a count of all readings may take."""


def check_backups(backups: Path, clock: Clock = SYSTEM) -> Iterator[Finding]:
    """Findings about the backups: there, fresh, verified; `backup verify` reads them back."""
    from dsmilctl.archive.backup.folder import Folder
    from dsmilctl.archive.backup.repository import Repository

    repository = Repository(Folder(backups))
    for _, found in repository.looked_at():
        if isinstance(found, Finding):
            yield _hint("backups", str(backups / found.where), found.what, found.mend)
    known = repository.manifests()
    if not known:
        yield _hint("backups", str(backups), "there is no backup", "dsmilctl backup create")
        return
    if (age := (clock.now() - known[0].created) / NANOSECONDS) > STALE:
        what = f"the newest backup is {age / 3600:.0f} hours old"
        yield _hint("backups", str(backups), what, "dsmilctl backup create")
    if repository.was_verified(known[0]) is None:
        mend = f"dsmilctl backup verify {known[0].name}"
        yield _hint("backups", str(backups), f"{known[0].name} was never read back", mend)


def check_health(places: Places, connection: sqlite3.Connection, clock: Clock = SYSTEM) -> Iterator[Finding]:
    """Findings about size, room and speed."""
    disk = os.statvfs(places.folder)
    if (free := disk.f_bavail * disk.f_frsize) < LITTLE_ROOM:
        yield _hint(
            "health", str(places.folder), f"{free // 1024**2} MiB are left on the disk", "free some space"
        )
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    empty = connection.execute("PRAGMA freelist_count").fetchone()[0]
    if pages > 1000 and empty > FREE_SHARE * pages:
        yield _hint("health", "archive.db", f"{empty} of {pages} pages are empty", "dsmilctl record maintain")
    wal = places.database.with_name(f"{places.database.name}-wal")
    if wal.exists() and wal.stat().st_size > LARGE_LOG:
        yield _hint("health", wal.name, "it has grown beyond 256 MiB", "end readers that never end")
    begun = clock.monotonic()
    connection.execute("SELECT sum(readings) FROM chunks").fetchone()
    if (took := clock.monotonic() - begun) > SLOW:
        yield _hint("health", "archive.db", f"counting takes {took:.1f} s", "dsmilctl record maintain")


def _hint(layer: str, where: str, what: str, mend: str) -> Finding:
    return Finding(layer=layer, severity=HINT, where=where, what=what, mend=mend)
