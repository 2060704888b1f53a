"""Power: what a disk may hold when the power fails, worked out from the system calls of a process.

What was written since a file's last fsync is on the medium or not, in any order, and may be torn between two
sectors.  Names (files made, renamed, removed) are taken as kept in their order, as by a file system with a
journal.  The shared index of the log of SQLite (-shm) is memory and is gone.
"""

from __future__ import annotations

import random
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

SECTOR = 512
WATCHED = "pwrite64,write,ftruncate,fsync,fdatasync,open,openat,creat,rename,unlink,unlinkat,mkdir"
STRANGE = "pwritev,pwritev2,writev,copy_file_range,sendfile,fallocate,truncate,link,linkat,renameat,renameat2"
"""Calls that change files, too: nobody uses them yet, and whoever does has to be understood here first."""

CALL = re.compile(r"(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>\d+)(?:<.*>)?")
RESUMED = re.compile(r"<\.\.\. \w+ resumed>(?P<rest>.*)")
TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"|<((?:\\x[0-9a-f]{2})+)>')


def traced(command: Sequence[str], trace: Path) -> subprocess.Popen[bytes]:
    """Start a command, the head of a group of its own, whose calls that change files are written down."""
    watch = ["strace", "-DD", "-f", "-qq", "-xx", "-y", "-s", "100000000", "-e", "signal=none"]
    watch += ["-e", f"trace={WATCHED},{STRANGE}", "-o", str(trace)]
    pipe = subprocess.PIPE
    return subprocess.Popen([*watch, *command], stdout=pipe, stderr=pipe, start_new_session=True)


class Call(NamedTuple):
    """A system call that succeeded: its strings and the paths of its descriptors, and its other arguments."""

    name: str
    texts: list[bytes]
    plain: list[str]
    result: int

    def number(self, place: int) -> int:
        """One of the other arguments."""
        return int(self.plain[place], 0)


def calls_of(trace: Path) -> Iterator[Call]:
    """The calls of a trace in the order in which they ended."""
    begun: dict[str, str] = {}
    for line in trace.read_text("ascii").splitlines():
        process, said = line.split(maxsplit=1)
        if said.endswith("<unfinished ...>"):
            begun[process] = said.removesuffix("<unfinished ...>").rstrip()
            continue
        if resumed := RESUMED.fullmatch(said):
            said = begun.pop(process) + resumed["rest"]
        if found := CALL.fullmatch(said):
            texts = [
                bytes.fromhex((text or path).replace("\\x", ""))
                for text, path in TEXT.findall(found["arguments"])
            ]
            plain = [item.strip() for item in TEXT.sub("", found["arguments"]).split(",")]
            yield Call(found["name"], texts, plain, int(found["result"]))


class Write(NamedTuple):
    """Bytes at a place of a file."""

    offset: int
    data: bytes

    def into(self, file: bytearray) -> None:
        """Write them; what lies before them and was never written is zeros."""
        if len(file) < self.offset:
            file.extend(bytes(self.offset - len(file)))
        file[self.offset : self.offset + len(self.data)] = self.data

    def torn(self, chance: random.Random) -> Write:
        """As many of its sectors as a moment happens to leave: none, some, all."""
        torn = chance.randrange(len(self.data) // SECTOR + 1) * SECTOR
        return Write(self.offset, self.data[: chance.choice((0, torn, len(self.data)))])


class Cut(NamedTuple):
    """A file made that long."""

    size: int

    def into(self, file: bytearray) -> None:
        """Make it that long."""
        del file[self.size :]
        file.extend(bytes(self.size - len(file)))

    def torn(self, chance: random.Random) -> Cut | Write:
        """It happened, or it did not."""
        return chance.choice((self, Write(0, b"")))


class File:
    """A file as processes see it, and what of it is certain to be on the medium."""

    def __init__(self) -> None:
        self.seen = bytearray()
        self.kept = b""
        self.unsure: list[Write | Cut] = []

    def change(self, change: Write | Cut) -> None:
        """A change that everybody sees, and that is on the medium after the next sync, or before."""
        change.into(self.seen)
        self.unsure.append(change)

    def sync(self) -> None:
        """What is seen is on the medium now."""
        self.kept, self.unsure = bytes(self.seen), []

    def after_a_cut(self, chance: random.Random) -> bytes:
        """What is found when the power comes back."""
        found = bytearray(self.kept)
        for change in self.unsure:
            change.torn(chance).into(found)
        return bytes(found)


def _change(call: Call, size: int) -> Write | Cut:
    """What a call does to the content of a file that is that long."""
    if call.name == "pwrite64":
        return Write(call.number(-1), call.texts[1])
    if call.name == "write":
        return Write(size, call.texts[1])
    if call.name == "ftruncate":
        return Cut(call.number(-1))
    # One of STRANGE, which no recorder uses: a simulation that left it out would prove nothing.
    raise NotImplementedError(call.name)


class Disk:
    """The files below a folder as a sequence of calls leaves them."""

    def __init__(self, folder: Path) -> None:
        self._folder = bytes(folder)
        self.files: dict[bytes, File] = {}

    def take(self, call: Call) -> None:
        """Let a call happen; calls about other folders are passed over."""
        if not any(text.startswith(self._folder) for text in call.texts[:2]):
            return
        path = next(text for text in call.texts if text.startswith(self._folder))
        if call.name in ("open", "openat", "creat"):
            self._open(path, call)
        elif call.name in ("fsync", "fdatasync"):
            if path in self.files:  # else it is a folder
                self.files[path].sync()
        elif call.name == "rename":
            self._rename(*call.texts)
        elif call.name in ("unlink", "unlinkat"):
            self.files.pop(path, None)
        elif call.name != "mkdir":
            self.files[path].change(_change(call, len(self.files[path].seen)))

    def _open(self, path: bytes, call: Call) -> None:
        if "O_CREAT" in str(call.plain) and path not in self.files:
            self.files[path] = File()
        if "O_TRUNC" in str(call.plain):
            self.files[path].change(Cut(0))

    def _rename(self, old: bytes, new: bytes) -> None:
        for path in [path for path in self.files if path == old or path.startswith(old + b"/")]:
            self.files[new + path.removeprefix(old)] = self.files.pop(path)

    def leave(self, folder: Path, chance: random.Random) -> None:
        """Write what a power cut at this moment leaves into another folder."""
        for path, file in self.files.items():
            if not path.endswith(b"-shm"):
                there = folder / path.removeprefix(self._folder + b"/").decode()
                there.parent.mkdir(parents=True, exist_ok=True)
                there.write_bytes(file.after_a_cut(chance))
