"""`/devices`: which there are, what they are, what was done to them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from dsmilctl.client.interface import LIFECYCLE_VERBS, HistoryQuery
from dsmilctl.errors import DeviceNotFound, InvalidParameter, nearest
from dsmilctl.model.device import Device, DeviceId, DeviceState, DeviceStatus, show_id
from dsmilctl.model.operation import OperationType
from dsmilctl.model.selector import EVERYTHING, Selector
from dsmilctl.server.endpoint import Call, Endpoint, NoQuery
from dsmilctl.server.presenting import (
    device_info,
    group_and_index,
    lifecycle_status,
    past_operation,
    register_info,
)
from dsmilctl.server.visible import no_device, require_visible
from dsmilctl.times import moment
from dsmilctl.wire.base import Pagination
from dsmilctl.wire.devices import DeviceInfo, DeviceList, LifecycleStatus, ListMeta, RegisterList
from dsmilctl.wire.operations import History
from dsmilctl.wire.values import device_id_of

Risk = Literal["LOW", "MEDIUM", "MODERATE", "HIGH", "CRITICAL"]
Status = Literal["ACTIVE", "INACTIVE", "ERROR", "QUARANTINED"]


class ListQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What narrows the list.  `fields` is a comma list of fields of a device."""

    include_quarantined: bool = False
    device_group: str = ""
    risk_level: Risk | None = None
    status: Status | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 50
    offset: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)] = 0
    fields: str = ""


class HistoryParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which operations are wanted."""

    start_date: str = ""
    end_date: str = ""
    operation_type: OperationType | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 50
    offset: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0


async def list_devices(call: Call) -> Any:
    """The devices that this user may see."""
    query: ListQuery = call.query
    everything = await call.client.devices(EVERYTHING, quarantined=True)
    chosen = [device for device in everything if _wanted(device, query)]
    if query.status in ("ACTIVE", "INACTIVE", "ERROR"):
        statuses = await call.client.statuses(chosen)
        pairs = zip(chosen, statuses, strict=True)
        chosen = [device for device, status in pairs if _status(device, status) == query.status]
    part = chosen[query.offset : query.offset + query.limit]
    found = DeviceList(
        devices=await _infos(call, part),
        pagination=Pagination(
            total=len(chosen),
            returned=len(part),
            offset=query.offset,
            has_more=query.offset + len(part) < len(chosen),
        ),
        meta=ListMeta(
            accessible_devices=sum(not device.quarantined for device in everything),
            quarantined_devices=sum(device.quarantined for device in everything),
            user_authorized_devices=len(everything),
        ),
    )
    return _with_fields(found, query.fields) if query.fields else found


def _wanted(device: Device, query: ListQuery) -> bool:
    if device.quarantined and not (query.include_quarantined or query.status == "QUARANTINED"):
        return False
    if query.status == "QUARANTINED" and not device.quarantined:
        return False
    risk = "MEDIUM" if query.risk_level == "MODERATE" else query.risk_level
    if risk and device.risk.value != risk:
        return False
    return not query.device_group or query.device_group in (str(group_and_index(device)[0]), device.group)


def _status(device: Device, status: DeviceStatus) -> str:
    if status.state is DeviceState.ERROR:
        return "ERROR"
    return "INACTIVE" if device.quarantined else "ACTIVE"


def _with_fields(found: DeviceList, text: str) -> dict[str, Any]:
    fields = [field.strip() for field in text.split(",") if field.strip()]
    for field in fields:
        if field not in DeviceInfo.__struct_fields__:
            known = DeviceInfo.__struct_fields__
            hint = nearest(field, known) or f"fields: {', '.join(known)}"
            raise InvalidParameter(f"a device has no field {field!r}", hint=hint, target="fields")
    whole: dict[str, Any] = msgspec.to_builtins(found)
    whole["devices"] = [{field: device[field] for field in fields} for device in whole["devices"]]
    return whole


async def _infos(call: Call, devices: list[Device]) -> list[DeviceInfo]:
    statuses = await call.client.statuses(devices)
    drivers = (await call.client.capabilities())["drivers"]
    commands = {name: tuple(facts["commands"]) for name, facts in drivers.items()}
    standings = await call.client.standings(devices)
    return [
        device_info(device, status, standing, commands.get(device.driver, ()))
        for device, status, standing in zip(devices, statuses, standings, strict=True)
    ]


async def the_device(call: Call) -> Device:
    """The device that the path names; raises DeviceNotFound or PermissionDenied."""
    return await device_of(call, device_id_of(call.path["device_id"]))


async def device_of(call: Call, wanted: DeviceId) -> Device:
    """The device of that id; raises DeviceNotFound, and PermissionDenied for one kept from this user."""
    try:
        (device,) = await call.gateway.client.devices(Selector(show_id(wanted), ids=(wanted,)))
    except (DeviceNotFound, InvalidParameter):
        raise no_device(wanted) from None
    if device.device_id != wanted:
        raise no_device(wanted)
    require_visible(call.user, wanted)
    return device


async def get_device(call: Call) -> DeviceInfo:
    """One device."""
    return (await _infos(call, [await the_device(call)]))[0]


async def registers(call: Call) -> RegisterList:
    """The registers of one device."""
    device = await the_device(call)
    return RegisterList(
        device_id=device.device_id, registers=[register_info(item) for item in device.registers]
    )


INTENT = "INTENT"
"""The outcome of the line that is written before a device is told anything."""


async def history(call: Call) -> History:
    """What was asked of one device, newest first: changes, and the reads since the server began."""
    device, query = await the_device(call), call.query
    since, until = moment(query.start_date), moment(query.end_date)
    action = f"device.{query.operation_type.lower()}" if query.operation_type else ""
    records = await call.client.audit(
        HistoryQuery(
            device_id=device.device_id,
            since=since,
            until=until,
            action=action,
            limit=0,
        )
    )
    asked = {record.operation_id: record.parameters for record in records if record.outcome == INTENT}
    operations = [
        past_operation(device.device_id, record, asked.get(record.operation_id, {}))
        for record in records
        if record.outcome != INTENT and record.operation_id
    ]
    if query.operation_type in (None, "READ") and not await call.client.reads.refused([device]):
        reads = call.gateway.reads.of(device.device_id, since, until)
        operations = reads + operations  # of the same millisecond: a change takes longer than that
        operations.sort(key=lambda operation: operation.timestamp, reverse=True)
    part = operations[query.offset : query.offset + query.limit]
    pagination = Pagination(
        total=len(operations),
        returned=len(part),
        offset=query.offset,
        has_more=query.offset + len(part) < len(operations),
    )
    return History(device_id=device.device_id, operations=part, pagination=pagination)


async def lifecycle(call: Call) -> LifecycleStatus:
    """Carry out a lifecycle verb on one device."""
    verb = call.path["verb"]
    if verb not in LIFECYCLE_VERBS:
        hint = nearest(verb, LIFECYCLE_VERBS) or f"verbs: {', '.join(LIFECYCLE_VERBS)}"
        raise InvalidParameter(f"no lifecycle verb {verb!r}", hint=hint, target=verb)
    return lifecycle_status((await call.client.lifecycle(verb, [await the_device(call)]))[0])


UNKNOWN = ("DEVICE_NOT_FOUND", "INVALID_PARAMETER")
ENDPOINTS = (
    Endpoint(
        method="GET", path="/devices", handler=list_devices, query=ListQuery, answer=DeviceList,
        summary="List devices",
    ),
    Endpoint(
        method="GET", path="/devices/{device_id}", handler=get_device, query=NoQuery, answer=DeviceInfo,
        summary="One device", errors=UNKNOWN,
    ),
    Endpoint(
        method="GET", path="/devices/{device_id}/registers", handler=registers, answer=RegisterList,
        summary="The registers of a device", errors=UNKNOWN,
    ),
    Endpoint(
        method="GET", path="/devices/{device_id}/history", handler=history, query=HistoryParameters,
        answer=History, summary="What was asked of a device", errors=UNKNOWN,
    ),
    Endpoint(
        method="POST", path="/devices/{device_id}/lifecycle/{verb}", handler=lifecycle,
        answer=LifecycleStatus, summary="Carry out a lifecycle verb", errors=UNKNOWN, operation=True,
    ),
)  # fmt: skip
