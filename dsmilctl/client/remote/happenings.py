"""Happenings: the events of a server as the model's events."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator
from typing import Any

import msgspec

from dsmilctl.client.remote.api import Api
from dsmilctl.client.remote.inbox import Inbox
from dsmilctl.client.remote.link import Heard, Link
from dsmilctl.client.remote.mapping import nanoseconds
from dsmilctl.model.emergency import REASON_PREFIX
from dsmilctl.model.event import Event, Severity
from dsmilctl.model.reading import Gap
from dsmilctl.wire.messages import Subscribe

STOP = "emergency.stop"
SEVERITIES = {"LOW": Severity.INFO, "MEDIUM": Severity.WARNING, "HIGH": Severity.ERROR}


async def follow_events(api: Api) -> AsyncGenerator[Event | Gap, None]:
    """What happens at the server from now on, until it is closed."""
    inbox: Inbox[Event] = Inbox()
    told_stops: deque[str] = deque(maxlen=16)

    def listen(heard: Heard | Gap) -> None:
        if isinstance(heard, Gap):
            inbox.miss(heard.missed)
        elif (event := event_in(heard)) is not None:
            if event.type == STOP and event.message in told_stops:
                return  # it comes twice: as an event and, past every queue, as a broadcast
            if event.type == STOP:
                told_stops.append(event.message)
            inbox.put(event)

    link = Link(api, listen, inbox.end)
    try:
        await link.open()
        await link.subscribe(Subscribe(subscription="system_events"))
        while (item := await inbox.next()) is not None:
            yield item
    finally:
        await link.close()


def event_in(heard: Heard) -> Event | None:
    """The event that a message tells of; None for one that tells of none."""
    told = msgspec.json.decode(heard.data, type=dict[str, Any])
    timestamp = nanoseconds(str(told.get("timestamp") or heard.timestamp))
    severity = _severity(str(told.get("severity", "INFO")))
    message = str(told.get("message") or "")
    if heard.type == "SYSTEM_EVENT":
        return Event(str(told.get("event_type", "")), message, timestamp, severity, told.get("device_id"))
    if heard.type == "EMERGENCY_BROADCAST":
        reason = str(told.get("reason") or message)
        whole = reason if reason.startswith(REASON_PREFIX) else f"{REASON_PREFIX}{reason}"
        return Event(STOP, whole, timestamp, Severity.CRITICAL)
    if heard.type == "SYSTEM_MAINTENANCE":
        return Event("system.maintenance", message, timestamp, severity)
    if heard.type == "CLIENT_RATE_LIMITED":
        return Event(
            "client.rate-limited", f"rate limit: {told.get('limit', '')}", timestamp, Severity.WARNING
        )
    return None


def _severity(name: str) -> Severity:
    return Severity.__members__.get(name) or SEVERITIES.get(name, Severity.INFO)
