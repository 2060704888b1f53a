"""Walk: the lifecycle verbs on one device after the other, as a person orders them."""

from __future__ import annotations

import msgspec

from dsmilctl.drivers.managed import Managed
from dsmilctl.errors import DSMILError
from dsmilctl.fleet.fleet import Fleet
from dsmilctl.guard.checks import Checks
from dsmilctl.model.device import DeviceStatus


class Walk:
    """One order of a lifecycle verb; `denied` gathers the devices that were left alone, and why."""

    def __init__(self, fleet: Fleet, checks: Checks) -> None:
        self._fleet = fleet
        self._checks = checks
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
        if verb == "disconnect" and not managed.connected:
            return None  # there is nothing to do
        try:
            await act(managed, self._fleet.deadline)
        except DSMILError as error:
            return _failed(managed, error)
        return managed.status


def _failed(managed: Managed, error: DSMILError) -> DeviceStatus:
    return msgspec.structs.replace(managed.status, reason=error.message, error_code=error.code)
