"""Database: connections to the hot store, and its schema with the migrations that lead to it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from dsmilctl.archive.definitions import seed
from dsmilctl.clock import Clock
from dsmilctl.errors import ConfigError, StateUnavailable

SCHEMAS = Path(__file__).parent / "schema"
DAMAGED = (sqlite3.Error, UnicodeDecodeError)
"""What a damaged database raises; the second one where its very message quotes damaged bytes."""

PRAGMAS = ("foreign_keys = ON", "busy_timeout = 5000", "temp_store = MEMORY", "cache_size = -16000")


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection with foreign keys enforced; transactions are begun by whoever needs one.

    Raises StateUnavailable where the file cannot be opened or is no database.
    """
    mode = "ro" if read_only else "rwc"
    with ExitStack() as refused:
        try:
            connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode={mode}",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
            )
            refused.callback(connection.close)
            for pragma in PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
            if not read_only:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA user_version").fetchone()
        except DAMAGED as error:
            raise unusable(path, error) from error
        refused.pop_all()
    return connection


@contextmanager
def changing(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection for a change; raises StateUnavailable where the disk does not take it."""
    connection = connect(path)
    try:
        yield connection
    except DAMAGED as error:
        raise unusable(path, error) from error
    finally:
        connection.close()


class ArchiveDamaged(StateUnavailable):
    """The database of an archive is damaged: what a backup is for."""


def unusable(path: Path, error: Exception) -> StateUnavailable:
    """The refusal of an archive that SQLite cannot use."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        hint = "dsmilctl backup restore last brings the newest backup back; dsmilctl record check tells more"
        return ArchiveDamaged(f"{path}: {error}", hint=hint, target=str(path))
    hint = "dsmilctl record check says what is damaged" if path.exists() else "look at the disk"
    return StateUnavailable(f"{path}: {error}", hint=hint, target=str(path))


def migrations() -> list[Path]:
    """The steps from an empty file to the schema of this program, in order."""
    return sorted(SCHEMAS.glob("[0-9]*.sql"))


def version_of(connection: sqlite3.Connection) -> int:
    """The schema version of a database; 0 for an empty one."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def require_known(connection: sqlite3.Connection, path: Path) -> None:
    """Raise ConfigError for a database that a newer program wrote: nothing of it is touched."""
    found, known = version_of(connection), len(migrations())
    if found > known:
        raise ConfigError(
            f"{path} has schema {found}, this program knows {known}",
            hint="use a newer dsmilctl; reading and exporting with this one stays possible",
            target=str(path),
        )


def prepare(path: Path, clock: Clock) -> None:
    """Bring a database to the schema of this program.

    One that holds something already is migrated as a copy, which takes its place when it is whole.
    Raises ConfigError for a schema of the future.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    connection = connect(path)
    try:
        require_known(connection, path)
        found = version_of(connection)
        if found == 0:
            _migrate(connection, 0, clock)
            path.chmod(0o600)
        elif found < len(migrations()):
            _migrate_copy(connection, path, found, clock)
    finally:
        connection.close()


def _migrate(connection: sqlite3.Connection, found: int, clock: Clock) -> None:
    for number, step in enumerate(migrations()[found:], found + 1):
        connection.executescript(f"BEGIN;\n{step.read_text()}\nPRAGMA user_version = {number};\nCOMMIT;")
    seed(connection, clock.now())


def _migrate_copy(connection: sqlite3.Connection, path: Path, found: int, clock: Clock) -> None:
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    copy = path.with_suffix(".migrating")
    copy.unlink(missing_ok=True)
    target = connect(copy)
    try:
        connection.backup(target)
        _migrate(target, found, clock)
        target.execute("PRAGMA journal_mode = DELETE")
    finally:
        target.close()
    os.replace(path, path.with_suffix(f".schema-{found}"))  # noqa: PTH105 - pairs with the one below
    os.replace(copy, path)  # noqa: PTH105 - renames over what is there in one step
