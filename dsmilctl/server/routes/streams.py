"""`/devices/{id}/stream` and `/stream`: readings as Server-Sent Events."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

import msgspec

from dsmilctl.errors import InvalidParameter
from dsmilctl.model.device import Device, DeviceId
from dsmilctl.model.identity import Clearance
from dsmilctl.server.endpoint import Call, Endpoint
from dsmilctl.server.push.event_stream import EventStream
from dsmilctl.server.push.feeds import Feed, Key
from dsmilctl.server.push.subscriptions import (
    LONGEST_INTERVAL_MS,
    SHORTEST_INTERVAL_MS,
    chosen_registers,
    devices_for,
)
from dsmilctl.wire.values import device_id_of

LONGEST_DURATION = 7 * 86400.0
_NUMBER = re.compile(r"[0-9]{1,18}")

Interval = Annotated[int, msgspec.Meta(ge=SHORTEST_INTERVAL_MS, le=LONGEST_INTERVAL_MS)]
Duration = Annotated[float, msgspec.Meta(gt=0, le=LONGEST_DURATION)]


class StreamQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a stream carries.  `registers` is a comma list; without it each device's default register."""

    registers: str = ""
    interval_ms: Interval = 1000
    duration_s: Duration | None = None
    changes_only: bool = False


class ManyQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a stream of many devices carries.  `device_ids` is a comma list; without it every device."""

    device_ids: str = ""
    registers: str = ""
    interval_ms: Interval = 1000
    duration_s: Duration | None = None
    changes_only: bool = False


async def stream_device(call: Call) -> EventStream:
    """The readings of one device, as events, until somebody ends it."""
    return await _stream(call, [device_id_of(call.path["device_id"])])


async def stream_devices(call: Call) -> EventStream:
    """The readings of many devices in one stream (an extension)."""
    return await _stream(call, [device_id_of(text) for text in _listed(call.query.device_ids)])


async def _stream(call: Call, ids: Sequence[DeviceId]) -> EventStream:
    query = call.query
    devices = await devices_for(call.gateway.client, call.client, ids)
    registers = chosen_registers(devices, _listed(query.registers))
    number = _number(call.last_event_id)
    call.gateway.seats.require(call.user.user)
    key = Key(_ids(devices), registers, query.interval_ms / 1000, query.changes_only)

    def join(stream: EventStream) -> Feed:
        return call.gateway.push.feeds.join(key, devices, stream)

    return EventStream(call.gateway, call.user, call.token, join, number=number, duration=query.duration_s)


def _ids(devices: Sequence[Device]) -> tuple[DeviceId, ...]:
    return tuple(device.device_id for device in devices)


def _listed(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _number(text: str) -> int | None:
    """The number of the last event that the client had; raises InvalidParameter for what was never one."""
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        raise InvalidParameter("malformed Last-Event-ID", hint="a whole number", target="Last-Event-ID")
    return int(text)


ERRORS = ("DEVICE_NOT_FOUND", "DEVICE_QUARANTINED", "INVALID_PARAMETER", "RATE_LIMITED")
ENDPOINTS = (
    Endpoint(
        method="GET", path="/devices/{device_id}/stream", handler=stream_device, query=StreamQuery,
        answer=str, summary="Stream a device", errors=ERRORS, media="text/event-stream",
        clearance=Clearance.CONFIDENTIAL,
    ),
    Endpoint(
        method="GET", path="/stream", handler=stream_devices, query=ManyQuery, answer=str,
        summary="Stream many devices", errors=ERRORS, media="text/event-stream",
        clearance=Clearance.CONFIDENTIAL,
    ),
)  # fmt: skip
