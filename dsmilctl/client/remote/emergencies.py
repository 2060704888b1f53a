"""Emergencies: the SDK's emergency stop, its status and its release."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from dsmilctl.client.remote.connected import Connected
from dsmilctl.client.remote.failures import RETURNED
from dsmilctl.client.remote.results import EmergencyResult, failure_of
from dsmilctl.errors import DSMILError
from dsmilctl.model.device import DeviceId
from dsmilctl.wire.emergency import EmergencyStatus, Release, Released, StopHistory, StopInfo


class Emergencies(Connected):
    """Stopping everything, and going on again."""

    async def trigger_emergency_stop(
        self,
        justification: str = "",
        scope: str = "ALL",
        target_devices: Sequence[DeviceId] = (),
        notify_all_clients: bool = True,
        *,
        escalation_level: str = "IMMEDIATE",
    ) -> EmergencyResult:
        """Stop devices: latched first, then driven to their safe state; who did not confirm is named.

        It passes an open circuit breaker.  Repeating it does no harm.
        """
        content = msgspec.json.encode(
            {
                "justification": justification,
                "scope": scope,
                "target_devices": list(target_devices),
                "notify_all_clients": notify_all_clients,
                "escalation_level": escalation_level,
            }
        )
        self._cache.drop()
        try:
            stop = await self._api.post("/emergency/stop", StopInfo, content, urgent=True)
        except DSMILError as error:
            self._api.logs.secured("emergency_stop", outcome="FAILED", error_code=error.code)
            return _refused(error)
        finally:
            self._cache.drop()
        self._api.logs.secured("emergency_stop", user=stop.triggered_by, outcome="SUCCESS")
        return EmergencyResult(success=True, stop=stop, stops=(stop,))

    async def get_emergency_status(self) -> EmergencyStatus:
        """The stops in force."""
        return await self._api.get("/emergency/status", EmergencyStatus)

    async def release_emergency_stop(
        self, justification: str, stop_id: str = "", approval_id: str = ""
    ) -> EmergencyResult:
        """End one stop, or all of them; needs a high clearance and perhaps a second person's approval."""
        wanted = Release(stop_id=stop_id, justification=justification, approval_id=approval_id)
        try:
            released = await self._api.post("/emergency/release", Released, wanted)
        except DSMILError as error:
            return _refused(error)
        finally:
            self._cache.drop()
        self._api.logs.secured("emergency_release", user=released.released_by, outcome="SUCCESS")
        stops = tuple(released.stops)
        return EmergencyResult(success=True, stop=stops[-1] if stops else None, stops=stops)

    async def get_emergency_history(self, limit: int = 50) -> list[StopInfo]:
        """The stops there were, newest first."""
        return (await self._api.get("/emergency/history", StopHistory, {"limit": limit})).stops


def _refused(error: DSMILError) -> EmergencyResult:
    if error.code not in RETURNED:
        raise error
    return EmergencyResult(**failure_of(error))
