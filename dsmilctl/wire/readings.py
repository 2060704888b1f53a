"""Recorded readings as they travel (`GET /readings`, an extension of ours)."""

from __future__ import annotations

from typing import Any

from dsmilctl.model.device import DeviceId
from dsmilctl.wire.base import Answer


class RecordedInfo(Answer, frozen=True, kw_only=True, omit_defaults=True):
    """One recorded reading, or the value of one stretch made of so many `readings`.

    `timestamp` is RFC 3339 with nine decimals: of a stretch where it begins.
    """

    device_id: DeviceId
    register: str
    timestamp: str
    value: Any
    unit: str = ""
    quality: str = "good"
    readings: int = 0
    raw: int | str | None = None
    latency_ms: float | None = None
    error: str = ""
    error_code: str = ""
    sequence: int = 0
    recording: str = ""


class DeniedInfo(Answer, frozen=True, kw_only=True):
    """A device whose readings were asked for and are not shown, and why."""

    device_id: DeviceId
    code: str
    message: str


class RecordedReadings(Answer, frozen=True, kw_only=True):
    """`GET /readings`, by device, register and time; `next_cursor` is null on the last page."""

    readings: list[RecordedInfo]
    denied: list[DeniedInfo]
    returned: int
    next_cursor: str | None = None
