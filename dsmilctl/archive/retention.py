"""Retention: how long readings and their stretches are kept, and how they make room for coarser ones."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from typing import Any

import msgspec

from dsmilctl.archive.database import connect
from dsmilctl.archive.places import Places
from dsmilctl.archive.rollup import TIERS, base_of, roll_up_files, tier_file
from dsmilctl.archive.segments import SEGMENT_ROW, Origin, clear_leftovers, write_tier
from dsmilctl.clock import SYSTEM, Clock

LOGGER = logging.getLogger("dsmilctl.archive.retention")
ORDER = ("raw", *TIERS)
"""From the finest to the coarsest."""

INCREMENTAL = 2
"""What `PRAGMA auto_vacuum` says of a database that gives pages back a few at a time."""


class Keep(msgspec.Struct, frozen=True, kw_only=True):
    """How long each tier is kept, in nanoseconds; None is for ever.

    `raw` is for readings, the others for stretches of a second, a minute and an hour.
    """

    raw: int | None = None
    seconds: int | None = None
    minutes: int | None = None
    hours: int | None = None

    def of(self, tier: str) -> int | None:
        """How long a tier is kept."""
        return {"raw": self.raw, "1s": self.seconds, "1m": self.minutes, "1h": self.hours}[tier]

    def next_tier(self, tier: str) -> str:
        """What takes the place of a tier: the next coarser one that is kept longer, or nothing."""
        for coarser in ORDER[ORDER.index(tier) + 1 :]:
            kept = self.of(coarser)
            if kept is None or kept > (self.of(tier) or 0):
                return coarser
        return ""


class Maintained(msgspec.Struct, frozen=True, kw_only=True):
    """What was done: files removed and made, and how many bytes were freed with them.

    `vacuum` says how empty pages were given back (`full` or `incremental`), `vacuumed` how many bytes these
    were; `analyzed` whether SQLite counted its indices anew.
    """

    removed: tuple[str, ...] = ()
    made: tuple[str, ...] = ()
    freed: int = 0
    vacuum: str = ""
    vacuumed: int = 0
    analyzed: bool = False


def maintain(places: Places, keep: Keep, *, dry_run: bool = False, clock: Clock = SYSTEM) -> Maintained:
    """Apply a policy to an archive that this process holds.

    A coarser tier is whole on the disk before the finer one goes, in one transaction, and the file is removed
    last; so an interruption at any step leaves no less than the policy keeps, and the next run goes on.
    """
    connection = connect(places.database)
    removed: list[str] = []
    made: list[str] = []
    freed = vacuumed = 0
    vacuum = ""
    try:
        connection.execute("PRAGMA synchronous = FULL")
        for tier in ORDER:
            for row in list(_over(connection, tier, keep.of(tier), clock.now())):
                coarser = keep.next_tier(tier)
                if not dry_run:
                    made += _replace(places, connection, row, coarser, clock)
                removed.append(row["file"])
                freed += row["bytes"]
        if not dry_run:
            clear_leftovers(places, connection)
            vacuum, vacuumed = _vacuum(connection)
            connection.execute("ANALYZE")
    finally:
        connection.close()
    return Maintained(
        removed=tuple(removed), made=tuple(made), freed=freed, vacuum=vacuum, vacuumed=vacuumed,
        analyzed=not dry_run,
    )  # fmt: skip


def _vacuum(connection: sqlite3.Connection) -> tuple[str, int]:
    """Give empty pages back: how, and how many bytes.

    The first time the whole database is written anew, so that it knows which page belongs to what; from then
    on only empty pages move.  Source: SQLite's documentation, PRAGMA auto_vacuum.
    """
    before = _size(connection)
    way = "incremental" if connection.execute("PRAGMA auto_vacuum").fetchone() == (INCREMENTAL,) else "full"
    if way == "incremental":
        connection.executescript("PRAGMA incremental_vacuum")  # `execute` ends after the first page
    else:
        connection.execute(f"PRAGMA auto_vacuum = {INCREMENTAL}")
        connection.execute("VACUUM")
    return way, max(0, before - _size(connection))


def _size(connection: sqlite3.Connection) -> int:
    pages, size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    return int(pages * size)


def _over(connection: sqlite3.Connection, tier: str, kept: int | None, now: int) -> Iterator[dict[str, Any]]:
    """Files of a tier all of whose readings are older than they are kept."""
    if kept is None:
        return
    found = connection.execute(
        "SELECT * FROM segments WHERE tier = ? AND last_timestamp < ? ORDER BY segment_id", (tier, now - kept)
    )
    names = [column[0] for column in found.description]
    for row in found:
        yield dict(zip(names, row, strict=True))


def _replace(
    places: Places, connection: sqlite3.Connection, row: dict[str, Any], coarser: str, clock: Clock
) -> list[str]:
    """Put a coarser tier into the place of a file; the name of what was made for it."""
    rows = [] if not coarser else _coarser(places, connection, row, coarser, clock)
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(SEGMENT_ROW, rows)
    connection.execute("DELETE FROM segments WHERE file = ?", (row["file"],))
    connection.execute("COMMIT")
    places.segment(row["file"]).unlink(missing_ok=True)
    LOGGER.info("%s is over%s", row["file"], f", {coarser} takes its place" if coarser else "")
    return [made[1] for made in rows]


def _coarser(
    places: Places, connection: sqlite3.Connection, row: dict[str, Any], tier: str, clock: Clock
) -> list[tuple[Any, ...]]:
    """Make the stretches of a tier, unless they are there."""
    name = tier_file(base_of(row["file"]), tier)
    if connection.execute("SELECT 1 FROM segments WHERE file = ?", (name,)).fetchone():
        return []
    source = str(places.segment(row["file"]))
    table = roll_up_files([source], tier, raw=row["tier"] == "raw")
    origin = Origin(**{field: row[field] for field in Origin.__struct_fields__})
    return [write_tier(places, name, table, origin, tier=tier, clock=clock)]
