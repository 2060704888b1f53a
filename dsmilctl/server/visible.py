"""Visible: the two ways in which a device is out of reach: there is none, or it is kept from this user."""

from __future__ import annotations

from dsmilctl.errors import DeviceNotFound, PermissionDenied
from dsmilctl.model.device import DeviceId, show_id
from dsmilctl.model.identity import Identity
from dsmilctl.wire.values import checked_id

LIST = "GET /api/v2/devices"
"""The hint, in the words of the API; the client puts them into its own (`dsmilctl.wire.words`)."""


def no_device(wanted: DeviceId) -> DeviceNotFound:
    """The error for an id that no device has; raises InvalidParameter for one that none can have."""
    shown = show_id(checked_id(wanted))
    return DeviceNotFound(f"no device {shown}", device_id=wanted, hint=LIST, target=shown)


def require_visible(identity: Identity, wanted: DeviceId) -> None:
    """Raise PermissionDenied for a device that is not among those of the user."""
    if not identity.may_see(wanted):
        shown = show_id(wanted)
        raise PermissionDenied(f"{identity.user} has no access to {shown}", hint=LIST, target=shown)
