"""Supervision: what a recorder tells of itself, and what others ask of it, through files beside its log."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import msgspec

from dsmilctl.decoding import UNDECODABLE

LOGGER = logging.getLogger("dsmilctl.archive.supervision")


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How a recorder is.  Times are in nanoseconds UTC, `process` is its number in the system.

    `state` is `recording`, `waiting` (for what `--when` names), `degraded` (the disk takes nothing, see
    `problem`), `ending` or `ended`.  `aborted` are recordings that it found without an end.
    """

    process: int
    recording_id: str
    name: str
    context: str
    started: int
    updated: int
    state: str = "recording"
    detached: bool = False
    readings: int = 0
    operations: int = 0
    events: int = 0
    missed: int = 0
    problem: str = ""
    aborted: tuple[str, ...] = ()


class Ending(msgspec.Struct, frozen=True):
    """How somebody wants a recording to end."""

    status: str = "completed"
    notes: str = ""


class Supervision(msgspec.Struct, frozen=True):
    """The files in which a recorder and those who watch it meet."""

    folder: Path

    @property
    def log(self) -> Path:
        """What a detached recorder logs; rotated."""
        return self.folder / "recorder.log"

    @property
    def last_words(self) -> Path:
        """What a detached recorder said on stderr before it was at work."""
        return self.folder / "last-words.txt"

    def prepare(self) -> None:
        """Make the folder, and forget what was asked of the recorder before."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._ending.unlink(missing_ok=True)

    def tell(self, health: Health) -> None:
        """Say how the recorder is; whoever looks sees the old text or the new."""
        try:
            _replace(self._health, msgspec.json.encode(health))
        except OSError as error:  # a full disk must not end what waits for room on it
            LOGGER.debug("the recorder's state cannot be told: %s", error)

    def health(self) -> Health | None:
        """What the last recorder told last; None where there was none."""
        try:
            return msgspec.json.decode(self._health.read_bytes(), type=Health)
        except (OSError, *UNDECODABLE):
            return None

    def ask_to_end(self, ending: Ending) -> None:
        """Say how the recording should end, before the recorder is told that it should."""
        _replace(self._ending, msgspec.json.encode(ending))

    def asked(self) -> Ending | None:
        """How somebody wants the recording to end."""
        try:
            return msgspec.json.decode(self._ending.read_bytes(), type=Ending)
        except (OSError, *UNDECODABLE):
            return None

    @property
    def _health(self) -> Path:
        return self.folder / "recorder.json"

    @property
    def _ending(self) -> Path:
        return self.folder / "ending.json"


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)  # noqa: PTH105 - renames over what is there in one step
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
