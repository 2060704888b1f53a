"""Verifying: reads a backup back, every byte of it, opens its database and counts its rows."""

from __future__ import annotations

import hashlib
import re
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

from dsmilctl.archive.backup.creating import ARCHIVE, DATABASE, THREADS
from dsmilctl.archive.backup.encryption import KEY, KEY_SUM, PREFIX, require_whole_key
from dsmilctl.archive.backup.folder import OBJECTS
from dsmilctl.archive.backup.manifest import ENDING, Entry, Manifest
from dsmilctl.archive.backup.repository import VERIFIED, Repository, fault
from dsmilctl.archive.backup.snapshot import Snapshot, look_at
from dsmilctl.archive.database import DAMAGED, migrations
from dsmilctl.archive.finding import Finding
from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.errors import CheckFailed

OBJECT = re.compile(rf"{OBJECTS}[0-9a-f]{{64}}")
BROKEN = "broken"
"""In the place of a digest: that something is wrong with a file was said already."""


def verify(
    repository: Repository, manifest: Manifest, *, scratch: Path | None = None, clock: Clock = SYSTEM
) -> list[Finding]:
    """What is wrong with a backup; when nothing is, that it was verified is noted beside it.

    The database is put together in a folder below `scratch`.  Raises AuthenticationError for a wrong key.
    """
    with tempfile.TemporaryDirectory(prefix="dsmilctl-verify-", dir=scratch) as folder:
        found = list(_read_back(repository, manifest, Path(folder)))
    try:
        repository.verified(manifest)
    except ValueError as error:
        found.append(fault(f"{manifest.name}{VERIFIED}", str(error)))
    if all(item.where.endswith(VERIFIED) for item in found):
        repository.note_verified(manifest, clock.now())
    return found


def distrusted(repository: Repository, manifest: Manifest, found: Iterable[Finding]) -> set[str]:
    """Every object of those files of a backup in which a damaged object was found."""
    bad = {item.where for item in found if item.where.startswith(OBJECTS)}
    if not bad:
        return set()
    files = ({f"{OBJECTS}{name}" for name in entry.objects} for entry in repository.entries(manifest))
    return set().union(*(names for names in files if names & bad))


def _read_back(repository: Repository, manifest: Manifest, folder: Path) -> Iterator[Finding]:
    try:
        entries = repository.entries(manifest)
    except ValueError as error:
        yield fault(f"{manifest.name}{ENDING}", str(error))
        return
    digests: dict[str, str] = {}
    for entry in entries:
        copy = folder / "archive.db" if entry.name == DATABASE else None
        yield from _read_entry(repository, entry, copy, digests)
    if DATABASE not in digests:
        yield fault(manifest.name, "it has no database: it would restore nothing")
    elif digests[DATABASE] != BROKEN:
        yield from check_database(manifest, folder / "archive.db", digests)


def _read_entry(
    repository: Repository, entry: Entry, copy: Path | None, digests: dict[str, str]
) -> Iterator[Finding]:
    """Read one file; its SHA-256 goes into `digests`, the database itself into `copy`."""
    whole, digests[entry.name] = hashlib.sha256(), BROKEN
    size, sealed = 0, entry.name.startswith(ARCHIVE) and copy is None
    with (copy or Path("/dev/null")).open("wb") as file:
        for name, content in blocks(repository, entry.objects):
            if isinstance(content, Exception):
                yield fault(f"{OBJECTS}{name}", f"{content} (of {entry.name})")
                return
            size += len(content)
            if sealed:
                whole.update(content)
            file.write(content)
    if size != entry.size:
        yield fault(entry.name, f"it has {size} bytes and should have {entry.size}")
    else:
        digests[entry.name] = whole.hexdigest()


def blocks(repository: Repository, names: Iterable[str]) -> Iterator[tuple[str, bytes | Exception]]:
    """Each object with its content, or with what is wrong with it, some read ahead."""

    def read(name: str) -> tuple[str, bytes | Exception]:
        try:
            return name, repository.block(name)
        except FileNotFoundError:
            return name, ValueError("it is missing")
        except (OSError, ValueError) as error:
            return name, error

    names = list(names)
    with ThreadPoolExecutor(THREADS) as pool:
        for first in range(0, len(names), THREADS * 4):
            yield from pool.map(read, names[first : first + THREADS * 4])


