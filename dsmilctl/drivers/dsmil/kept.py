"""Kept: the devices that the other server had when it was last asked, for a start while it is away."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from dsmilctl.drivers.contract import DriverContext
from dsmilctl.drivers.dsmil.options import DsmilOptions
from dsmilctl.model.device import Device, DeviceId

NAME = "members.json"


class Member(msgspec.Struct, frozen=True):
    """One device of ours, and what the other server calls it."""

    theirs: DeviceId
    device: Device


class KeptMembers(msgspec.Struct, frozen=True):
    """Devices, and the options that they were found with: other options mean other devices."""

    url: str
    devices: str
    prefix: str
    members: list[Member]
    commands: dict[str, str] = {}


class Kept:
    """A file in the driver's state folder.  What cannot be read or written is as if it were not there."""

    def __init__(self, options: DsmilOptions, context: DriverContext) -> None:
        self._options = options
        self._context = context
        self._file: Path = context.state_folder / NAME

    def load(self) -> KeptMembers | None:
        """What was kept under the same options, None where there is nothing."""
        try:
            found = msgspec.json.decode(self._file.read_bytes(), type=KeptMembers)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return None
        options = self._options
        same = (found.url, found.devices, found.prefix) == (options.url, options.devices, options.prefix)
        return found if same else None

    def keep(self, members: Sequence[Member], commands: dict[str, str]) -> None:
        """Keep devices, in place of those before."""
        options = self._options
        said = KeptMembers(options.url, options.devices, options.prefix, list(members), commands)
        partial = self._file.with_name(f"{NAME}.{os.getpid()}")
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            partial.write_bytes(msgspec.json.encode(said))
            partial.replace(self._file)
        except OSError as error:
            self._context.logger.warning("the devices of %s cannot be kept: %s", options.server, error)

    def forget(self) -> int:
        """Drop them; how many there were."""
        found = self.load()
        try:
            self._file.unlink()
        except OSError:
            return 0  # there was none
        return len(found.members) if found else 0
