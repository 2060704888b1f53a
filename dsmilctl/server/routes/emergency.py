"""`/emergency`: stop, status, release, history.  A stop is never refused for a reason of form."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from typing import Annotated

import msgspec

from dsmilctl.errors import InvalidParameter
from dsmilctl.model.device import Device, DeviceId, show_id
from dsmilctl.model.emergency import Stop
from dsmilctl.model.identity import Clearance
from dsmilctl.model.selector import EVERYTHING, Selector
from dsmilctl.server.endpoint import Call, Endpoint
from dsmilctl.server.presenting import group_and_index, stop_info
from dsmilctl.server.visible import LIST
from dsmilctl.wire.base import Pagination
from dsmilctl.wire.emergency import EmergencyStatus, Release, Released, StopHistory, StopInfo, StopRequest
from dsmilctl.wire.values import device_id_of

DEADLINE = 2.0
MOST_STOPS = 100_000
"""More than a fleet's history keeps."""
SHORTEST_DEADLINE, LONGEST_DEADLINE = 0.1, 60.0
"""Seconds; a stop is refused for no deadline, but one beyond these is not taken at its word."""


class HistoryQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much of the history is wanted."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 50
    offset: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0


async def stop(call: Call) -> StopInfo:
    """Latch the stop, drive the devices to their safe state, tell everybody."""
    wanted: StopRequest = call.body
    reason = wanted.justification or f"ordered by {call.user.user}"
    hush = nullcontext() if wanted.notify_all_clients else call.gateway.push.hushed(call.user, reason)
    with hush:
        found = await _stopped(call, wanted, reason)
        info = stop_info(found, wanted.escalation_level)
        call.gateway.broadcast_stop(info)
    return info


async def _stopped(call: Call, wanted: StopRequest, reason: str) -> Stop:
    """The stop: ids that are numbers are latched before anybody is asked which devices there are."""
    deadline = min(max(wanted.deadline_s or DEADLINE, SHORTEST_DEADLINE), LONGEST_DEADLINE)
    scope = wanted.selector or wanted.scope
    ids = tuple(_meant(item) for item in wanted.target_devices)
    wanted = msgspec.structs.replace(wanted, target_devices=list(ids))
    if wanted.scope == "SINGLE_DEVICE" and ids and all(isinstance(item, int) for item in ids):
        return await call.client.stop_selected(Selector(scope, ids=ids), reason=reason, deadline=deadline)
    targets = await _targets(call, wanted)
    return await call.client.stop(targets, reason=reason, deadline=deadline, scope=scope)


def _meant(given: DeviceId) -> DeviceId:
    """The number that a text is, as in a path; every other text is a name."""
    if isinstance(given, str):
        with suppress(InvalidParameter):  # what is no number may still be a name
            found = device_id_of(given)
            return found if isinstance(found, int) else given
    return given


async def _targets(call: Call, wanted: StopRequest) -> list[Device] | None:
    """The devices of the scope; None is all of them, quarantined ones too."""
    if wanted.scope == "ALL":
        return None
    if not wanted.target_devices:
        message = f"scope {wanted.scope} needs target_devices"
        raise InvalidParameter(message, hint='"scope": "ALL" stops everything', target="target_devices")
    known = await call.gateway.client.devices(EVERYTHING, quarantined=True)
    if wanted.scope == "DEVICE_GROUP":
        named = {group_and_index(item)[0] for item in known if item.device_id in wanted.target_devices}
        groups = named | {number for number in wanted.target_devices if number not in _ids(known)}
        chosen = [item for item in known if group_and_index(item)[0] in groups or item.group in groups]
    else:
        chosen = [item for item in known if item.device_id in wanted.target_devices]
    missing = set(wanted.target_devices) - _ids(known)
    if not chosen or (missing and wanted.scope == "SINGLE_DEVICE"):
        shown = ", ".join(sorted(map(show_id, missing)))
        message = f"nothing was stopped: no device {shown}"
        raise InvalidParameter(message, hint=f"{LIST}; scope ALL stops everything", target="target_devices")
    return chosen


def _ids(devices: list[Device]) -> set[object]:
    return {device.device_id for device in devices}


async def status(call: Call) -> EmergencyStatus:
    """The stops in force."""
    stops = await call.client.stops()
    return EmergencyStatus(
        is_active=bool(stops),
        stops=[stop_info(item) for item in stops],
        reason=stops[0].reason if stops else "",
        triggered_by=stops[0].triggered_by if stops else "",
    )


async def release(call: Call) -> Released:
    """End a stop, or all of them."""
    wanted: Release = call.body
    released = await call.client.release(
        wanted.stop_id,
        justification=wanted.justification,
        approval=wanted.approval_id,
        standing=wanted.standing,
    )
    infos = [stop_info(item) for item in released]
    last = infos[-1] if infos else None
    return Released(
        stop_id=last.stop_id if last else "",
        released_by=last.released_by if last else "",
        released_at=(last.released_at or "") if last else "",
        stops=infos,
    )


async def history(call: Call) -> StopHistory:
    """The stops there were, newest first."""
    stops, offset = await call.client.stop_history(MOST_STOPS), call.query.offset
    infos = [stop_info(item) for item in stops[offset : offset + call.query.limit]]
    total = len(stops)
    more = offset + len(infos) < total
    pagination = Pagination(total=total, returned=len(infos), offset=offset, has_more=more)
    return StopHistory(stops=infos, pagination=pagination)


ENDPOINTS = (
    Endpoint(
        method="POST", path="/emergency/stop", handler=stop, body=StopRequest, answer=StopInfo,
        summary="Emergency stop", clearance=Clearance.UNCLASSIFIED, counted=False, emergency=True,
        errors=("DEVICE_NOT_FOUND",),
    ),
    Endpoint(
        method="GET", path="/emergency/status", handler=status, answer=EmergencyStatus,
        summary="Stops in force", counted=False,
    ),
    Endpoint(
        method="POST", path="/emergency/release", handler=release, body=Release, answer=Released,
        summary="Release a stop", clearance=Clearance.TOP_SECRET,
        errors=("JUSTIFICATION_REQUIRED", "APPROVAL_REQUIRED", "NOT_FOUND", "READ_ONLY", "STATE_UNAVAILABLE"),
    ),
    Endpoint(
        method="GET", path="/emergency/history", handler=history, query=HistoryQuery, answer=StopHistory,
        summary="Stops there were",
    ),
)  # fmt: skip
