"""Permissions: what an identity may do at all, in the words of the API, as the policy has it just now.

A permission says that the clearance suffices: a device, a justification, a second person or a stop may still
stand in the way of one change.  Source: the DSMIL API, version 2, user context.
"""

from __future__ import annotations

from dsmilctl.guard.checks import Checks
from dsmilctl.model.identity import CHANGING, Clearance
from dsmilctl.model.operation import OperationType


def permissions_of(checks: Checks) -> tuple[str, ...]:
    """What the guard would let this identity do."""
    policy, served = checks.policy, checks.consent is not None
    read = Clearance.UNCLASSIFIED if checks.policy_problem is not None else policy.level(OperationType.READ)
    release = max(policy.release_level, Clearance.TOP_SECRET) if served else policy.release_level
    levels = {
        "DEVICE_READ": read,
        "EMERGENCY_STOP": Clearance.UNCLASSIFIED,
        "DEVICE_WRITE": policy.level(OperationType.WRITE),
        "DEVICE_CONFIG": policy.level(OperationType.CONFIG),
        "BULK_OPERATIONS": policy.level(OperationType.WRITE),
        "EMERGENCY_RELEASE": release,
        "SYSTEM_ADMINISTRATION": Clearance.TOP_SECRET if served else Clearance.UNCLASSIFIED,
    }
    if served:
        levels["QUARANTINE_ACCESS"] = Clearance[policy.quarantine]
    looks_only = checks.read_only or checks.policy_problem is not None
    return tuple(
        name
        for name, level in levels.items()
        if checks.identity.clearance >= level and not (looks_only and name in CHANGING)
    )
