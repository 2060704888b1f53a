"""Results: what the SDK's methods return, under the names that the SDK specification reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from dsmilctl.client.remote.failures import again
from dsmilctl.client.remote.names import AnyRegister
from dsmilctl.errors import DSMILError, error_of
from dsmilctl.model.device import DeviceId
from dsmilctl.wire.auth import UserContext
from dsmilctl.wire.base import Pagination
from dsmilctl.wire.devices import DeviceInfo, ListMeta
from dsmilctl.wire.emergency import ConfirmationInfo, StopInfo
from dsmilctl.wire.operations import BulkSummary


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What every result tells: whether it went well, and if not, why.

    `error_code` is the stable code, `hint` the next thing to do, `failure` the error that
    `raise_for_status` raises.
    """

    success: bool
    error: str = ""
    error_code: str = ""
    hint: str = ""
    failure: DSMILError | None = None

    def raise_for_status(self) -> None:
        """Raise the typed error of a result that is no success."""
        if not self.success:
            failure = self.failure or error_of(self.error_code, self.error, hint=self.hint)
            raise again(failure)


def failure_of(error: DSMILError) -> dict[str, Any]:
    """The fields of a result that tells of an error."""
    return {
        "success": False,
        "error": error.message,
        "error_code": error.code,
        "hint": error.hint,
        "failure": error,
    }


class AuthResult(Result, frozen=True, kw_only=True):
    """How a login ended.  `expires_in` and `retry_after` are in seconds."""

    user: UserContext | None = None
    requires_mfa: bool = False
    mfa_methods: tuple[str, ...] = ()
    expires_in: int = 0
    retry_after: float | None = None


class OperationResult(Result, frozen=True, kw_only=True):
    """How one operation on one device ended.

    `data` is the register's value (an int for DSMIL devices), `values` holds those of several registers by
    their names; `quality` is good, stale or bad; `age` is how many seconds ago a cached answer was had.
    """

    device_id: DeviceId
    operation_type: str
    register: AnyRegister | None = None
    data: Any = None
    values: dict[str, Any] = {}
    unit: str = ""
    quality: str = "good"
    type: str = ""
    status: str = ""
    old: Any = None
    read_back: Any = None
    timestamp: str = ""
    operation_id: str = ""
    audit_trail_id: str = ""
    execution_time_ms: float = 0.0
    age: float = 0.0

    def __getitem__(self, register: str) -> Any:
        return self.values[str(register)]


class BulkResult(msgspec.Struct, frozen=True, kw_only=True):
    """A bulk: iterate over it or over `results`; both are in the order asked for."""

    bulk_operation_id: str
    status: str
    summary: BulkSummary
    results: tuple[OperationResult, ...]
    execution_time_ms: float = 0.0

    @property
    def success(self) -> bool:
        """Whether every operation went well."""
        return self.summary.successful == self.summary.total

    def __iter__(self) -> Iterator[OperationResult]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    def __getitem__(self, index: int) -> OperationResult:
        return self.results[index]


class DevicePage(msgspec.Struct, frozen=True, kw_only=True):
    """The devices of a list, and which part of it they are."""

    devices: tuple[DeviceInfo, ...]
    pagination: Pagination
    meta: ListMeta

    def __iter__(self) -> Iterator[DeviceInfo]:
        return iter(self.devices)

    def __len__(self) -> int:
        return len(self.devices)

    def __getitem__(self, index: int) -> DeviceInfo:
        return self.devices[index]


class DeviceSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of devices."""

    total_devices: int = 0
    active_devices: int = 0
    quarantined_devices: int = 0
    error_devices: int = 0


class SecurityStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How safe the system is."""

    threat_level: str = ""
    active_sessions: int = 0
    failed_auth_attempts: int = 0
    emergency_stop_active: bool = False


class SystemStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How the system is; `overall_status` is NORMAL, WARNING, CRITICAL or EMERGENCY."""

    overall_status: str
    timestamp: str = ""
    api_version: str = ""
    server_capabilities: dict[str, Any] = {}
    device_summary: DeviceSummary = DeviceSummary()
    security_status: SecurityStatus = SecurityStatus()
    performance_metrics: dict[str, Any] = {}


class HealthStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the system's parts work; without a login only whether all of them do."""

    status: str
    components: dict[str, str] = {}
    metrics: dict[str, float] = {}

    @property
    def is_healthy(self) -> bool:
        """Whether every part works."""
        return self.status == "healthy"


class EmergencyResult(Result, frozen=True, kw_only=True):
    """How an emergency stop or a release ended."""

    stop: StopInfo | None = None
    stops: tuple[StopInfo, ...] = ()

    @property
    def stop_id(self) -> str:
        """The name of the stop."""
        return self.stop.stop_id if self.stop else ""

    @property
    def confirmed(self) -> list[DeviceId]:
        """The devices that are known to be stopped."""
        return self.stop.confirmed if self.stop else []

    @property
    def unconfirmed(self) -> list[DeviceId]:
        """The devices that did not confirm."""
        return self.stop.unconfirmed if self.stop else []

    @property
    def confirmations(self) -> list[ConfirmationInfo]:
        """What each device answered."""
        return self.stop.confirmations if self.stop else []


class Update(msgspec.Struct, frozen=True, kw_only=True):
    """One value of a stream."""

    device_id: DeviceId
    register: AnyRegister
    data: Any
    timestamp: str = ""
    unit: str = ""
    quality: str = "good"
    error: str = ""
    error_code: str = ""
    sequence: int | None = None


class DeviceData(msgspec.Struct, frozen=True, kw_only=True):
    """What one tick of a stream told of one device: values by the names of their registers."""

    device_id: DeviceId
    timestamp: str
    data: dict[str, Any]
    error: str = ""


class DeviceBatch(msgspec.Struct, frozen=True, kw_only=True):
    """One tick of a stream."""

    timestamp: str
    devices: tuple[DeviceData, ...]
    sequence: int | None = None


class SystemEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened; `type` such as EMERGENCY_STOP, `severity` such as CRITICAL."""

    type: str
    message: str = ""
    severity: str = "INFO"
    timestamp: str = ""
    device_id: DeviceId | None = None
    data: dict[str, Any] = {}
    sequence: int | None = None
