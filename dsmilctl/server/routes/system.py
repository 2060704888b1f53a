"""`/system` and `/monitoring`: status, capabilities, health and metrics."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from dsmilctl import __version__
from dsmilctl.clock import rfc3339
from dsmilctl.errors import NotFound
from dsmilctl.model.alarm import AlarmState
from dsmilctl.model.identity import Clearance
from dsmilctl.server.endpoint import Call, Endpoint
from dsmilctl.server.load import cpu_percent, memory_percent
from dsmilctl.server.metrics import CONTENT_TYPE
from dsmilctl.wire.system import Capabilities, Health, SystemStatus

API_VERSION = "2.0"
OPERATIONS = [
    "DEVICE_READ",
    "DEVICE_WRITE",
    "DEVICE_CONFIG",
    "BULK_READ",
    "STREAMING_READ",
    "BATCH_OPERATIONS",
]
SDKS = ("python",)
OWN_PARTS = {"authentication": "users and sessions are there", "websockets": "connections are taken"}
"""Parts of a server that a fleet does not have, and what is known of them while it answers."""
UNACKNOWLEDGED = (AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED)
NAMES = {"database": "journal", "device_controllers": "devices"}
"""What the API calls parts of ours.  Source: the DSMIL API, version 2, health."""
CLIENT_TYPES = ["web", "python", "cpp", "mobile", "cli"]


async def status(call: Call) -> SystemStatus:
    """What the fleet is made of and how it and the server are."""
    found, gateway = await call.client.system_status(), call.gateway
    stopped = bool(found["security_status"]["emergency_stop_active"])
    return SystemStatus(
        timestamp=found["timestamp"],
        overall_status=found["overall_status"],
        api_version=API_VERSION,
        server_capabilities={
            "max_clients": gateway.limits.max_clients,
            "current_clients": gateway.access.active,
            "supported_client_types": CLIENT_TYPES,
            "rate_limiting": gateway.limits.rate_limiting,
            "bulk_operations": True,
            "streaming": True,
        },
        device_summary=found["device_summary"],
        security_status={
            "threat_level": "CRITICAL" if stopped else "LOW",
            "active_sessions": gateway.access.active,
            "failed_auth_attempts": gateway.access.failures,
            "emergency_stop_active": stopped,
            "read_only": call.client.context.read_only,
        },
        performance_metrics=found["performance_metrics"]
        | {
            "avg_response_time_ms": round(gateway.metrics.average_ms, 3),
            "requests_per_second": round(gateway.metrics.requests_per_second, 3),
            "cpu_usage_percent": cpu_percent(),
            "memory_usage_percent": memory_percent(),
        },
        drivers=found["drivers"],
        absent=found["absent"],
    )


async def capabilities(call: Call) -> Capabilities:
    """What the server can do, and its limits."""
    found, limits = await call.client.capabilities(), call.gateway.limits
    sdks = {
        name: {
            "version": __version__,
            "download_url": f"/api/v2/sdk/{name}",
            "documentation": "/api/v2/openapi.json",
        }
        for name in SDKS
    }
    return Capabilities(
        api_version=API_VERSION,
        supported_operations=OPERATIONS,
        client_sdks=sdks,
        rate_limits={
            "requests_per_minute": found["limits"]["requests_per_minute"],
            "concurrent_operations": found["limits"]["concurrent_operations"],
            "bulk_operation_max_devices": limits.bulk_operation_max_devices,
        },
        operation_types=found["supported_operations"],
        driver_capabilities=found["driver_capabilities"],
        policy=found["policy"],
        limits=found["limits"],
        drivers=found["drivers"],
        context=call.client.context.name,
        read_only=call.client.context.read_only,
    )


async def health(call: Call) -> Health:
    """Whether the parts work; without a login only whether all of them do."""
    found = await call.client.health()
    if call.identity is None:
        return Health(status=found["status"])
    metrics = call.gateway.metrics
    return Health(
        status=found["status"],
        emergency_stop_active=found["emergency_stop_active"],
        components=found["components"] | dict.fromkeys(OWN_PARTS, "ok") | _named(found["components"]),
        checked=found["checked"] | OWN_PARTS | _named(found["checked"]),
        metrics={
            "response_time_ms": round(metrics.average_ms, 3),
            "active_clients": float(call.gateway.access.active),
            "operations_per_second": round(metrics.requests_per_second, 3),
        },
    )


def _named(parts: dict[str, str]) -> dict[str, str]:
    """Parts under the names that the API has for them."""
    return {name: parts[ours] for name, ours in NAMES.items() if ours in parts}


async def metrics(call: Call) -> Response:
    """Everything that is counted, in the Prometheus text format."""
    found = await call.client.system_status()
    gauges: dict[str, Any] = {f"dsmil_{name}": count for name, count in found["device_summary"].items()}
    gauges["dsmil_emergency_stop_active"] = int(found["security_status"]["emergency_stop_active"])
    gauges["dsmil_sessions"] = call.gateway.access.active
    alarms = call.client.alarm_counts()
    gauges["dsmil_alarms"] = sum(alarms.values())
    gauges["dsmil_alarms_unacknowledged"] = sum(alarms.get(state, 0) for state in UNACKNOWLEDGED)
    access, seats = call.gateway.access, call.gateway.seats
    counts = {"dsmil_logins_failed_total": access.failures, "dsmil_logins_throttled_total": access.throttled}
    return Response(call.gateway.metrics.text(gauges, counts, seats.refused), media_type=CONTENT_TYPE)


async def sdk(call: Call) -> dict[str, str]:
    """Where a client library is to be had; raises NotFound for one that there is not."""
    if call.path["name"] not in SDKS:
        raise NotFound(f"no SDK {call.path['name']!r}", hint=f"there is: {', '.join(SDKS)}", target="name")
    return {
        "sdk": call.path["name"],
        "version": __version__,
        "install": f"pip install dsmilctl=={__version__}",
        "generated_at": rfc3339(call.gateway.clock.now()),
    }


ENDPOINTS = (
    Endpoint(
        method="GET", path="/system/status", handler=status, answer=SystemStatus, summary="System status",
    ),
    Endpoint(
        method="GET", path="/system/capabilities", handler=capabilities, answer=Capabilities,
        summary="Capabilities",
    ),
    Endpoint(
        method="GET", path="/monitoring/health", handler=health, answer=Health, summary="Health", login=False
    ),
    Endpoint(
        method="GET", path="/monitoring/metrics", handler=metrics, answer=str,
        summary="Metrics for Prometheus", clearance=Clearance.SECRET, media="text/plain",
    ),
    Endpoint(
        method="GET", path="/sdk/{name}", handler=sdk, answer=dict[str, str], summary="A client library",
    ),
)  # fmt: skip
