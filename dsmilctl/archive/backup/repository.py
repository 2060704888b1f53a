"""Repository: the backups in one place, their manifests, and how their objects are named and read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol

import msgspec

from dsmilctl.archive.backup import objects
from dsmilctl.archive.backup.folder import OBJECTS
from dsmilctl.archive.backup.manifest import ENDING, LAST, Entry, Manifest, decode
from dsmilctl.archive.finding import Finding
from dsmilctl.errors import AuthenticationError, CheckFailed, NotFound, nearest

VERIFIED = ".verified"
CHECK = "dsmilctl backup verify --all says what is damaged"


class Target(Protocol):
    """Where backups are: files with relative names, each whole or not there."""

    def names(self) -> list[str]:
        """Every file."""
        ...

    def read(self, name: str) -> bytes:
        """The content of a file; raises OSError."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Put a file in its place; raises OSError."""
        ...

    def settle(self) -> None:
        """Return when what was written will last."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        ...

    def held(self) -> AbstractContextManager[None]:
        """Keep others from changing it meanwhile."""
        ...


class Verified(msgspec.Struct, frozen=True):
    """That a backup was read back without a fault: when, its manifest's digest, and that of this note."""

    at: int
    manifest: str
    digest: str = ""

    @property
    def own_digest(self) -> str:
        """What `digest` has to be."""
        return hashlib.sha256(f"{self.at} {self.manifest}".encode()).hexdigest()


class Repository:
    """The backups in one place; `encrypts` says of what kind those are that are made."""

    encrypts = False

    def __init__(self, target: Target) -> None:
        self.target = target

    def manifests(self) -> list[Manifest]:
        """Every backup whose manifest is whole, newest first."""
        found = [manifest for _, manifest in self.looked_at() if isinstance(manifest, Manifest)]
        return sorted(found, key=lambda item: (item.created, item.name), reverse=True)

    def looked_at(self) -> Iterator[tuple[str, Manifest | Finding]]:
        """The name of every manifest with what it says, or with what is wrong with it."""
        for file in self.target.names():
            if file.endswith(ENDING) and "/" not in file:
                name = file.removesuffix(ENDING)
                try:
                    yield name, decode(self.target.read(file), name)
                except (ValueError, OSError) as error:
                    yield name, fault(file, str(error))

    def manifest(self, name: str) -> Manifest:
        """The backup of that name, the newest one for `last`; raises NotFound, and CheckFailed if damaged."""
        if name == LAST:
            if known := self.manifests():
                return known[0]
            raise NotFound(f"there is no backup in {self.target}", hint="dsmilctl backup create", target=LAST)
        try:
            return decode(self.target.read(f"{name}{ENDING}"), name)
        except FileNotFoundError:
            hint = nearest(name, [item.name for item in self.manifests()]) or "dsmilctl backup list"
            raise NotFound(f"no backup {name!r} in {self.target}", hint=hint, target=name) from None
        except ValueError as error:
            raise CheckFailed(f"{name}{ENDING}: {error}", hint=CHECK, target=name) from error

    def entries(self, manifest: Manifest) -> tuple[Entry, ...]:
        """The files of a backup; raises AuthenticationError where it is encrypted."""
        if manifest.sealed:
            raise _locked(manifest.name)
        return manifest.entries

    def last_entries(self) -> tuple[Entry, ...]:
        """The files of the newest backup of the kind that is made here; none where it cannot be read."""
        same = (item for item in self.manifests() if bool(item.sealed) == self.encrypts)
        try:
            last = next(same, None)
            return () if last is None else self.entries(last)
        except ValueError:
            return ()

    def prepare(self) -> None:
        """Have at hand what making a backup takes."""

    def seal(self, manifest: Manifest) -> Manifest:
        """A manifest as it is kept."""
        return manifest

    def name_of(self, block: bytes) -> str:
        """The name of the object with this content."""
        return objects.name_of(block)

    def pack(self, block: bytes) -> bytes:
        """Content as it is kept."""
        return objects.pack(block)

    def block(self, name: str) -> bytes:
        """The content of an object; raises ValueError where it is not what its name says, and OSError."""
        return self.content_of(name, self.target.read(f"{OBJECTS}{name}"))

    def content_of(self, name: str, stored: bytes) -> bytes:
        """The content of an object as it is kept; raises ValueError where it is not what its name says."""
        content = self.unpacked(stored)
        if objects.name_of(content) != name:
            raise ValueError("it holds something else than its name says: it was renamed")
        return content

    def unpacked(self, stored: bytes) -> bytes:
        """The content of an object; raises ValueError where a bit of it has changed."""
        return objects.unpack(stored)

    def verified(self, manifest: Manifest) -> int | None:
        """When a backup was last read back without a fault, in nanoseconds UTC; None if never.

        Raises ValueError where the note of it is damaged.
        """
        try:
            content = self.target.read(f"{manifest.name}{VERIFIED}")
        except FileNotFoundError:
            return None
        try:
            found = msgspec.json.decode(content, type=Verified)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ValueError(f"it cannot be read: {error}") from error
        if msgspec.json.encode(found) != content or found.digest != found.own_digest:
            raise ValueError("bits of it have changed: its own SHA-256 differs")
        return found.at if found.manifest == manifest.digest else None

    def was_verified(self, manifest: Manifest) -> int | None:
        """The same; a damaged note is as good as none."""
        try:
            return self.verified(manifest)
        except ValueError:
            return None

    def note_verified(self, manifest: Manifest, at: int) -> None:
        """Keep when a backup was read back without a fault."""
        found = Verified(at, manifest.digest)
        content = msgspec.json.encode(msgspec.structs.replace(found, digest=found.own_digest))
        self.target.write(f"{manifest.name}{VERIFIED}", content)


def _locked(name: str) -> AuthenticationError:
    hint = "give its passphrase: --passphrase-file FILE or DSMIL_BACKUP_PASSPHRASE"
    return AuthenticationError(f"backup {name} is encrypted", hint=hint, target=name)


def fault(where: str, what: str) -> Finding:
    """Something that is wrong with a file of a backup."""
    return Finding(layer="backups", where=where, what=what, mend="dsmilctl backup create makes another")
