"""System status, capabilities and health of a local fleet, in the words of the DSMIL API."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from dsmilctl.client.interface import ContextInfo
from dsmilctl.clock import rfc3339
from dsmilctl.errors import DSMILError
from dsmilctl.fleet.fleet import Fleet
from dsmilctl.guard.journal import Journal
from dsmilctl.guard.latch import Latch
from dsmilctl.guard.policy import Policy
from dsmilctl.model.device import DeviceState, DeviceStatus
from dsmilctl.model.operation import OperationType


class FleetStatus:
    """Answers what a fleet is made of, what it can do and whether its parts work."""

    def __init__(
        self, context: ContextInfo, fleet: Fleet, latch: Latch, journal: Journal, policy: Policy
    ) -> None:
        self._context = context
        self._fleet = fleet
        self._latch = latch
        self._journal = journal
        self._policy = policy

    async def status(self, statuses: Sequence[DeviceStatus]) -> dict[str, Any]:
        """Counts of devices, whether a stop is in force, and how quickly devices answered."""
        managed = (await self._fleet.all()).values()
        quarantined = sum(item.device.quarantined for item in managed)
        errors = sum(status.state is DeviceState.ERROR for status in statuses)
        stopped = bool(self._latch.stops())
        return {
            "timestamp": rfc3339(self._fleet.clock.now()),
            "overall_status": overall(stopped=stopped, errors=errors),
            "device_summary": {
                "total_devices": len(statuses),
                "active_devices": len(statuses) - quarantined - errors,
                "quarantined_devices": quarantined,
                "error_devices": errors,
            },
            "security_status": {"emergency_stop_active": stopped, "read_only": self._context.read_only},
            "drivers": sorted(self._fleet.drivers),
            "absent": await self._absent(),
        }

    async def _absent(self) -> dict[str, str]:
        absent: dict[str, str] = {}
        for driver in self._fleet.drivers.values():
            absent |= dict(await driver.absent())
        return absent

    async def capabilities(self) -> dict[str, Any]:
        """Operations, limits and drivers."""
        capable = {str(item) for driver in self._fleet.drivers.values() for item in driver.capabilities}
        return {
            "supported_operations": [kind.value for kind in OperationType],
            "driver_capabilities": sorted(capable),
            "policy": self._policy.name,
            "drivers": {
                name: {"version": driver.version, "commands": sorted(driver.commands)}
                for name, driver in sorted(self._fleet.drivers.items())
            },
            "limits": {
                "deadline_s": self._fleet.deadline,
                "justification": [self._policy.shortest, self._policy.longest],
            },
        }

    async def health(self) -> dict[str, Any]:
        """Each part as `ok` or what is wrong with it; `status` is `healthy` when all are."""
        components = {"devices": await self._devices(), "journal": await asyncio.to_thread(self._writable)}
        stops = self._latch.stops()
        components["latch"] = "ok" if all(stop.stop_id != "UNREADABLE" for stop in stops) else stops[0].reason
        healthy = all(value == "ok" for value in components.values())
        return {
            "status": "healthy" if healthy else "unhealthy",
            "components": components,
            "emergency_stop_active": bool(stops),
        }

    async def _devices(self) -> str:
        try:
            devices = await self._fleet.all()
        except DSMILError as error:
            return error.message
        return "ok" if devices else "the drivers found no device"

    def _writable(self) -> str:
        try:
            self._journal.check_writable()
        except DSMILError as error:
            return error.message
        return "ok"


def overall(*, stopped: bool, errors: int) -> str:
    """EMERGENCY while stopped, WARNING with a device in error, else NORMAL."""
    if stopped:
        return "EMERGENCY"
    return "WARNING" if errors else "NORMAL"
