"""Inventory: the SDK's questions about the system and its devices.  A refusal raises."""

from __future__ import annotations

from dsmilctl.client.remote.batching import device_path
from dsmilctl.client.remote.connected import Connected
from dsmilctl.client.remote.results import DevicePage, HealthStatus, SystemStatus
from dsmilctl.model.device import DeviceId
from dsmilctl.wire.base import Pagination
from dsmilctl.wire.devices import DeviceInfo, DeviceList, RegisterInfo, RegisterList
from dsmilctl.wire.operations import History
from dsmilctl.wire.system import Capabilities

PAGE = 100
"""Devices of one request.  Source: the DSMIL API, version 2, `GET /devices`."""


class Inventory(Connected):
    """What there is."""

    async def get_system_status(self) -> SystemStatus:
        """How the system is: counts of devices, security, performance."""
        return await self._api.get("/system/status", SystemStatus)

    async def get_capabilities(self) -> Capabilities:
        """What the server can do, and its limits."""
        return await self._api.get("/system/capabilities", Capabilities)

    async def health_check(self) -> HealthStatus:
        """Whether the server works; needs no login."""
        return await self._api.get("/monitoring/health", HealthStatus, login=self._api.session.logged_in)

    async def list_devices(
        self,
        include_quarantined: bool = False,
        device_group: int | str | None = None,
        risk_level: str | None = None,
        *,
        status: str | None = None,
        limit: int = 50,
        offset: int = 0,
    ) -> DevicePage:
        """The devices that this user may see and the filters let pass.

        Any `limit`, in as many requests as that takes.
        """
        found: list[DeviceInfo] = []
        while True:
            query = {
                "include_quarantined": include_quarantined,
                "device_group": device_group,
                "risk_level": risk_level,
                "status": status,
                "limit": min(PAGE, max(1, limit - len(found))),
                "offset": offset + len(found),
            }
            page = await self._api.get("/devices", DeviceList, query)
            found += page.devices
            if not page.pagination.has_more or not page.devices or len(found) >= limit:
                break
        total = page.pagination.total or 0
        shown = Pagination(
            total=total, returned=len(found), offset=offset, has_more=offset + len(found) < total
        )
        return DevicePage(devices=tuple(found), pagination=shown, meta=page.meta)

    async def get_device(self, device_id: DeviceId) -> DeviceInfo:
        """One device; raises DeviceNotFound."""
        return await self._api.get(device_path(device_id), DeviceInfo, device_id=device_id)

    async def get_registers(self, device_id: DeviceId) -> list[RegisterInfo]:
        """The registers of a device."""
        path = f"{device_path(device_id)}/registers"
        return (await self._api.get(path, RegisterList, device_id=device_id)).registers

    async def get_device_history(
        self,
        device_id: DeviceId,
        start_date: str = "",
        end_date: str = "",
        operation_type: str = "",
        *,
        limit: int = 50,
        offset: int = 0,
    ) -> History:
        """What was asked of a device between two dates (RFC 3339, or a day), newest first."""
        query = {
            "start_date": start_date,
            "end_date": end_date,
            "operation_type": operation_type,
            "limit": limit,
            "offset": offset,
        }
        path = f"{device_path(device_id)}/history"
        return await self._api.get(path, History, query, device_id=device_id)
