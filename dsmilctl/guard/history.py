"""History of emergency stops: one file each, with what every device answered, as well as the disk allows."""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from dsmilctl.decoding import UNDECODABLE
from dsmilctl.guard.files import plain_name, private_folder, write_durably
from dsmilctl.model.emergency import Stop

LOGGER = logging.getLogger("dsmilctl.guard")
KEPT = 200
"""Older stops than this many are forgotten; the journal still has them."""

LONGEST_WAIT = 0.5
"""Seconds that a writer waits for another one."""

_decoder = msgspec.json.Decoder(Stop)
_encoder = msgspec.json.Encoder()


class History:
    """The stops of one fleet, in the first of several folders that can be written."""

    def __init__(self, folders: list[Path]) -> None:
        self._folders = folders

    def keep(self, stop: Stop) -> None:
        """Write the stop down, in place of what was known of it; a full disk is no reason to fail.

        Who released it stays written, whoever comes later to tell what devices answered.
        """
        for folder in self._folders:
            try:
                private_folder(folder)
                with _alone(folder):
                    write_durably(folder / _file_name(stop), _encoder.encode(self._with_its_end(stop)))
            except OSError as error:
                LOGGER.warning("the history of %s cannot be written: %s", stop.stop_id, error)
                continue
            self._forget(folder)
            return

    def _with_its_end(self, stop: Stop) -> Stop:
        """The stop as released as it is known to be."""
        kept = self._end_of(stop) if stop.released_at is None else None
        if kept is None:
            return stop
        return msgspec.structs.replace(stop, released_by=kept.released_by, released_at=kept.released_at)

    def ended(self, stop: Stop) -> bool:
        """Whether it is written here that somebody released the stop."""
        return self._end_of(stop) is not None

    def _end_of(self, stop: Stop) -> Stop | None:
        found = self.named({_file_name(stop)})
        return next((item for item in found if item.released_at is not None), None)

    def completed(self, stop: Stop) -> Stop:
        """The stop with what has become known of it since it was latched."""
        for folder in self._folders:
            kept = _read(folder / _file_name(stop))
            if kept is not None and kept.stop_id == stop.stop_id:
                return msgspec.structs.replace(
                    stop,
                    confirmations=kept.confirmations,
                    latched_ms=kept.latched_ms,
                    latch_error=kept.latch_error,
                    elsewhere=kept.elsewhere,
                )
        return stop

    def newest(self, limit: int) -> list[Stop]:
        """The newest stops, newest first."""
        found: list[Stop] = []
        for path in self._paths():
            if len(found) >= limit:
                break
            stop = _read(path)
            if stop is not None:
                found.append(stop)
        return found

    def names(self) -> set[str]:
        """The files there are, one for each stop."""
        return {name for folder in self._folders for name in _names(folder)}

    def named(self, names: AbstractSet[str]) -> list[Stop]:
        """The stops of some files, as far as they are here and can be read."""
        found = [_read(folder / name) for folder in self._folders for name in names]
        return [stop for stop in found if stop is not None]

    def changed(self) -> list[int]:
        """When a file last came into each folder or left it, in nanoseconds; 0 where there is no folder."""
        return [_changed(folder) for folder in self._folders]

    def _paths(self) -> Iterator[Path]:
        """Every file once, the newest stop first; the names begin with the time."""
        paths: dict[str, Path] = {}
        for folder in self._folders:
            for name in _names(folder):
                paths.setdefault(name, folder / name)
        for name in sorted(paths, reverse=True):
            yield paths[name]

    @staticmethod
    def _forget(folder: Path) -> None:
        for name in sorted(_names(folder), reverse=True)[KEPT:]:
            (folder / name).unlink(missing_ok=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other writers of a folder away, so that none takes back what another wrote since it looked.

    Who has to wait too long, or cannot have it, goes on without: what devices answered must be told.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        yield
        return
    try:
        _take(descriptor)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int) -> None:
    deadline = time.monotonic() + LONGEST_WAIT
    with suppress(OSError):
        while time.monotonic() < deadline:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                time.sleep(0.002)


def _names(folder: Path) -> list[str]:
    try:
        return [name for name in os.listdir(folder) if name.endswith(".json")]  # noqa: PTH208 - names are wanted
    except OSError:
        return []


def _changed(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0


def _file_name(stop: Stop) -> str:
    return f"{stop.triggered_at:020d}-{plain_name(stop.stop_id)}.json"


def _read(path: Path) -> Stop | None:
    try:
        return _decoder.decode(path.read_bytes())
    except (OSError, *UNDECODABLE):
        return None
