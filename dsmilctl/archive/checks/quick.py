"""Quick look: what of an archive can be proved in a moment, and how its last full check went."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec

from dsmilctl.archive.checks.database import MOST, RESTORE, check_closing
from dsmilctl.archive.closing import write_durably
from dsmilctl.archive.database import DAMAGED
from dsmilctl.archive.finding import Checked, Finding
from dsmilctl.archive.lock import holder
from dsmilctl.archive.places import Places

LOGGER = logging.getLogger("dsmilctl.archive")
TELLS_MORE = "dsmilctl record check tells more"


class LastCheck(msgspec.Struct, frozen=True):
    """The last full check: when (ns UTC), whether the archive was sound, and what was found."""

    at: int
    sound: bool
    found: tuple[str, ...] = ()


def quick_look(places: Places, connection: sqlite3.Connection) -> list[Finding]:
    """SQLite's quick_check, every segment there with its bytes, and the digest of the closed database."""
    try:
        return list(_findings(places, connection))
    except DAMAGED as error:
        return [
            Finding(layer="database", where="archive.db", what=f"it cannot be read: {error}", mend=RESTORE)
        ]


def _findings(places: Places, connection: sqlite3.Connection) -> Iterator[Finding]:
    for (line,) in connection.execute(f"PRAGMA quick_check({MOST})"):
        if line != "ok":
            yield Finding(layer="database", where="archive.db", what=f"quick_check: {line}", mend=RESTORE)
    for name, size in connection.execute("SELECT file, bytes FROM segments ORDER BY file").fetchall():
        if problem := _problem(places.segment(name), size):
            yield Finding(layer="files", where=f"segments/{name}", what=problem, mend=TELLS_MORE)
    if not holder(places.lock):
        yield from check_closing(places)


def _problem(path: Path, size: int) -> str:
    try:
        found = path.stat().st_size
    except FileNotFoundError:
        return "it is missing"
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    return "" if found == size else f"it has {found} bytes and should have {size}"


def note_check(path: Path, checked: Checked, at: int) -> None:
    """Keep how a full check went; that it cannot be kept must not spoil the check."""
    found = tuple(f"{item.where}: {item.what}" for item in checked.findings if not item.mended)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_durably(path, msgspec.json.encode(LastCheck(at, checked.sound, found)))
    except OSError as error:
        LOGGER.warning("how the check went cannot be noted: %s", error)


def last_check(path: Path) -> LastCheck | None:
    """How the last full check went; None where there was none, or where the note cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=LastCheck)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
