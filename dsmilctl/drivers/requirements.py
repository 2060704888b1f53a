"""Requirements: what has to be so before a device is told anything, apart from what the guard asks."""

from __future__ import annotations

from dsmilctl.drivers.managed import Managed
from dsmilctl.errors import DeviceBusy, InvalidParameter, nearest
from dsmilctl.model.device import DeviceState


def require_command(managed: Managed, name: str) -> None:
    """Raise InvalidParameter unless the driver declares the command."""
    if name not in managed.driver.commands:
        known = list(managed.driver.commands)
        hint = nearest(name, known) or (
            f"commands of {managed.driver.name}: {', '.join(known)}" if known else "it declares no commands"
        )
        raise InvalidParameter(f"{managed.device.shown_id} has no command {name!r}", hint=hint, target=name)


def require_known_state(managed: Managed) -> None:
    """Raise DeviceBusy for a device that was not discovered yet."""
    if managed.state is DeviceState.UNKNOWN:
        raise DeviceBusy(f"{managed.device.shown_id} was not discovered", device_id=managed.device.device_id)
