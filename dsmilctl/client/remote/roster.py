"""Roster: the devices that a server has, with their registers, each model of registers asked for once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from dsmilctl.client.remote.api import Api
from dsmilctl.client.remote.batching import device_path
from dsmilctl.client.remote.mapping import device_of, register_of, status_of
from dsmilctl.errors import DeviceNotFound
from dsmilctl.model.device import Device, DeviceId, DeviceStatus
from dsmilctl.model.register import Register
from dsmilctl.model.selector import Selector, select
from dsmilctl.wire.devices import DeviceInfo, DeviceList, RegisterList

PAGE = 100
FEW = 4
"""So many devices are asked for one by one rather than with the whole list."""

AT_ONCE = 8


class Roster:
    """The devices of one server."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._models: dict[str, tuple[Register, ...]] = {}

    async def select(self, selector: Selector, *, quarantined: bool) -> list[Device]:
        """The devices that the selector names; raises DeviceNotFound where it names none."""
        infos = await self._named(selector)
        if infos is None:
            infos = await self.all()
        await self._learn(infos)
        devices = [device_of(info, self._models[_model(info)]) for info in infos]
        statuses = {info.device_id: status_of(info) for info in infos}
        return select(selector, devices, statuses.get, quarantined=quarantined)

    async def statuses(self, device_ids: Sequence[DeviceId]) -> list[DeviceStatus]:
        """The state of each device, in the same order; raises DeviceNotFound."""
        if len(device_ids) <= FEW:
            return [status_of(info) for info in await self._each(device_ids)]
        known = {info.device_id: status_of(info) for info in await self.all()}
        for device_id in device_ids:
            if device_id not in known:
                raise DeviceNotFound(f"no device {device_id}", device_id=device_id)
        return [known[device_id] for device_id in device_ids]

    async def all(self) -> list[DeviceInfo]:
        """Every device that this user may see."""
        found: list[DeviceInfo] = []
        while True:
            query = {"include_quarantined": True, "limit": PAGE, "offset": len(found)}
            page = await self._api.get("/devices", DeviceList, query)
            found += page.devices
            if not page.pagination.has_more or not page.devices:
                return found

    async def _named(self, selector: Selector) -> list[DeviceInfo] | None:
        """A few devices that are named by their ids alone; None where the whole list is needed."""
        others = selector.ranges or selector.globs or selector.groups or selector.filters
        numbers = sorted(item for item in selector.ids if isinstance(item, int))
        ids = numbers if len(numbers) == len(selector.ids) else selector.ids
        if others or not 0 < len(ids) <= FEW or (len(ids) > 1 and ids is not numbers):
            return None  # of several names only the whole list tells the order
        try:
            return await self._each(ids)
        except DeviceNotFound:
            return None  # by its name perhaps; and whoever is wrong is told what there is

    async def _each(self, device_ids: Sequence[DeviceId]) -> list[DeviceInfo]:
        calls = (self._api.get(device_path(item), DeviceInfo, device_id=item) for item in device_ids)
        return list(await asyncio.gather(*calls))

    async def _learn(self, infos: Sequence[DeviceInfo]) -> None:
        """Have the registers of every model that is not known yet."""
        unknown = {_model(info): info.device_id for info in infos if _model(info) not in self._models}
        places = asyncio.Semaphore(AT_ONCE)

        async def learn(model: str, device_id: DeviceId) -> None:
            async with places:
                path = f"{device_path(device_id)}/registers"
                found = await self._api.get(path, RegisterList, device_id=device_id)
            self._models[model] = tuple(register_of(item) for item in found.registers)

        await asyncio.gather(*(learn(model, device_id) for model, device_id in unknown.items()))


def _model(info: DeviceInfo) -> str:
    """What devices with the same registers share; a server that does not tell has each device its own."""
    return info.register_model or f"device {info.device_id}"
