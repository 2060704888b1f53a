"""The lifecycle's table of states: which change of state is allowed."""

from __future__ import annotations

from collections.abc import Mapping

from dsmilctl.errors import DeviceBusy
from dsmilctl.model.device import DeviceId, DeviceState, show_id

S = DeviceState

ALLOWED: Mapping[DeviceState, frozenset[DeviceState]] = {
    S.UNKNOWN: frozenset({S.DISCOVERED}),
    S.DISCOVERED: frozenset({S.INITIALIZED}),
    S.INITIALIZED: frozenset({S.CONNECTED, S.DISCONNECTED, S.ERROR}),
    S.CONNECTED: frozenset({S.ACTIVE, S.DISCONNECTED, S.ERROR}),
    S.ACTIVE: frozenset({S.CONNECTED, S.ERROR}),
    S.ERROR: frozenset({S.DISCONNECTED}),
    S.DISCONNECTED: frozenset({S.INITIALIZED}),
}
"""The seven states and where each may go; every other request is refused with both states named."""


def require(device_id: DeviceId, old: DeviceState, new: DeviceState) -> None:
    """Raise DeviceBusy unless the table allows `old` → `new`."""
    if new not in ALLOWED[old]:
        allowed = ", ".join(sorted(ALLOWED[old]))
        raise DeviceBusy(
            f"{show_id(device_id)} cannot go from {old} to {new}",
            device_id=device_id,
            hint=f"from {old} it can go to: {allowed}",
        )
