"""Alarms as they travel (`/alarms`, an extension of ours)."""

from __future__ import annotations

from dsmilctl.model.device import DeviceId
from dsmilctl.model.register import Value
from dsmilctl.wire.base import Answer, Pagination, Request


class AlarmInfo(Answer, frozen=True, kw_only=True):
    """One alarm; `register` is empty where it is about the whole device.

    `active` is whether the condition holds now; `since` is when the state changed last, `value` and `message`
    are of when the condition began or ended; `value` and `limit` are in `unit`; `shelved_until` is null
    unless it is shelved.
    """

    alarm_id: str
    device_id: DeviceId
    register: str
    condition: str
    priority: str
    state: str
    active: bool
    since: str
    message: str
    value: Value | None = None
    limit: float | None = None
    unit: str = ""
    acknowledged_by: str = ""
    shelved_by: str = ""
    shelved_until: str | None = None


class AlarmList(Answer, frozen=True, kw_only=True):
    """`GET /alarms`, the most urgent first, and then the newest."""

    alarms: list[AlarmInfo]
    pagination: Pagination


class AlarmAnswer(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /alarms/{id}/{verb}`; `seconds` are those of a shelf."""

    justification: str = ""
    seconds: float | None = None
