"""Creating: a backup from the snapshot to the manifest, which is written last."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from dsmilctl.archive.backup import snapshot
from dsmilctl.archive.backup.folder import OBJECTS
from dsmilctl.archive.backup.manifest import ENDING, Entry, Manifest, decode, encode, new_name, require_name
from dsmilctl.archive.backup.objects import BLOCK
from dsmilctl.archive.backup.repository import Repository
from dsmilctl.archive.backup.snapshot import Sealed, Snapshot
from dsmilctl.archive.places import Places
from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.errors import CheckFailed, Conflict

ARCHIVE = "archive/"
DATABASE = "archive/archive.db"
SEGMENTS = "archive/segments/"
THREADS = 4
WAITING = 32
"""Objects that may wait for the disk: what is in memory at once."""

ATTEMPTS = 3
"""How often a new snapshot is taken because sealed files were removed by retention meanwhile."""


class Source(msgspec.Struct, frozen=True):
    """A file that a backup takes along beside the archive, and where in the backup it lies."""

    name: str
    path: Path


def create(
    places: Places,
    repository: Repository,
    *,
    name: str = "",
    program: str = "",
    along: Sequence[Source] = (),
    left_out: Sequence[str] = (),
    anew: Collection[str] = (),
    scratch: Path | None = None,
    clock: Clock = SYSTEM,
) -> Manifest:
    """Back an archive up; a recorder may be at work meanwhile.

    `program` is the version that makes it, `along` are files of the configuration and the journal, `scratch`
    is the folder for the copy of the database; objects of `anew` are written even if they are there.
    Raises Conflict for a name that is taken, CheckFailed for an archive with a damaged segment, NotFound for
    one without a recording.
    """
    if name:
        require_name(name)
    with repository.target.held():
        repository.prepare()
        there = set(repository.target.names()) - set(anew)
        created = clock.now()
        taken = {item.removesuffix(ENDING) for item in there if item.endswith(ENDING)}
        chosen = name or new_name(created, taken)
        if chosen in taken:
            raise Conflict(f"there is a backup {chosen} already", hint="choose another --name", target=chosen)
        with tempfile.TemporaryDirectory(prefix="dsmilctl-backup-", dir=scratch) as folder:
            filling = _Filling(repository, there)
            entries, found = _filled(places, Path(folder) / "archive.db", filling, along)
        manifest = Manifest(
            name=chosen, created=created, program=program, size=sum(entry.size for entry in entries),
            files=len(entries), stored=filling.stored, recordings=found.recordings, tables=found.tables,
            left_out=tuple(left_out), entries=entries,
        )  # fmt: skip
        repository.target.settle()
        content = encode(repository.seal(manifest))
        repository.target.write(f"{chosen}{ENDING}", content)
        repository.target.settle()
        return decode(content, chosen)


def _filled(
    places: Places, copy: Path, filling: _Filling, along: Sequence[Source]
) -> tuple[tuple[Entry, ...], Snapshot]:
    """Every file as objects; taken again where retention removed one between the snapshot and its turn."""
    for attempt in range(1, ATTEMPTS + 1):
        copy.unlink(missing_ok=True)
        found = snapshot.take(places, copy)
        try:
            entries = [filling.add(DATABASE, found.database)]
            entries += [_add_sealed(filling, places, item) for item in found.sealed]
        except FileNotFoundError as error:
            missing = Path(str(error.filename))
            if not missing.is_relative_to(places.folder):
                raise
            if attempt == ATTEMPTS:
                raise _damaged(missing.relative_to(places.folder).as_posix(), "it is missing") from error
            continue
        entries += [filling.add(item.name, item.path) for item in along]
        return tuple(entries), found
    raise AssertionError("the last attempt returns or raises")


def _add_sealed(filling: _Filling, places: Places, item: Sealed) -> Entry:
    entry = filling.add(f"{ARCHIVE}{item.file}", places.folder / item.file, item.sha256)
    if entry.size != item.bytes:
        raise _damaged(item.file, f"it has {entry.size} bytes and should have {item.bytes}")
    return entry


def _damaged(file: str, what: str) -> CheckFailed:
    hint = "dsmilctl record check --repair sets it aside; then there is something sound to back up"
    return CheckFailed(f"{file}: {what}", hint=hint, target=file)


class _Filling:
    """Objects on their way into a repository; what is there already is not written again.

    A sealed file of the last backup, all of whose objects are there, is not even read.
    """

    def __init__(self, repository: Repository, there: set[str]) -> None:
        self.stored = 0
        self._repository = repository
        self._there = there
        self._known = {entry.name: entry for entry in repository.last_entries() if entry.sha256}

    def add(self, name: str, path: Path, sha256: str = "") -> Entry:
        """Put a file into the repository; raises CheckFailed where its SHA-256 is another, OSError."""
        known = self._known.get(name)
        if known is not None and known.sha256 == sha256 and self._has(known):
            return known
        whole = hashlib.sha256() if sha256 else None
        size, names = 0, list[str]()
        with path.open("rb") as file, ThreadPoolExecutor(THREADS) as pool:
            blocks = iter(lambda: file.read(BLOCK), b"")
            for group in _groups(blocks, WAITING):
                for block in group:
                    size += len(block)
                    if whole is not None:
                        whole.update(block)
                for object_name, stored in pool.map(self._put, group):
                    names.append(object_name)
                    self.stored += stored
        if whole is not None and whole.hexdigest() != sha256:
            raise _damaged(name.removeprefix(ARCHIVE), "bits of it have changed: its SHA-256 differs")
        entry = Entry(name, size, tuple(names), sha256=sha256)
        return msgspec.structs.replace(entry, digest=entry.own_digest)

    def _has(self, entry: Entry) -> bool:
        return all(f"{OBJECTS}{name}" in self._there for name in entry.objects)

    def _put(self, block: bytes) -> tuple[str, int]:
        name = self._repository.name_of(block)
        if f"{OBJECTS}{name}" in self._there:
            return name, 0
        content = self._repository.pack(block)
        self._repository.target.write(f"{OBJECTS}{name}", content)
        self._there.add(f"{OBJECTS}{name}")
        return name, len(content)


def _groups(blocks: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    group: list[bytes] = []
    for block in blocks:
        group.append(block)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group
