"""WebSocket messages.  Every pushed message carries `seq`, rising by one per connection."""

from __future__ import annotations

from typing import Any

import msgspec

from dsmilctl.model.device import DeviceId
from dsmilctl.wire.base import Request
from dsmilctl.wire.system import ReadingInfo

CLOSE_UNAUTHENTICATED = 4401
CLOSE_FORBIDDEN = 4403
CLOSE_HEARTBEAT_LOST = 4408
SUBSCRIPTIONS = {
    "device_updates": "CONFIDENTIAL",
    "system_events": "RESTRICTED",
    "security_alerts": "SECRET",
    "audit_events": "TOP_SECRET",
}
"""What can be subscribed to, and the clearance that it takes."""


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The envelope of every message, both ways."""

    type: str
    id: str = ""
    data: dict[str, Any] = {}
    timestamp: str = ""
    source: str = "server"
    target: str = ""
    priority: str = ""
    seq: int | None = None


class Filters(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What narrows a subscription."""

    device_ids: list[DeviceId] = []
    operation_types: list[str] = []
    risk_levels: list[str] = []


class Subscribe(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`SUBSCRIBE_ADVANCED`.  `registers`, `interval_ms`, `batch` and `changes_only` are extensions."""

    subscription: str
    filters: Filters = Filters()
    rate_limit: str = ""
    registers: list[str] = []
    interval_ms: int = 1000
    batch: bool = False
    changes_only: bool = False


class Unsubscribe(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`UNSUBSCRIBE`."""

    subscription_id: str


class StateBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Data of `DEVICE_STATE_BATCH`: one tick of a subscription."""

    readings: list[ReadingInfo]
    failed: list[DeviceId] = []
    pending: list[DeviceId] = []
    partial: bool = False
    latency_ms: float = 0.0
    timestamp: str = ""
    subscription_id: str = ""


class ClientMessage(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The envelope of what a client sends; `id` comes back with the answer."""

    type: str
    id: str = ""
    data: msgspec.Raw = msgspec.Raw(b"{}")
    timestamp: str = ""
    source: str = "client"
    target: str = ""
    priority: str = ""


class ResourceUsage(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a client uses of its machine."""

    cpu_percent: float = 0.0
    memory_mb: float = 0.0


class Heartbeat(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`CLIENT_HEARTBEAT`: who sends one once has to go on, or is closed with CLOSE_HEARTBEAT_LOST."""

    client_type: str = ""
    client_version: str = ""
    active_operations: int = 0
    resource_usage: ResourceUsage = ResourceUsage()
