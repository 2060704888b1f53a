"""History: the recorded readings of a server, a page at a time."""

from __future__ import annotations

from typing import Any

from dsmilctl.client.remote.api import Api
from dsmilctl.clock import NANOSECONDS, rfc3339
from dsmilctl.model.device import show_id
from dsmilctl.model.history import DeniedDevice, ReadingsPage, ReadingsQuery, RecordedReading
from dsmilctl.model.reading import Quality
from dsmilctl.times import written_moment
from dsmilctl.wire.readings import RecordedInfo, RecordedReadings

QUALITIES = {str(quality): quality for quality in Quality}


async def page_of(api: Api, query: ReadingsQuery) -> ReadingsPage:
    """The page that the server gives."""
    found = await api.get("/readings", RecordedReadings, _parameters(query))
    return ReadingsPage(
        readings=tuple(_reading(info) for info in found.readings),
        denied=tuple(DeniedDevice(item.device_id, item.code, item.message) for item in found.denied),
        cursor=found.next_cursor or "",
    )


def _parameters(query: ReadingsQuery) -> dict[str, Any]:
    return {
        "device_ids": ",".join(show_id(device_id) for device_id in query.device_ids),
        "registers": ",".join(query.registers),
        "since": "" if query.since is None else rfc3339(query.since, 9),
        "until": "" if query.until is None else rfc3339(query.until, 9),
        "every": _duration(query.every),
        "aggregate": query.aggregate,
        "cursor": query.cursor,
        "limit": query.limit,
    }


def _duration(nanoseconds: int) -> str:
    """A duration in seconds, exactly; nothing for none."""
    if not nanoseconds:
        return ""
    return f"{nanoseconds // NANOSECONDS}.{nanoseconds % NANOSECONDS:09d}s"


def _reading(info: RecordedInfo) -> RecordedReading:
    return RecordedReading(
        device_id=info.device_id, register=info.register, timestamp=written_moment(info.timestamp),
        value=info.value, unit=info.unit, quality=QUALITIES.get(info.quality) or Quality(info.quality),
        readings=info.readings, raw=info.raw, latency_ms=info.latency_ms, error=info.error,
        error_code=info.error_code, sequence=info.sequence, recording=info.recording,
    )  # fmt: skip
