"""Approval: the consent of a second person to exactly one operation, once, for a while."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from dsmilctl.model.device import DeviceId
from dsmilctl.model.register import Value

RELEASE = "EMERGENCY_RELEASE"
"""What an approval for the end of a stop is about, beside the types of operations."""


class ApprovalStatus(StrEnum):
    """What has become of an approval."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    USED = "USED"
    EXPIRED = "EXPIRED"


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What an approval is about, down to the last bit: one operation on one device, or the end of a stop.

    `definition` is the hash of what the register or command was when it was asked for, `epoch` that of the
    policy.  `device_id` is None for the release of a stop, whose id is `stop_id`; where that is empty,
    `definition` is the hash of the ids of all stops that were in force.
    """

    fleet: str
    operation_type: str
    device_id: DeviceId | None = None
    register: str = ""
    value: Value | None = None
    if_value: Value | None = None
    verify: bool = True
    command: str = ""
    arguments: tuple[tuple[str, Value], ...] = ()
    stop_id: str = ""
    definition: str = ""
    epoch: str = ""


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """One approval.  Times in nanoseconds UTC; `digest` is the SHA-256 of its subject.

    `level` is the least clearance that its approver needs.
    """

    approval_id: str
    status: ApprovalStatus
    subject: Subject
    digest: str
    level: str
    requested_by: str
    requested_at: int
    expires_at: int
    justification: str = ""
    decided_by: str = ""
    decided_at: int | None = None
    decision_justification: str = ""
    used_at: int | None = None
