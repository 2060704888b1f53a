"""Local readings: the part of a local client that is asked for what was recorded."""

from __future__ import annotations

from pathlib import Path

from dsmilctl.client.interface import ContextInfo
from dsmilctl.client.local_reads import Reads
from dsmilctl.fleet.fleet import Fleet
from dsmilctl.guard.guard import Guard
from dsmilctl.model.history import ReadingsPage, ReadingsQuery
from dsmilctl.model.identity import Identity


class RecordedReadings:
    """The part of a local client that answers for what was recorded; `archive` is the archive's folder."""

    archive: Path
    context: ContextInfo
    identity: Identity
    reads: Reads
    _fleet: Fleet
    _guard: Guard

    async def readings(self, query: ReadingsQuery) -> ReadingsPage:
        """One page of what was recorded of this context, and of what its drivers remember."""
        from dsmilctl.client.local_history import LocalHistory, require_right

        require_right(query)
        history = LocalHistory(self._fleet, self.identity, self.archive, self.context.name)
        devices = await history.targets(query)
        refused = await self.reads.refused([managed.device for managed in devices])
        denied = refused if query.device_ids else {}
        if denied:
            await self._guard.admission.record_denied("device.read", denied)
        allowed = [managed for managed in devices if managed.device.shown_id not in refused]
        return await history.page(query, allowed, denied)
