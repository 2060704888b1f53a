"""Members: the other server's devices as devices of this fleet, and the way back from our ids to theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from dsmilctl.client.remote.api import Api
from dsmilctl.client.remote.roster import Roster
from dsmilctl.drivers.contract import Command
from dsmilctl.drivers.dsmil.options import DsmilOptions
from dsmilctl.errors import DeviceNotFound
from dsmilctl.model.device import Device, DeviceId, show_id
from dsmilctl.model.operation import OperationType
from dsmilctl.model.selector import parse_selector
from dsmilctl.wire.system import Capabilities

KINDS = {
    "configure": OperationType.CONFIG,
    "activate": OperationType.ACTIVATE,
    "deactivate": OperationType.DEACTIVATE,
    "reset": OperationType.RESET,
}
"""Commands that are kinds of operations of their own; every other one is a COMMAND."""


class Members:
    """The devices of the other server that are part of this fleet."""

    def __init__(self, options: DsmilOptions) -> None:
        self._options = options
        self._theirs: dict[DeviceId, DeviceId] = {}
        self._ours: dict[DeviceId, Device] = {}

    async def find(self, api: Api) -> Sequence[Device]:
        """The devices with their registers, risk and quarantine, in the other server's order."""
        found = await Roster(api).select(parse_selector(self._options.devices), quarantined=True)
        devices = [self._member(device) for device in found]
        self._theirs = {ours.device_id: device.device_id for ours, device in zip(devices, found, strict=True)}
        self._ours = {device.device_id: ours for ours, device in zip(devices, found, strict=True)}
        return devices

    def _member(self, device: Device) -> Device:
        facts = dict(device.facts) | {
            "server": self._options.server,
            "id there": device.shown_id,
            "driver there": device.driver,
        }
        return msgspec.structs.replace(
            device,
            device_id=f"{self._options.prefix}{device.shown_id}"
            if self._options.prefix
            else device.device_id,
            driver="dsmil",
            facts=tuple(facts.items()),
        )

    def theirs(self, device: Device) -> DeviceId:
        """What the other server calls a device; raises DeviceNotFound for one that it did not have."""
        try:
            return self._theirs[device.device_id]
        except KeyError:
            message = f"{self._options.server} has no {show_id(device.device_id)}"
            raise DeviceNotFound(message, device_id=device.device_id, hint="dsmilctl device list") from None

    def ours(self, device_id: DeviceId) -> Device | None:
        """Our device of an id of theirs, None for one that is no member."""
        return self._ours.get(device_id)


async def commands_of(api: Api, server: str) -> Mapping[str, Command]:
    """The commands that the other server's drivers declare; it judges their arguments itself."""
    drivers = (await api.get("/system/capabilities", Capabilities)).drivers
    names = {str(name): driver for driver, facts in drivers.items() for name in facts.get("commands", ())}
    return {
        name: Command(
            name,
            f"A command of driver {driver} on {server}",
            operation=KINDS.get(name, OperationType.COMMAND),
            any_parameter=True,
        )
        for name, driver in names.items()
    }
