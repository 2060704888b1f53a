"""Attempts: how the last backup went, so that one that failed or is overdue is seen."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from dsmilctl.archive.closing import write_durably
from dsmilctl.clock import NANOSECONDS, rfc3339

LOGGER = logging.getLogger("dsmilctl.archive.backup")
STALE = 24 * 3600
"""Seconds after which the newest backup is an old one where none is scheduled."""

LATE = 2
"""Times its interval after which a scheduled backup is overdue."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """The last attempt at a backup.  Times are in nanoseconds UTC, 0 for never; `every` in seconds.

    `good` is when the last one was made and verified, `problem` why the last attempt failed.
    """

    at: int = 0
    good: int = 0
    name: str = ""
    target: str = ""
    problem: str = ""
    every: int = 0

    def state(self, now: int) -> tuple[str, str]:
        """`none`, `ok`, `failed` or `stale`, and a sentence about it."""
        if self.problem:
            return "failed", f"the backup of {rfc3339(self.at)} failed: {self.problem}"
        if not self.good:
            return "none", "there is no backup yet"
        age = (now - self.good) / NANOSECONDS
        if age > max(LATE * self.every, 60) if self.every else age > STALE:
            return "stale", f"the last good backup is of {rfc3339(self.good)}"
        return "ok", f"{self.name} of {rfc3339(self.good)} at {self.target}"


def last_attempt(path: Path) -> Attempt:
    """What was noted; nothing where there was none, or where the note cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Attempt)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return Attempt()


def note_attempt(path: Path, attempt: Attempt) -> None:
    """Keep how it went; that it cannot be kept must not spoil a backup that is good."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_durably(path, msgspec.json.encode(attempt))
    except OSError as error:
        LOGGER.warning("how the backup went cannot be noted: %s", error)
