"""Evidence: the journal of a server, read, checked and anchored over the API."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import msgspec

from dsmilctl.client.interface import HistoryQuery
from dsmilctl.client.remote.api import Api
from dsmilctl.client.remote.mapping import record_of
from dsmilctl.clock import rfc3339
from dsmilctl.errors import StateUnavailable
from dsmilctl.model.audit import AuditRecord, AuditVerdict
from dsmilctl.model.device import show_id
from dsmilctl.wire.system import AuditAnchor, AuditCheck, AuditLine, AuditLog, AuditRestart

MOST = 1000
"""Records of one request."""


class Evidence:
    """The journal of one server."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def records(self, query: HistoryQuery) -> list[AuditRecord]:
        """Records, newest first: as many as are wanted (0: all), in as many requests as that takes."""
        wanted, found, until = query.limit or sys.maxsize, dict[int, AuditRecord](), query.until
        offset = query.offset
        while True:
            page = await self._page(query, until, min(MOST, wanted - len(found)), offset)
            new = {record.sequence: record for record in page if record.sequence not in found}
            found |= new
            if not new or len(page) < MOST or len(found) >= wanted:
                return list(found.values())[:wanted]
            until, offset = page[-1].time, 0

    async def count(self, query: HistoryQuery) -> int:
        """How many records there are."""
        asked = _asked(query, query.until) | {"limit": 1}
        return (await self._api.get("/audit", AuditLog, asked)).pagination.total or 0

    async def _page(
        self, query: HistoryQuery, until: int | None, limit: int, offset: int
    ) -> list[AuditRecord]:
        asked = _asked(query, until) | {"limit": limit, "offset": offset, "count": False}
        return [record_of(line) for line in (await self._api.get("/audit", AuditLog, asked)).records]

    async def verify(self, anchor: str) -> AuditVerdict:
        """What the server's check of its chain found."""
        found = await self._api.get("/audit/verify", AuditCheck, {"anchor": anchor})
        return msgspec.convert(msgspec.to_builtins(found), AuditVerdict)

    async def export(self, destination: Path) -> dict[str, Any]:
        """Write where the journal ends into a file; raises StateUnavailable where it cannot be written."""
        anchor = await self._api.get("/audit/anchor", AuditAnchor)
        content = msgspec.json.encode(anchor, order="sorted") + b"\n"
        try:
            destination.parent.mkdir(parents=True, exist_ok=True)
            await asyncio.to_thread(destination.write_bytes, content)
        except OSError as error:
            message = f"anchor {destination} cannot be written: {error.strerror}"
            raise StateUnavailable(message, target=str(destination)) from None
        return dict(msgspec.structs.asdict(anchor))

    async def restart(self, reason: str) -> AuditRecord:
        """Go on in a new segment behind a damaged journal; its first record."""
        return record_of(await self._api.post("/audit/restart", AuditLine, AuditRestart(reason=reason)))


def _asked(query: HistoryQuery, until: int | None) -> dict[str, Any]:
    """Which records are wanted, as the API is asked for them."""
    return {
        "device_id": "" if query.device_id is None else show_id(query.device_id),
        "since": "" if query.since is None else rfc3339(query.since, 6),
        "until": "" if until is None else rfc3339(until, 6),
        "action": query.action,
        "outcome": query.outcome,
        "user": query.user,
    }