def write_out(repository: Repository, entry: Entry, file: IO[bytes]) -> None:
    """Write the content of an entry into a file; raises ValueError or OSError for a damaged object."""
    for name, content in blocks(repository, entry.objects):
        if isinstance(content, Exception):
            raise ValueError(f"{OBJECTS}{name}: {content}")
        file.write(content)


def check_database(manifest: Manifest, database: Path, digests: dict[str, str]) -> Iterator[Finding]:
    """What is wrong with the database of a backup, seen beside the sealed files that are there."""
    try:
        lines = list(_check_pages(database))
        held = look_at(database)
    except DAMAGED as error:
        yield fault(DATABASE, f"it cannot be read: {error}")
        return
    for line in lines:
        yield fault(DATABASE, line)
    yield from _check_counts(manifest, held)
    for item in held.sealed:
        if digests.get(f"{ARCHIVE}{item.file}") not in (item.sha256, BROKEN):
            yield fault(f"{ARCHIVE}{item.file}", "it is not the file that the database names")


def _check_pages(database: Path) -> Iterator[str]:
    connection = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        for (line,) in connection.execute("PRAGMA integrity_check(100)"):
            if line != "ok":
                yield f"integrity_check: {line}"
        for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check"):
            yield f"{table} row {row} belongs to a row of {parent} that is not there"
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > len(migrations()):
            yield f"its schema is {version}, this program knows {len(migrations())}"
    finally:
        connection.close()


def _check_counts(manifest: Manifest, held: Snapshot) -> Iterator[Finding]:
    if not held.recordings:
        yield fault(manifest.name, "it holds no recording: it would restore nothing")
    if held.recordings != manifest.recordings:
        what = f"it holds {held.recordings} recordings and should hold {manifest.recordings}"
        yield fault(manifest.name, what)
    for table in sorted(held.tables.keys() | manifest.tables.keys()):
        rows, expected = held.tables.get(table, 0), manifest.tables.get(table, 0)
        if rows != expected:
            yield fault(manifest.name, f"{table} has {rows} rows and should have {expected}")


def strangers(repository: Repository) -> Iterator[Finding]:
    """Files that belong to no backup, and manifests that are damaged.

    Sound objects that no backup needs are what an interrupted one left; `prune` removes them.
    """
    known: set[str] = set()
    names: set[str] = set()
    damaged = False
    for name, found in repository.looked_at():
        if isinstance(found, Finding):
            damaged = True
            yield found
        else:
            known |= found.needs
        names |= {f"{name}{ENDING}", f"{name}{VERIFIED}"}
    for file in repository.target.names():
        if OBJECT.fullmatch(file):
            object_name = file.removeprefix(OBJECTS)
            if object_name not in known and not damaged and not _sound(repository, object_name):
                yield fault(file, "it belongs to no backup, and is not what its name says")
        elif file not in names and file not in (KEY, KEY_SUM):
            yield fault(file, "this file is none of a backup's")
    yield from _check_key(repository)


def _check_key(repository: Repository) -> Iterator[Finding]:
    """Whether the key of the encrypted backups is there as it was; only its passphrase is not known."""
    there = set(repository.target.names())
    encrypted = [item.name for item in repository.manifests() if item.sealed]
    if encrypted and KEY not in there:
        yield fault(KEY, f"it is missing: nothing opens {', '.join(encrypted[:3])}")
    elif KEY in there and KEY_SUM not in there:
        yield fault(KEY_SUM, "it is missing")
    elif KEY in there:
        try:
            require_whole_key(repository.target, repository.target.read(KEY))
        except CheckFailed as error:
            yield fault(KEY, error.message.partition(": ")[2])


def _sound(repository: Repository, name: str) -> bool:
    """Whether an object is what its name says; of an encrypted one only the passphrase could tell."""
    try:
        stored = repository.target.read(f"{OBJECTS}{name}")
        return stored.startswith(PREFIX) or bool(repository.content_of(name, stored) is not None)
    except (OSError, ValueError):
        return False
