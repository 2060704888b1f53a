"""Memory: what was last known of each device, kept between one-shot commands."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from dsmilctl.decoding import UNDECODABLE
from dsmilctl.drivers.managed import Managed
from dsmilctl.model.device import DeviceId, DeviceState, DeviceStatus

LOGGER = logging.getLogger("dsmilctl.fleet")


class Memory:
    """The last known states of one fleet in a small file.  A lost or damaged file costs no more than that."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> dict[DeviceId, DeviceStatus]:
        """What was last known, by device."""
        try:
            known = msgspec.json.decode(self._path.read_bytes(), type=list[DeviceStatus])
        except (OSError, *UNDECODABLE):
            return {}
        return {status.device_id: status for status in known}

    def keep(self, devices: Iterable[Managed]) -> None:
        """Add what this process learnt; devices that it did not reach keep what was known of them."""
        touched = {item.device.device_id: item.status for item in devices if _touched(item)}
        if not touched:
            return
        statuses = self.load() | touched
        partial = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            partial.touch(mode=0o600)
            partial.write_bytes(msgspec.json.encode(list(statuses.values())))
            partial.replace(self._path)
        except OSError as error:
            LOGGER.info("the last states of the devices could not be kept: %s", error)


def _touched(managed: Managed) -> bool:
    return managed.state is not DeviceState.DISCOVERED or managed.last_seen is not None
