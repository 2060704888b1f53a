"""Machine: the kernel's files of one machine below one root, and the numbers in them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.drivers.host.options import HostOptions

T = TypeVar("T")

LIMIT = 4 * 1024 * 1024
"""Bytes that are read of one file at most; no file of the kernel that is read here comes near it."""

WHOLE = r"[+-]?[0-9]{1,20}"
DECIMAL = r"[+-]?[0-9]{1,20}(\.[0-9]{1,20})?"


class Nonsense(ValueError):
    """A file of the kernel holds something that is not what its manual promises."""


class Absent(Exception):
    """A kind of part is not there; the message says how that was found out."""


class Machine:
    """The `proc`, `sys` and `dev` folders below a root, as one search for parts sees them."""

    def __init__(self, options: HostOptions, clock: Clock = SYSTEM) -> None:
        self.options = options
        self.clock = clock
        self.root = Path(options.root)
        self._found: dict[object, Any] = {}

    def once(self, find: Callable[[Machine], T]) -> T:
        """What `find` finds here, looked for once."""
        if find not in self._found:
            self._found[find] = find(self)
        found: T = self._found[find]
        return found

    @property
    def real(self) -> bool:
        """Whether this is the machine that this process runs on."""
        return self.root == Path("/")

    def path(self, name: str) -> Path:
        """The file or folder `name` (`proc/stat`) below the root."""
        return self.root / name

    def text(self, name: str, limit: int = LIMIT) -> str:
        """What the file `name` below the root holds; raises OSError."""
        return text(self.path(name), limit)

    def why_absent(self, name: str, what: str) -> str:
        """Why the folder or file `name` gave no `what` ("sensor chips")."""
        path = self.path(name)
        try:
            entries = list(path.iterdir()) if path.is_dir() else text(path, 1)
        except FileNotFoundError:
            return f"{path} does not exist"
        except OSError as error:
            return f"{path} cannot be read: {error.strerror}"
        return f"{path} holds no {what}" if entries else f"{path} is empty"


def text(path: Path, limit: int = LIMIT) -> str:
    """At most `limit` bytes of a file, as text; raises OSError.  Never waits for a writer of a pipe."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        parts = []
        while limit > 0 and (part := os.read(descriptor, min(limit, 65536))):
            parts.append(part)
            limit -= len(part)
    finally:
        os.close(descriptor)
    return b"".join(parts).decode(errors="surrogateescape")


def line(path: Path, default: str = "") -> str:
    """The first line of a small file, printable, or `default` where there is no such file."""
    try:
        lines = text(path, 4096).splitlines()
    except OSError:
        return default
    return printable(lines[0]) if lines else default


def names(folder: Path) -> list[str]:
    """The names in a folder in natural order (`cpu2` before `cpu10`), none where there is no folder."""
    try:
        found = [entry.name for entry in folder.iterdir()]
    except OSError:
        return []
    return sorted(found, key=natural)


def is_folder(path: Path) -> bool:
    """Whether this user can see that `path` is a folder."""
    try:
        return path.is_dir()
    except OSError:
        return False


def place(path: Path) -> Path:
    """Where a path leads in the end; a link that goes in a circle leads nowhere and hurts nobody."""
    return Path(os.path.realpath(path))


def natural(name: str) -> list[tuple[int, str]]:
    """A sort key that orders digits by their number."""
    return [(int(part) if part.isdecimal() else -1, part) for part in re.split("([0-9]+)", name)]


def whole(field: str) -> int:
    """The whole number that a field is; raises Nonsense."""
    if not re.fullmatch(WHOLE, field.strip()):
        raise Nonsense(f"{printable(field)!r} is not a whole number")
    return int(field)


def decimal(field: str) -> float:
    """The number that a field is; raises Nonsense."""
    if not re.fullmatch(DECIMAL, field.strip()):
        raise Nonsense(f"{printable(field)!r} is not a number")
    return float(field)


def wholes(fields: Iterable[str]) -> list[int]:
    """The whole numbers that fields are; raises Nonsense."""
    return [whole(field) for field in fields]


def printable(field: str, length: int = 80) -> str:
    """A field on one line without control characters, cut to `length`."""
    if not field.isprintable():
        field = "".join(character if character.isprintable() else " " for character in field)
    return " ".join(field.split())[:length]
