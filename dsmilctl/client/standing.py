"""Standing: how a device has fared, and what it takes to do something with it."""

from __future__ import annotations

import msgspec

from dsmilctl.drivers.managed import Managed
from dsmilctl.guard.checks import Checks
from dsmilctl.model.operation import OperationType


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Of one device.

    Mean time of an answer and share of successes since this process opened it, None before the first one;
    and what the policy asks: the clearance for a read, a second person for a write, the most changes in a
    minute (None: any number).
    """

    mean_latency_ms: float | None
    success_percent: float | None
    clearance: str
    second_person: bool
    changes_per_minute: int | None


def standing(managed: Managed, checks: Checks) -> Standing:
    """The standing of a device under a policy."""
    device, policy, fared = managed.device, checks.policy, managed.statistics
    bucket = policy.quarantine_rate if device.quarantined else policy.device_rates.get(device.risk)
    level = policy.level(OperationType.READ).name
    return Standing(
        mean_latency_ms=fared.mean_latency_ms,
        success_percent=fared.success_percent,
        clearance=policy.quarantine if device.quarantined else level,
        second_person=checks.needs_approval(device, OperationType.WRITE),
        changes_per_minute=None if bucket is None else round(60 * bucket.capacity / bucket.per_seconds),
    )
