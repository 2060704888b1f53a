"""Alarms: the SDK's methods about what is wrong, and what people do about it.  A refusal raises."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from urllib.parse import quote

from dsmilctl.client.remote.changes import read_only_refusal
from dsmilctl.client.remote.connected import Connected
from dsmilctl.model.device import DeviceId, show_id
from dsmilctl.wire.alarms import AlarmAnswer, AlarmInfo, AlarmList
from dsmilctl.wire.values import in_path

PAGE = 1000
"""Alarms of one request."""


class AlarmRoom(Connected):
    """Listing and answering the alarms of a server.  Source of the words: ANSI/ISA-18.2."""

    async def list_alarms(
        self,
        state: str = "",
        *,
        device_ids: Sequence[DeviceId] = (),
        priority: str = "",
        limit: int = 0,
        offset: int = 0,
    ) -> list[AlarmInfo]:
        """The alarms that are not normal, the most urgent first and then the newest.

        `state` and `priority` may be comma lists; `limit` 0 is all, in as many requests as that takes.
        """
        query = {
            "state": state,
            "priority": priority,
            "device_ids": ",".join(in_path(show_id(device_id)) for device_id in device_ids),
        }
        found: list[AlarmInfo] = []
        wanted = limit or sys.maxsize
        while True:
            part = {"limit": min(PAGE, max(1, wanted - len(found))), "offset": offset + len(found)}
            page = await self._api.get("/alarms", AlarmList, query | part)
            found += page.alarms
            if not page.pagination.has_more or not page.alarms or len(found) >= wanted:
                return found

    async def acknowledge_alarm(self, alarm_id: str, justification: str = "") -> AlarmInfo:
        """Say that one has seen an alarm; raises NotFound, and Conflict where that was said already."""
        return await self._answer_alarm(alarm_id, "acknowledge", justification)

    async def shelve_alarm(
        self, alarm_id: str, justification: str, *, seconds: float | None = None
    ) -> AlarmInfo:
        """Put an alarm aside for a while: an hour, or `seconds` (a day at the most).  Always says why."""
        return await self._answer_alarm(alarm_id, "shelve", justification, seconds)

    async def unshelve_alarm(self, alarm_id: str, justification: str = "") -> AlarmInfo:
        """Bring a shelved alarm back; it is raised anew where its condition still holds."""
        return await self._answer_alarm(alarm_id, "unshelve", justification)

    async def reset_alarm(self, alarm_id: str, justification: str = "") -> AlarmInfo:
        """End an alarm that stays although its condition is over; raises Conflict while it holds."""
        return await self._answer_alarm(alarm_id, "reset", justification)

    async def _answer_alarm(
        self, alarm_id: str, verb: str, justification: str, seconds: float | None = None
    ) -> AlarmInfo:
        if self.context.read_only:
            hint = "use a context that is not read-only"
            raise read_only_refusal(self.context.name, f"no alarm was {PAST[verb]}", hint, alarm_id)
        body = AlarmAnswer(justification=justification, seconds=seconds)
        return await self._api.post(f"/alarms/{quote(alarm_id, safe='')}/{verb}", AlarmInfo, body)


PAST = {
    "acknowledge": "acknowledged",
    "shelve": "shelved",
    "unshelve": "brought back",
    "reset": "reset",
}
