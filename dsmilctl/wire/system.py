"""Status, capabilities, health, journal and readings of a server."""

from __future__ import annotations

from typing import Any

from dsmilctl.model.device import DeviceId
from dsmilctl.wire.base import Answer, Pagination, Request


class SystemStatus(Answer, frozen=True, kw_only=True):
    """`GET /system/status`; `drivers`, and why some are `absent`, are extensions."""

    timestamp: str
    overall_status: str
    api_version: str
    server_capabilities: dict[str, Any]
    device_summary: dict[str, int]
    security_status: dict[str, Any]
    performance_metrics: dict[str, float | None]
    drivers: list[str] = []
    absent: dict[str, str] = {}


class Capabilities(Answer, frozen=True, kw_only=True):
    """`GET /system/capabilities`; what follows `rate_limits` are extensions."""

    api_version: str
    supported_operations: list[str]
    client_sdks: dict[str, dict[str, str]]
    rate_limits: dict[str, Any]
    operation_types: list[str] = []
    driver_capabilities: list[str] = []
    policy: str = ""
    limits: dict[str, Any] = {}
    drivers: dict[str, Any] = {}
    context: str = ""
    read_only: bool = False


class Health(Answer, frozen=True, kw_only=True, omit_defaults=True):
    """`GET /monitoring/health`; without authentication only `status`.

    What was `checked` of each component, and `emergency_stop_active`, are extensions.
    """

    status: str
    components: dict[str, str] = {}
    metrics: dict[str, float] = {}
    checked: dict[str, str] = {}
    emergency_stop_active: bool = False


class AuditLine(Answer, frozen=True, kw_only=True):
    """One record of the journal (`GET /audit`, an extension)."""

    sequence: int
    time: str
    user: str
    host: str
    context: str
    action: str
    target: str
    decision: str
    outcome: str
    operation_id: str = ""
    parameters: dict[str, Any] = {}
    previous: str = ""
    hash: str = ""


class AuditLog(Answer, frozen=True, kw_only=True):
    """`GET /audit`, newest first."""

    records: list[AuditLine]
    pagination: Pagination


class AuditCheck(Answer, frozen=True, kw_only=True):
    """`GET /audit/verify` (an extension): what the check of the whole chain found."""

    intact: bool
    records: int
    files: list[str] = []
    first_bad: int | None = None
    file: str = ""
    line: int | None = None
    problem: str = ""
    last_hash: str = ""
    unfinished: list[str] = []


class AuditAnchor(Answer, frozen=True, kw_only=True):
    """`GET /audit/anchor` (an extension): where the journal ends now."""

    sequence: int
    hash: str
    time: str
    records: int


class AuditRestart(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /audit/restart` (an extension): go on behind a damaged journal."""

    reason: str


class ReadingInfo(Answer, frozen=True, gc=False):
    """One reading as streams and history carry it: a hundred thousand a second, hence positions and no gc."""

    device_id: DeviceId
    register: str
    value: Any
    timestamp: str
    unit: str = ""
    quality: str = "good"
    latency_ms: float | None = None
    error: str = ""
    error_code: str = ""
    raw: int | str | None = None
    sequence: int = 0


class DriverAnswer(Answer, frozen=True, kw_only=True):
    """One installed driver (an extension); `changed` is when it was last enabled or disabled."""

    name: str
    version: str = ""
    summary: str = ""
    distribution: str = ""
    enabled: bool = True
    reason: str = ""
    changed: str = ""
    capabilities: list[str] = []
    commands: list[str] = []
    problem: str = ""
    fix: str = ""


class DriverList(Answer, frozen=True, kw_only=True):
    """`GET /drivers` (an extension)."""

    drivers: list[DriverAnswer]


class DriverSwitch(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /drivers/{name}/enable` and `/disable` (an extension): why."""

    reason: str = ""
