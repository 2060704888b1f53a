"""Event: something that happened, worth telling whoever listens."""

from __future__ import annotations

from enum import IntEnum

import msgspec

from dsmilctl.model.device import DeviceId

EVENT_TYPES = (
    "device.state",
    "alarm.state",
    "emergency.stop",
    "emergency.release",
    "guard.journal",
    "backup.failed",
    "backup.stale",
)
"""Every type that an event may have; those of backups are told to the recording that runs."""


class Severity(IntEnum):
    """How urgent an event is, in rising order."""

    DEBUG = 0
    INFO = 1
    WARNING = 2
    ERROR = 3
    CRITICAL = 4


class Event(msgspec.Struct, frozen=True):
    """One event: `type` is one of EVENT_TYPES, and the device it is about, if any."""

    type: str
    message: str
    timestamp: int
    severity: Severity = Severity.INFO
    device_id: DeviceId | None = None
