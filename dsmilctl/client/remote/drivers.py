"""Drivers of a server, asked for and switched over the API."""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from dsmilctl.client.interface import DriverInfo
from dsmilctl.client.remote.changes import read_only_refusal
from dsmilctl.client.remote.connected import Connected
from dsmilctl.client.remote.mapping import nanoseconds
from dsmilctl.wire.system import DriverAnswer, DriverList, DriverSwitch


class Drivers(Connected):
    """What drives the devices of a server."""

    async def drivers(self) -> list[DriverInfo]:
        """The drivers that are installed at the server."""
        return [_info(item) for item in (await self._api.get("/drivers", DriverList)).drivers]

    async def set_driver(self, name: str, *, enabled: bool, reason: str) -> DriverInfo:
        """Enable or disable a driver at the server, for everybody there."""
        if self.context.read_only:
            raise read_only_refusal(self.context.name, f"driver {name} stays as it is")
        path = f"/drivers/{quote(name, safe='')}/{'enable' if enabled else 'disable'}"
        return _info(await self._api.post(path, DriverAnswer, DriverSwitch(reason=reason)))


def _info(answer: DriverAnswer) -> DriverInfo:
    facts = msgspec.structs.asdict(answer) | {"changed": nanoseconds(answer.changed) or None}
    return msgspec.convert(facts, DriverInfo)
