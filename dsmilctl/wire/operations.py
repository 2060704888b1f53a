"""Operations on devices, one by one and in bulk."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from dsmilctl.model.device import DeviceId
from dsmilctl.model.register import Value
from dsmilctl.wire.base import Answer, Pagination, Request

OperationType = Literal["READ", "WRITE", "CONFIG", "RESET", "ACTIVATE", "DEACTIVATE"]


class OperationData(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an operation is about.

    READ: `register` or `registers`, `offset`, `length`; WRITE: `register`, `value` (hex or decimal string, or
    a number), `if_value`, `verify`; CONFIG: `settings`.
    """

    register: str = ""
    registers: list[str] = []
    offset: int | None = None
    length: int | None = None
    value: Value | None = None
    if_value: Value | None = None
    verify: bool = True
    settings: dict[str, Value] = {}


class OperationRequest(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /devices/{id}/operations`; a refusal of a dry run that is an `attempt` is journalled."""

    operation_type: OperationType
    operation_data: OperationData = OperationData()
    justification: str = ""
    dual_auth_required: bool = False
    priority: Literal["LOW", "NORMAL", "HIGH", "EMERGENCY"] = "NORMAL"
    timeout_ms: int | None = None
    approval_id: str = ""
    dry_run: bool = False
    attempt: bool = False


class OperationResult(Answer, frozen=True, kw_only=True):
    """What an operation found: `data` is the wire form of `value`; `values` holds several registers.

    Extensions from `value` on; `raw` is what the device sent where it differs, and `sequence` rises by one
    per reading of the server's fleet.
    """

    data: Any = None
    register: str = ""
    register_status: str = "VALID"
    device_response_time_ms: float = 0.0
    value: Any = None
    type: str = ""
    unit: str = ""
    quality: str = "good"
    old: Any = None
    read_back: Any = None
    timestamp: str = ""
    error: str = ""
    error_code: str = ""
    values: list[dict[str, Any]] = []
    raw: int | str | None = None
    sequence: int = 0


class Authorization(Answer, frozen=True, kw_only=True):
    """Which checks let the operation through."""

    clearance_verified: bool = True
    device_access_verified: bool = True
    dual_auth_completed: bool = False


class OperationAnswer(Answer, frozen=True, kw_only=True):
    """`200` of an operation."""

    operation_id: str
    device_id: DeviceId
    operation_type: str
    status: str
    result: OperationResult | None = None
    timestamp: str = ""
    execution_time_ms: float = 0.0
    user_id: str = ""
    audit_trail_id: str = ""
    authorization: Authorization = Authorization()
    error: str = ""
    error_code: str = ""
    hint: str = ""


class BulkItem(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One operation of a bulk."""

    device_id: DeviceId
    operation_type: OperationType
    operation_data: OperationData = OperationData()
    justification: str = ""
    approval_id: str = ""


class BulkRequest(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /operations/bulk`; a refusal of a dry run that is an `attempt` is journalled."""

    operations: list[BulkItem]
    execution_mode: Literal["PARALLEL", "SEQUENTIAL"] = "PARALLEL"
    max_concurrency: Annotated[int, Meta(ge=0, le=100_000)] = 0
    timeout_ms: int | None = None
    justification: str = ""
    stop_on_first_error: bool = False
    dry_run: bool = False
    attempt: bool = False


class BulkSummary(Answer, frozen=True, kw_only=True):
    """Counts of a bulk."""

    total: int
    successful: int
    failed: int
    denied: int
    timeouts: int


class BulkAnswer(Answer, frozen=True, kw_only=True):
    """`200` of a bulk, and of `GET /operations/bulk/{id}`: refusals are per item."""

    bulk_operation_id: str
    total_operations: int
    status: str
    execution_time_ms: float
    results: list[OperationAnswer]
    summary: BulkSummary


class CommandRequest(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /devices/{id}/commands/{name}` (an extension)."""

    arguments: dict[str, Value] = {}
    justification: str = ""
    approval_id: str = ""
    dry_run: bool = False
    attempt: bool = False


class History(Answer, frozen=True, kw_only=True):
    """`GET /devices/{id}/history`, newest first."""

    device_id: DeviceId
    operations: list[OperationAnswer]
    pagination: Pagination
