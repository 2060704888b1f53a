"""Devices, their registers and what was done to them."""

from __future__ import annotations

from typing import Any

from dsmilctl.model.device import DeviceId
from dsmilctl.wire.base import Answer, Pagination

FIRMWARE = "firmware_version"
"""What the API calls the fact `firmware` of a device, which `hardware_info` has under both names."""


class Constraints(Answer, frozen=True, kw_only=True):
    """What limits the use of a device."""

    max_operations_per_minute: int | None = None
    requires_dual_auth: bool = False
    emergency_stop_priority: bool = True


class DeviceInfo(Answer, frozen=True, kw_only=True):
    """One device as the API shows it.  What follows `performance_metrics` are extensions.

    Devices with the same `register_model` have the same registers.
    """

    device_id: DeviceId
    device_name: str
    device_group: int | str
    device_index: int
    risk_level: str
    security_classification: str
    required_clearance: str
    is_active: bool
    is_quarantined: bool
    capabilities: list[str]
    constraints: Constraints
    hardware_info: dict[str, Any] = {}
    performance_metrics: dict[str, Any] = {}
    driver: str = ""
    group: str = ""
    state: str = ""
    default_register: str = ""
    key_registers: list[str] = []
    commands: list[str] = []
    state_reason: str = ""
    state_since: str = ""
    register_model: str = ""


class ListMeta(Answer, frozen=True, kw_only=True):
    """How many devices there are, and how many of them this user may see."""

    accessible_devices: int
    quarantined_devices: int
    user_authorized_devices: int


class DeviceList(Answer, frozen=True, kw_only=True):
    """`GET /devices`."""

    devices: list[DeviceInfo]
    pagination: Pagination
    meta: ListMeta


class RegisterInfo(Answer, frozen=True, kw_only=True):
    """One register of a device (`GET /devices/{id}/registers`, an extension)."""

    name: str
    address: int
    type: str
    unit: str = ""
    access: str = "ro"
    minimum: int | float | None = None
    maximum: int | float | None = None
    step: int | float | None = None
    low: int | float | None = None
    high: int | float | None = None
    choices: list[Any] = []
    safe: Any = None
    mask: int | None = None
    tolerance: float = 0.0
    hexadecimal: bool = False
    volatile: bool = False
    description: str = ""


class RegisterList(Answer, frozen=True, kw_only=True):
    """`GET /devices/{id}/registers`."""

    device_id: DeviceId
    registers: list[RegisterInfo]


class LifecycleStatus(Answer, frozen=True, kw_only=True):
    """The lifecycle state of a device (`POST /devices/{id}/lifecycle/{verb}`, an extension).

    `error_code` is that of the error that kept the device from going where it was ordered to.
    """

    device_id: DeviceId
    state: str
    reason: str = ""
    since: str = ""
    last_seen: str | None = None
    error_code: str = ""
