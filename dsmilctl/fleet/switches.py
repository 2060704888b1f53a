"""Switches: which drivers somebody disabled, why and when."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from dsmilctl.decoding import UNDECODABLE
from dsmilctl.errors import StateUnavailable


class SwitchedOff(StateUnavailable):
    """The driver was disabled by somebody, for a reason."""

    def __init__(self, driver: str, reason: str) -> None:
        why = f": {reason}" if reason else ""
        hint = f"dsmilctl driver enable {driver}"
        super().__init__(f"driver {driver} is disabled{why}", hint=hint, target=driver)


class Switch(msgspec.Struct, frozen=True):
    """Whether a driver is enabled, the reason given and the time (nanoseconds UTC)."""

    enabled: bool
    reason: str
    changed: int


class Switches:
    """The switches of one user, kept in a small file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def all(self) -> dict[str, Switch]:
        """Every switch that was ever set, by driver; raises StateUnavailable for a file that is damaged."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, Switch])
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except (OSError, *UNDECODABLE) as error:
            hint = f"mend or remove {self._path}: without it every driver is enabled"
            raise StateUnavailable(f"{self._path}: {error}", hint=hint, target=str(self._path)) from error

    def set(self, driver: str, switch: Switch) -> None:
        """Remember a switch; raises StateUnavailable when it cannot be written."""
        switches = self.all() | {driver: switch}
        partial = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            partial.write_bytes(msgspec.json.encode(switches))
            partial.replace(self._path)
        except OSError as error:
            raise StateUnavailable(f"{self._path}: {error}", target=str(self._path)) from error
