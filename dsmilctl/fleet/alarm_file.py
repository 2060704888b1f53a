"""Alarm file: the alarms of a fleet between two processes, so that what is shelved or latched stays so."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from dsmilctl.decoding import UNDECODABLE
from dsmilctl.model.alarm import Alarm

LOGGER = logging.getLogger("dsmilctl.fleet.alarms")


class AlarmFile:
    """The alarms in one file.  Where it is lost they are raised anew, which is the safe side."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> list[Alarm]:
        """What was kept; nothing of a file that is damaged."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=list[Alarm])
        except FileNotFoundError:
            return []
        except (OSError, *UNDECODABLE) as error:
            LOGGER.warning("%s cannot be read, alarms begin anew: %s", self._path, error)
            return []

    def keep(self, alarms: Sequence[Alarm]) -> None:
        """Replace what is kept; what cannot be written is logged and holds nobody up."""
        partial = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(msgspec.json.encode(alarms))
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self._path)
        except OSError as error:
            LOGGER.warning("alarms could not be kept: %s", error)
