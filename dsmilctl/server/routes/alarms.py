"""`/alarms`: what is wrong, and what people do about it (an extension of ours).  Source: ANSI/ISA-18.2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import msgspec

from dsmilctl.clock import rfc3339
from dsmilctl.errors import InvalidParameter, nearest
from dsmilctl.model.alarm import VERBS, Alarm, AlarmQuery, AlarmState, Priority
from dsmilctl.model.identity import Clearance
from dsmilctl.server.endpoint import Call, Endpoint
from dsmilctl.server.routes.devices import device_of
from dsmilctl.wire.alarms import AlarmAnswer, AlarmInfo, AlarmList
from dsmilctl.wire.base import Pagination
from dsmilctl.wire.values import device_id_of

T = TypeVar("T")
STATES: Mapping[str, AlarmState] = {
    state.value: state for state in AlarmState if state is not AlarmState.NORMAL
}
MOST_NAMED = 100
"""Devices that one request may name."""


class AlarmsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which alarms are wanted: comma lists of states, priorities and devices, of which nothing is all.

    `fields` is a comma list of fields of an alarm.
    """

    state: str = ""
    priority: str = ""
    device_ids: str = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 50
    offset: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)] = 0
    fields: str = ""


async def list_(call: Call) -> Any:
    """The alarms of devices that this user may see."""
    given: AlarmsQuery = call.query
    ids = [device_id_of(text) for text in _listed(given.device_ids)]
    if len(ids) > MOST_NAMED:
        raise InvalidParameter(f"{len(ids)} devices, {MOST_NAMED} at the most", target="device_ids")
    for device_id in ids:
        await device_of(call, device_id)
    query = AlarmQuery(
        states=frozenset(_named("state", given.state, STATES)),
        priorities=frozenset(_named("priority", given.priority, Priority.__members__)),
        device_ids=frozenset(ids),
        limit=given.limit,
        offset=given.offset,
    )
    found, total = await call.client.alarms(query)
    more = given.offset + len(found) < total
    pagination = Pagination(total=total, returned=len(found), offset=given.offset, has_more=more)
    answer = AlarmList(alarms=[alarm_info(alarm) for alarm in found], pagination=pagination)
    return _with_fields(answer, given.fields) if given.fields else answer


def _listed(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _named(what: str, text: str, known: Mapping[str, T]) -> list[T]:
    for name in _listed(text):
        if name.upper() not in known:
            hint = nearest(name.upper(), known) or f"one of {', '.join(known)}"
            raise InvalidParameter(f"no {what} {name!r}", hint=hint, target=what)
    return [known[name.upper()] for name in _listed(text)]


def _with_fields(found: AlarmList, text: str) -> dict[str, Any]:
    fields, known = _listed(text), AlarmInfo.__struct_fields__
    for field in fields:
        if field not in known:
            hint = nearest(field, known) or f"fields: {', '.join(known)}"
            raise InvalidParameter(f"an alarm has no field {field!r}", hint=hint, target="fields")
    whole: dict[str, Any] = msgspec.to_builtins(found)
    whole["alarms"] = [{field: alarm[field] for field in fields} for alarm in whole["alarms"]]
    return whole


async def answer(call: Call) -> AlarmInfo:
    """Acknowledge, shelve, unshelve or reset one alarm."""
    verb, wanted = call.path["verb"], call.body
    if verb not in VERBS:
        hint = nearest(verb, VERBS) or f"verbs: {', '.join(VERBS)}"
        raise InvalidParameter(f"an alarm has no verb {verb!r}", hint=hint, target=verb)
    return alarm_info(
        await call.client.answer_alarm(
            call.path["alarm_id"], verb, justification=wanted.justification, seconds=wanted.seconds
        )
    )


def alarm_info(alarm: Alarm) -> AlarmInfo:
    """An alarm as it travels."""
    return AlarmInfo(
        alarm_id=alarm.id,
        device_id=alarm.device_id,
        register=alarm.register,
        condition=alarm.condition.value,
        priority=alarm.priority.name,
        state=alarm.state.value,
        active=alarm.active,
        since=rfc3339(alarm.since),
        message=alarm.message,
        value=alarm.value,
        limit=alarm.limit,
        unit=alarm.unit,
        acknowledged_by=alarm.acknowledged_by,
        shelved_by=alarm.shelved_by,
        shelved_until=rfc3339(alarm.shelved_until) if alarm.shelved_until else None,
    )


ENDPOINTS = (
    Endpoint(
        method="GET", path="/alarms", handler=list_, query=AlarmsQuery, answer=AlarmList,
        summary="The alarms that are not normal", clearance=Clearance.CONFIDENTIAL,
        errors=("DEVICE_NOT_FOUND",),
    ),
    Endpoint(
        method="POST", path="/alarms/{alarm_id}/{verb}", handler=answer, body=AlarmAnswer, answer=AlarmInfo,
        summary="Acknowledge, shelve, unshelve or reset an alarm", clearance=Clearance.CONFIDENTIAL,
        errors=("NOT_FOUND", "CONFLICT", "JUSTIFICATION_REQUIRED", "READ_ONLY"),
    ),
)  # fmt: skip
