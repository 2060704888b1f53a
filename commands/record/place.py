"""Place: the archive that a command line means, and connections that read it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from dsmilctl.archive.database import DAMAGED, ArchiveDamaged, connect, unusable
from dsmilctl.archive.places import Places
from dsmilctl.config.paths import paths
from dsmilctl.errors import NotFound

ArchiveFolder = Annotated[
    str, typer.Option("--archive", metavar="DIR", help="another archive than that of this user")
]
RecordingName = Annotated[str, typer.Argument(metavar="RECORDING", help="its id or name, or last")]


def places_of(folder: str) -> Places:
    """The files of the archive in a folder, without one those of the user's own."""
    return Places(Path(folder) if folder else paths().archive_folder)


def existing(folder: str) -> Places:
    """The same; raises NotFound where nothing was ever recorded."""
    places = places_of(folder)
    if not places.exists:
        raise NotFound(
            f"there is no archive in {places.folder}",
            hint="dsmilctl record run --name NAME --for 10s",
            target=str(places.folder),
        )
    return places


@contextmanager
def reading(folder: str) -> Iterator[sqlite3.Connection]:
    """A connection that reads; raises NotFound, and StateUnavailable where the database is damaged."""
    places = existing(folder)
    connection = _opened(places)
    try:
        yield connection
    except DAMAGED as error:
        raise unusable(places.database, error) from error
    finally:
        connection.close()


def _opened(places: Places) -> sqlite3.Connection:
    """A connection; where the database is damaged a person is asked whether a backup takes its place."""
    try:
        return connect(places.database, read_only=True)
    except ArchiveDamaged as error:
        from dsmilctl.commands.backup.recovery import offered

        if not offered(error, places):
            raise
    return connect(places.database, read_only=True)
