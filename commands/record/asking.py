"""Asking: `record query` on the context of a server: the server is asked for what it recorded."""

from __future__ import annotations

from typing import Any

import msgspec

from dsmilctl import diagnostics
from dsmilctl.client.interface import Client
from dsmilctl.clock import rfc3339
from dsmilctl.commands.invocation import invocation
from dsmilctl.commands.runner import Result
from dsmilctl.commands.targets import selector_of
from dsmilctl.config.contexts import find_context
from dsmilctl.errors import InvalidParameter
from dsmilctl.model.device import show_id
from dsmilctl.model.history import MOST, ReadingsPage, ReadingsQuery, RecordedReading

PARTIAL = 6
"""The exit status where the readings of some devices may not be seen."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A query with the selector of its devices; `limit` rows at the most, 0 for all."""

    selector: str
    query: ReadingsQuery
    limit: int


def asks_server(archive: str) -> bool:
    """Whether the server of the context is meant, and not an archive on this machine."""
    return not archive and find_context(invocation().context).kind == "remote"


def require_askable(*, sql: str, recording: str) -> None:
    """Raise InvalidParameter for what only an archive on this machine can be asked."""
    for name, given in (("--sql", sql), ("--recording", recording)):
        if given:
            hint = "leave it out, or ask where the server's archive is, with --archive DIR"
            raise InvalidParameter(f"a server is not asked with {name}", hint=hint, target=name)


async def ask(client: Client, question: Question) -> Result:
    """The rows that the server gives, in as many pages as that takes."""
    query = question.query
    if question.selector:
        devices = await client.devices(selector_of(question.selector))
        query = msgspec.structs.replace(query, device_ids=tuple(device.device_id for device in devices))
    found: list[RecordedReading] = []
    while True:
        left = question.limit - len(found) if question.limit else MOST
        page = await client.readings(msgspec.structs.replace(query, limit=min(MOST, left)))
        found += page.readings
        query = msgspec.structs.replace(query, cursor=page.cursor)
        if not page.cursor or (question.limit and len(found) >= question.limit):
            break
    _warn(page, question.limit)
    rows = [_stretch_row(item) if query.every else _row(item) for item in found]
    return Result(rows, PARTIAL if page.denied else 0)


def _warn(page: ReadingsPage, limit: int) -> None:
    for denied in page.denied:
        diagnostics.warn(f"not shown: {denied.message}")
    if page.cursor:
        diagnostics.warn(f"only the first {limit} rows: --limit 0 shows all")


def _row(reading: RecordedReading) -> dict[str, Any]:
    """A reading as a row of an archive."""
    return {
        "recording": reading.recording,
        "device": show_id(reading.device_id),
        "register": reading.register,
        "unit": reading.unit,
        "time": rfc3339(reading.timestamp, 9),
        "value": reading.value,
        "quality": reading.quality.value,
        "sequence": reading.sequence,
        "raw": None if reading.raw is None else msgspec.json.encode(reading.raw).decode(),
        "error": reading.error or None,
        "error_code": reading.error_code or None,
        "latency_ms": reading.latency_ms,
    }


def _stretch_row(reading: RecordedReading) -> dict[str, Any]:
    """A stretch as a row of an archive."""
    return {
        "device": show_id(reading.device_id),
        "register": reading.register,
        "time": rfc3339(reading.timestamp, 9),
        "value": reading.value,
        "readings": reading.readings,
        "unit": reading.unit,
    }
