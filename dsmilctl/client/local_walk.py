"""Walk: the lifecycle verbs on one device after the other, as a person orders them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from dsmilctl.drivers.managed import Managed
from dsmilctl.errors import DSMILError
from dsmilctl.fleet.fleet import Fleet
from dsmilctl.guard.checks import Checks
from dsmilctl.model.device import DeviceId, DeviceState, DeviceStatus

NOTHING: Mapping[DeviceId, DeviceStatus] = MappingProxyType({})
ENDING = ("disconnect", "cleanup")
ENDED = (DeviceState.UNKNOWN, DeviceState.DISCOVERED, DeviceState.DISCONNECTED)
"""States in which there is no conversation to end."""


class Walk:
    """One order of a lifecycle verb; `denied` gathers the devices that were left alone, and why.

    `remembered` is how earlier processes left the devices: what one has connected another disconnects.
    """

    def __init__(
        self, fleet: Fleet, checks: Checks, remembered: Mapping[DeviceId, DeviceStatus] = NOTHING
    ) -> None:
        self._fleet = fleet
        self._checks = checks
        self._remembered = remembered
        self.denied: dict[str, DSMILError] = {}

    async def go(self, verb: str, managed: Managed) -> DeviceStatus | None:
        """Carry out the verb; the status where it failed, with the reason, or where the state changed."""
        lifecycle = self._fleet.lifecycle
        act = {
            "initialize": lifecycle.initialize,
            "connect": lifecycle.connect,
            "disconnect": lifecycle.disconnect,
            "cleanup": lifecycle.cleanup,
        }.get(verb)
        if act is None:
            return None
        try:
            self._checks.read(managed)
        except DSMILError as refusal:
            self.denied[managed.device.shown_id] = refusal
            return _failed(managed, refusal)
        if verb in ENDING and managed.state is DeviceState.DISCOVERED:
            self._resume(managed)
        if verb == "disconnect" and managed.state in (*ENDED, DeviceState.ERROR):
            return None  # there is nothing to do, and what failed stays told
        try:
            await act(managed, self._fleet.deadline)
        except DSMILError as error:
            return _failed(managed, error)
        return managed.status

    def _resume(self, managed: Managed) -> None:
        """Begin where an earlier process left the device, if that began something."""
        left = self._remembered.get(managed.device.device_id)
        if left is not None and left.state not in ENDED:
            managed.resume(left)


def _failed(managed: Managed, error: DSMILError) -> DeviceStatus:
    return msgspec.structs.replace(managed.status, reason=error.message, error_code=error.code)
