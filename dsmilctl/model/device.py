"""Device: what a fleet is made of."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from dsmilctl.model.register import Register

DeviceId = int | str
"""A whole number for DSMIL devices, a name for all others."""


class DeviceState(StrEnum):
    """The seven states of the lifecycle."""

    UNKNOWN = "unknown"
    DISCOVERED = "discovered"
    INITIALIZED = "initialized"
    CONNECTED = "connected"
    ACTIVE = "active"
    ERROR = "error"
    DISCONNECTED = "disconnected"


class Risk(StrEnum):
    """How much harm a change of the device can do, in rising order."""

    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"
    CRITICAL = "CRITICAL"


class Device(msgspec.Struct, frozen=True, gc=False):
    """One device as its driver describes it.

    `registers` is shared between devices of one model; `default_register` is what `device read` reads when
    no register is named; `key_registers` are the columns of the dashboard; `facts` are further properties
    (firmware, model, path) that a person may want to see.
    """

    device_id: DeviceId
    name: str
    driver: str
    registers: tuple[Register, ...] = ()
    group: str = ""
    risk: Risk = Risk.LOW
    quarantined: bool = False
    default_register: str = ""
    key_registers: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def shown_id(self) -> str:
        """The id as people and scripts see it."""
        return show_id(self.device_id)


class DeviceStatus(msgspec.Struct, frozen=True, gc=False):
    """The lifecycle state of one device: why and since when (nanoseconds), and when it last answered.

    `error_code` is the stable code of the error that kept it from going where somebody ordered it to.
    """

    device_id: DeviceId
    state: DeviceState
    reason: str = ""
    since: int = 0
    last_seen: int | None = None
    error_code: str = ""


def show_id(device_id: DeviceId) -> str:
    """`0x8000` for a number, the name itself for a name."""
    return f"0x{device_id:04X}" if isinstance(device_id, int) else device_id
