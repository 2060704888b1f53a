"""Emergency stop: what was stopped, by whom, why, and which devices confirmed."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from dsmilctl.model.device import DeviceId

REASON_PREFIX = "emergency stop: "


class StopOutcome(StrEnum):
    """What is known of one device after a stop."""

    STOPPED = "STOPPED"
    NOT_APPLICABLE = "NOT_APPLICABLE"
    UNCONFIRMED = "UNCONFIRMED"
    FAILED = "FAILED"

    @property
    def confirmed(self) -> bool:
        """Whether nothing more has to be done about the device."""
        return self in (StopOutcome.STOPPED, StopOutcome.NOT_APPLICABLE)


class Confirmation(msgspec.Struct, frozen=True, gc=False):
    """What one device answered to a stop: after how long, at which attempt, or why not."""

    device_id: DeviceId
    outcome: StopOutcome
    elapsed_ms: float = 0.0
    attempts: int = 0
    error: str = ""


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """One latched emergency stop.

    `devices` is empty when the scope is the whole fleet.  `latched_ms` is the time until the latch lay on
    disk, `latch_error` says why it could not be written where it should, or why it holds more than was
    ordered; `latched` is False when it could be written nowhere, so that it ends with its process.
    `released_by` and `released_at` end the stop.
    `fleets` are the keys under which it was latched where the fleet has several.  `elsewhere` names other
    systems that latched a stop of their own for it, which has to be released there, too.
    """

    stop_id: str
    scope: str
    reason: str
    triggered_by: str
    triggered_at: int
    devices: tuple[DeviceId, ...] = ()
    confirmations: tuple[Confirmation, ...] = ()
    latched_ms: float = 0.0
    latch_error: str = ""
    latched: bool = True
    released_by: str = ""
    released_at: int | None = None
    fleets: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()

    @property
    def confirmed(self) -> tuple[DeviceId, ...]:
        """The devices that are known to be stopped."""
        return tuple(item.device_id for item in self.confirmations if item.outcome.confirmed)

    @property
    def unconfirmed(self) -> tuple[DeviceId, ...]:
        """The devices that somebody has to look after."""
        return tuple(item.device_id for item in self.confirmations if not item.outcome.confirmed)

    def covers(self, device_id: DeviceId) -> bool:
        """Whether the stop holds this device."""
        return not self.devices or device_id in self.devices
