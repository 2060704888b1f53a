"""Identity: who asks, and how much that person may see and change."""

from __future__ import annotations

from enum import IntEnum

import msgspec

from dsmilctl.model.device import DeviceId

CHANGING = ("DEVICE_WRITE", "DEVICE_CONFIG", "BULK_OPERATIONS", "EMERGENCY_RELEASE")
"""Permissions that a context which only looks gives nobody."""


class Clearance(IntEnum):
    """The clearance levels of DSMIL in rising order.  Source: the DSMIL API, version 2."""

    UNCLASSIFIED = 0
    RESTRICTED = 1
    CONFIDENTIAL = 2
    SECRET = 3
    TOP_SECRET = 4
    SCI = 5
    SAP = 6
    COSMIC = 7


class Identity(msgspec.Struct, frozen=True):
    """Who asks: a name, the host it came from, its clearance, and the devices it may see (None: all).

    `session_id`, `user_id` and `compartments` are those of a server's session; `keys` are fingerprints of
    what proves this identity: two identities with one in common are the same person.
    """

    user: str
    host: str
    clearance: Clearance = Clearance.TOP_SECRET
    source: str = "local"
    devices: frozenset[DeviceId] | None = None
    session_id: str = ""
    user_id: str = ""
    compartments: tuple[str, ...] = ()
    keys: frozenset[str] = frozenset()

    def may_see(self, device_id: DeviceId) -> bool:
        """Whether the device is among those that this identity is authorised for."""
        return self.devices is None or device_id in self.devices
