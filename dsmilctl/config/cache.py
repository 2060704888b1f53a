"""Cache: validated results, kept so that a one-shot command need not load what validates them."""

from __future__ import annotations

import os
import stat
import zlib
from pathlib import Path
from typing import TypeVar

import msgspec

from dsmilctl.clock import NANOSECONDS, SYSTEM, Clock
from dsmilctl.config.sources import Source
from dsmilctl.decoding import UNDECODABLE
from dsmilctl.errors import ConfigError

T = TypeVar("T", bound=msgspec.Struct)

SETTLED = NANOSECONDS
"""A file that changed less than this long ago (ns) may change again without a new time: do not keep it."""


class _Kept(msgspec.Struct):
    key: str
    value: msgspec.Raw


def load(folder: Path, found: list[Source], key: str, kind: type[T]) -> T | None:
    """What was kept under exactly this key, or None."""
    content = _read(_file(folder, found))
    if content is None:
        return None
    try:
        kept = msgspec.json.decode(content, type=_Kept)
        return msgspec.json.decode(kept.value, type=kind) if kept.key == key else None
    except UNDECODABLE:
        return None  # cut short, damaged, or of another version: work it out again


def keep(folder: Path, found: list[Source], key: str, value: msgspec.Struct, clock: Clock = SYSTEM) -> None:
    """Keep a result; without a writable cache folder every command works it out again."""
    from dsmilctl.config.private import private_folder, write_private

    if any(_fresh(source, clock.now()) for source in found):
        return
    try:
        private_folder(folder)
        content = msgspec.json.encode(_Kept(key, msgspec.Raw(msgspec.json.encode(value))))
        write_private(_file(folder, found), content, durable=False)
    except ConfigError:
        return  # slower, not wrong


def _fresh(source: Source, now: int) -> bool:
    times = source.identity.split(" ")[:2]
    return any(time.isdigit() and int(time) > now - SETTLED for time in times)


def _file(folder: Path, found: list[Source]) -> Path:
    """One file per set of files that exist, so that two projects do not push each other out."""
    names = "\n".join(source.path for source in found if source.exists)
    return folder / f"{zlib.crc32(names.encode('utf-8', 'surrogateescape')):08x}.json"


def _read(file: Path) -> bytes | None:
    try:
        with file.open("rb") as opened:
            state = os.fstat(opened.fileno())
            ours = state.st_uid == os.geteuid() and not stat.S_IMODE(state.st_mode) & 0o077
            return opened.read() if ours and stat.S_ISREG(state.st_mode) else None
    except OSError:
        return None
