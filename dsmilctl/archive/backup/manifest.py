"""Manifest: what a backup holds, proved by SHA-256 of every name and content, and of itself."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

import msgspec

from dsmilctl.clock import rfc3339
from dsmilctl.errors import InvalidParameter

FORMAT = 1
ENDING = ".json"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
LAST = "last"
"""What stands for the newest backup on a command line."""


class Entry(msgspec.Struct, frozen=True):
    """One file: its path within the backup, its bytes, its objects in order, and the digest of all that.

    `sha256` is that of the whole file where the archive's database names it; the same file is not read again.
    """

    name: str
    size: int
    objects: tuple[str, ...]
    digest: str = ""
    sha256: str = ""

    @property
    def own_digest(self) -> str:
        """What `digest` has to be; as objects are named by their content, it covers every byte."""
        fields = (self.name, self.size, self.objects, self.sha256)
        return hashlib.sha256(msgspec.json.encode(fields)).hexdigest()


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """One backup.  `created` is in nanoseconds UTC, `size` in bytes of content, `stored` those added by it.

    `tables` counts the rows of the archive's tables, readings among them; `left_out` names what was not taken
    because it holds secrets; `sealed` has the entries of an encrypted backup, whose objects are in `objects`.
    """

    format: int = FORMAT
    name: str
    created: int
    program: str
    size: int
    files: int
    stored: int
    recordings: int
    tables: dict[str, int]
    left_out: tuple[str, ...] = ()
    entries: tuple[Entry, ...] = ()
    sealed: str = ""
    objects: tuple[str, ...] = ()
    digest: str = ""

    @property
    def rows(self) -> int:
        """Rows of all tables, and readings."""
        return sum(self.tables.values())

    @property
    def own_digest(self) -> str:
        """What `digest` has to be."""
        return hashlib.sha256(msgspec.json.encode(msgspec.structs.replace(self, digest=""))).hexdigest()

    @property
    def needs(self) -> frozenset[str]:
        """The names of the objects without which it cannot be restored."""
        return frozenset(self.objects) | {name for entry in self.entries for name in entry.objects}


def encode(manifest: Manifest) -> bytes:
    """A manifest as the bytes of its file."""
    return msgspec.json.encode(msgspec.structs.replace(manifest, digest=manifest.own_digest)) + b"\n"


def decode(content: bytes, name: str) -> Manifest:
    """The manifest of a file; raises ValueError where a bit of it has changed, or it is another's."""
    try:
        found = msgspec.json.decode(content, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(f"it cannot be read: {error}") from error
    if msgspec.json.encode(found) + b"\n" != content or found.digest != found.own_digest:
        raise ValueError("bits of it have changed: its own SHA-256 differs")
    if found.name != name:
        raise ValueError(f"it is the manifest of {found.name}, renamed")
    if found.format > FORMAT:
        raise ValueError(f"it is of format {found.format}, this program knows {FORMAT}")
    require_sound(found.entries)
    return found


def require_sound(entries: Iterable[Entry]) -> None:
    """Raise ValueError for entries whose digests do not fit or whose names lead out of a backup."""
    for entry in entries:
        if entry.digest != entry.own_digest:
            raise ValueError(f"{entry.name}: its digest differs")
        if any(part in ("", ".", "..") for part in entry.name.split("/")) or "\0" in entry.name:
            raise ValueError(f"{entry.name!r} leads out of the backup")


def require_name(name: str) -> None:
    """Raise InvalidParameter for what cannot be the name of a backup."""
    if not NAME.fullmatch(name) or name == LAST:
        hint = "letters, digits, `.`, `_` and `-`, up to 100; not `last`"
        raise InvalidParameter(f"a backup cannot be called {name!r}", hint=hint, target="--name")


def new_name(created: int, taken: set[str]) -> str:
    """A name made of the moment, with a number behind it where there was a backup in the same second."""
    plain = "backup-" + re.sub(r"\D", "", rfc3339(created)[:19])
    names = (plain if number == 1 else f"{plain}-{number}" for number in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)
