"""Members: the other server's devices as devices of this fleet, and the way back from our ids to theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from dsmilctl.client.remote.api import Api
from dsmilctl.client.remote.roster import Roster
from dsmilctl.drivers.contract import Command
from dsmilctl.drivers.dsmil.kept import Member
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
        self.all: Sequence[Member] = ()
        self._theirs: dict[DeviceId, DeviceId] = {}
        self._ours: dict[DeviceId, Device] = {}

    async def find(self, api: Api) -> Sequence[Device]:
        """The devices with their registers, risk and quarantine, in the other server's order."""
        found = await Roster(api).select(parse_selector(self._options.devices), quarantined=True)
        return self.take([Member(device.device_id, self._member(device)) for device in found])

    def take(self, members: Sequence[Member]) -> Sequence[Device]:
        """Go on with these."""
        self.all = members
        self._theirs = {member.device.device_id: member.theirs for member in members}
        self._ours = {member.theirs: member.device for member in members}
        return [member.device for member in members]

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


async def command_names(api: Api) -> dict[str, str]:
    """The commands that the other server's drivers declare, each with its driver."""
    drivers = (await api.get("/system/capabilities", Capabilities)).drivers
    return {str(name): driver for driver, facts in drivers.items() for name in facts.get("commands", ())}


def commands_of(names: Mapping[str, str], server: str) -> Mapping[str, Command]:
    """Those commands as ours; the other server judges their arguments itself."""
    return {
        name: Command(
            name,
            f"A command of driver {driver} on {server}",
            operation=KINDS.get(name, OperationType.COMMAND),
            any_parameter=True,
        )
        for name, driver in names.items()
    }
