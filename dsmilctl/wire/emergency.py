"""Emergency stop, release, and the approvals of a second person."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from dsmilctl.model.device import DeviceId
from dsmilctl.wire.base import Answer, Pagination, Request
from dsmilctl.wire.operations import OperationData


class StopRequest(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /emergency/stop`.  `target_devices` beside scope ALL is ignored.

    `deadline_s` and `selector`, the words in which the devices were named, are extensions.
    """

    justification: str = ""
    scope: Literal["ALL", "DEVICE_GROUP", "SINGLE_DEVICE"] = "ALL"
    target_devices: list[DeviceId] = []
    notify_all_clients: bool = True
    escalation_level: Literal["IMMEDIATE", "SCHEDULED", "NORMAL", "HIGH"] = "IMMEDIATE"
    deadline_s: float | None = None
    selector: Annotated[str, Meta(max_length=512)] = ""


class ConfirmationInfo(Answer, frozen=True, kw_only=True):
    """What one device answered to a stop (an extension)."""

    device_id: DeviceId
    outcome: str
    elapsed_ms: float = 0.0
    attempts: int = 0
    error: str = ""


class StopInfo(Answer, frozen=True, kw_only=True):
    """One emergency stop.  A device that did not confirm is listed, never hidden.

    Two extensions: `selector` is the words in which the devices were named, `elsewhere` names the servers
    behind this one that latched a stop of their own for it, to be released there, too.
    """

    stop_id: str
    scope: str
    target_devices: list[DeviceId]
    reason: str
    triggered_by: str
    triggered_at: str
    escalation_level: str = "IMMEDIATE"
    confirmed: list[DeviceId] = []
    unconfirmed: list[DeviceId] = []
    confirmations: list[ConfirmationInfo] = []
    latched_ms: float = 0.0
    latch_error: str = ""
    latched: bool = True
    released_by: str = ""
    released_at: str | None = None
    selector: str = ""
    elsewhere: list[str] = []


class EmergencyStatus(Answer, frozen=True, kw_only=True):
    """`GET /emergency/status`."""

    is_active: bool
    stops: list[StopInfo]
    reason: str = ""
    triggered_by: str = ""


class Release(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /emergency/release`; without `stop_id` of all stops, or of those `standing` that somebody saw."""

    stop_id: str = ""
    justification: str = ""
    approval_id: str = ""
    standing: list[str] | None = None


class Released(Answer, frozen=True, kw_only=True):
    """`200` of a release: the stop (the last one when several ended) and all of them."""

    stop_id: str
    released_by: str
    released_at: str
    stops: list[StopInfo]


class StopHistory(Answer, frozen=True, kw_only=True):
    """`GET /emergency/history`, newest first."""

    stops: list[StopInfo]
    pagination: Pagination


class ApprovalRequest(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /approvals`: ask a second person to let exactly this operation through, once.

    `operation_type` EMERGENCY_RELEASE is about `stop_id` (empty: all stops), COMMAND about `command`, whose
    arguments are the `settings`.
    """

    device_id: DeviceId | None = None
    operation_type: str
    operation_data: OperationData = OperationData()
    justification: str = ""
    stop_id: str = ""
    command: str = ""


class ApprovalVerdict(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /approvals/{id}/approve|reject`."""

    justification: str = ""


class Approval(Answer, frozen=True, kw_only=True):
    """One approval.  `operation_digest` is the SHA-256 of exactly the operation it covers."""

    approval_id: str
    status: str
    operation: dict[str, Any]
    operation_digest: str
    requested_by: str
    requested_at: str
    expires_at: str
    justification: str = ""
    decided_by: str = ""
    decided_at: str | None = None
    decision_justification: str = ""


class Approvals(Answer, frozen=True, kw_only=True):
    """`GET /approvals`."""

    approvals: list[Approval]
