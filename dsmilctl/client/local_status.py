"""System status, capabilities and health of a local fleet, in the words of the DSMIL API."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from dsmilctl.client.interface import ContextInfo
from dsmilctl.clock import rfc3339
from dsmilctl.drivers.contract import Driver
from dsmilctl.drivers.managed import Managed
from dsmilctl.errors import DSMILError
from dsmilctl.fleet.fleet import Fleet
from dsmilctl.guard.checks import Checks
from dsmilctl.guard.journal import Journal
from dsmilctl.guard.latch import UNREADABLE
from dsmilctl.guard.stop import StopControl
from dsmilctl.model.device import DeviceState, DeviceStatus
from dsmilctl.model.operation import OperationType

CHECKED = {
    "devices": "whether the drivers name any; none was spoken to",
    "journal": "whether it can be written, and its end; the whole of it: dsmilctl audit verify",
    "policy": "whether it can be read",
    "latch": "whether every stop in force can be read",
}
CHECKED_DRIVER = "whether it is there and takes its options"
"""What `health` looks at before it says that a part is ok."""


class FleetStatus:
    """Answers what a fleet is made of, what it can do and whether its parts work."""

    def __init__(
        self,
        context: ContextInfo,
        fleet: Fleet,
        stop_control: StopControl,
        journal: Journal,
        checks: Checks,
    ) -> None:
        self._context = context
        self._fleet = fleet
        self._stop_control = stop_control
        self._journal = journal
        self._checks = checks

    async def status(self, statuses: Sequence[DeviceStatus]) -> dict[str, Any]:
        """Counts of devices, whether a stop is in force, and how quickly devices answered."""
        managed = (await self._fleet.all()).values()
        quarantined = sum(item.device.quarantined for item in managed)
        errors = sum(status.state is DeviceState.ERROR for status in statuses)
        stopped = bool(self._stop_control.in_force())
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
            "performance_metrics": performance(managed),
            "drivers": sorted({driver.name for driver in self._fleet.drivers.values()}),
            "absent": await self._absent(),
        }

    async def _absent(self) -> dict[str, str]:
        """Drivers without devices and parts that drivers looked for in vain, each with the reason."""
        absent = {f"driver {name}": error.message for name, error in self._fleet.absent.items()}
        for name, driver in self._fleet.drivers.items():
            absent |= await self._parts(name, driver)
        return absent

    async def parts_absent(self, kind: str) -> dict[str, str] | None:
        """Parts that a driver looked for in vain, each with the reason; None where it is not in use."""
        used = {name: driver for name, driver in self._fleet.drivers.items() if driver.name == kind}
        if not used:
            return None
        found: dict[str, str] = {}
        for name, driver in used.items():
            found |= await self._parts(name, driver)
        return found

    async def _parts(self, name: str, driver: Driver) -> dict[str, str]:
        try:
            async with asyncio.timeout(self._fleet.deadline):
                return dict(await driver.absent())
        except Exception as error:  # a stranger's driver may fail with anything; the rest is told
            return {f"parts of {name}": str(error) or type(error).__name__}

    async def capabilities(self) -> dict[str, Any]:
        """Operations, limits and drivers."""
        policy, (requests, operations) = self._checks.policy, self._checks.allowances()
        capable = {str(item) for driver in self._fleet.drivers.values() for item in driver.capabilities}
        return {
            "supported_operations": [kind.value for kind in OperationType],
            "driver_capabilities": sorted(capable),
            "policy": policy.name,
            "drivers": {
                driver.name: {
                    "version": driver.version,
                    "capabilities": sorted(map(str, driver.capabilities)),
                    "commands": list(driver.commands),
                }
                for driver in self._fleet.drivers.values()
            },
            "limits": {
                "deadline_s": self._fleet.deadline,
                "justification": [policy.shortest, policy.longest],
                "requests_per_minute": requests,
                "concurrent_operations": operations,
            },
        }

    async def health(self) -> dict[str, Any]:
        """Each part as `ok` or what is wrong with it, and what was `checked`; `healthy` when all are ok."""
        problem = self._checks.policy_problem
        components = {
            "devices": await self._devices(),
            "journal": await asyncio.to_thread(self._writable),
            "policy": problem.message if problem else "ok",
        }
        stops = self._stop_control.in_force()
        components["latch"] = next((stop.reason for stop in stops if stop.stop_id == UNREADABLE), "ok")
        components |= {f"driver {name}": "ok" for name in self._fleet.drivers}
        components |= {f"driver {name}": error.message for name, error in self._fleet.absent.items()}
        healthy = all(value == "ok" for value in components.values())
        return {
            "status": "healthy" if healthy else "unhealthy",
            "components": components,
            "checked": {name: CHECKED.get(name, CHECKED_DRIVER) for name in components},
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


def performance(devices: Iterable[Managed]) -> dict[str, Any]:
    """How this process fared with the devices: counts, errors and the mean latency of their last answers."""
    statistics = [managed.statistics for managed in devices]
    latencies = [item.last_latency_ms for item in statistics if item.last_latency_ms is not None]
    counts = {
        name: sum(getattr(item, name) for item in statistics)
        for name in ("reads", "writes", "errors", "late")
    }
    mean = round(sum(latencies) / len(latencies), 3) if latencies else None
    return {"avg_response_time_ms": mean, **counts}


def overall(*, stopped: bool, errors: int) -> str:
    """EMERGENCY while stopped, WARNING with a device in error, else NORMAL."""
    if stopped:
        return "EMERGENCY"
    return "WARNING" if errors else "NORMAL"
