"""The dsmil driver: a federation of servers.  Source: the DSMIL API, version 2."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

from dsmilctl.client.remote.api import Api
from dsmilctl.drivers.contract import Answer, Capability, Driver, DriverContext
from dsmilctl.drivers.dsmil.changes import Changes
from dsmilctl.drivers.dsmil.conversation import Conversation
from dsmilctl.drivers.dsmil.kept import Kept
from dsmilctl.drivers.dsmil.members import Members, command_names, commands_of
from dsmilctl.drivers.dsmil.options import DsmilOptions
from dsmilctl.drivers.dsmil.reads import Reads
from dsmilctl.drivers.dsmil.stops import Stops
from dsmilctl.drivers.dsmil.subscription import Subscription, Values
from dsmilctl.errors import DSMILError, InvalidParameter, OperationTimeout, Unreachable, nearest
from dsmilctl.model.device import Device
from dsmilctl.model.reading import Span
from dsmilctl.model.register import Register, Value

PATIENCE = 8.0
"""Seconds that the other server has to name its devices."""


class DsmilDriver(Driver):
    """Devices behind another DSMIL server.

    The other server guards, reads back and journals what it is asked; its refusals come back as they are.  A
    server that is away costs its devices alone: each goes to ERROR and comes back with the server.
    """

    name = "dsmil"
    summary = "Devices behind another DSMIL server"
    options = DsmilOptions
    address = ("place", "devices")
    policy = "dsmil"
    confirms_stops = True
    capabilities = frozenset(
        {
            Capability.DISCOVER,
            Capability.READ,
            Capability.WRITE,
            Capability.CONTROL,
            Capability.SUBSCRIBE,
            Capability.PUSH,
            Capability.BATCH,
            Capability.SPAN,
        }
    )
    required = ("httpx", "websockets")

    def __init__(self, options: DsmilOptions, context: DriverContext) -> None:
        super().__init__(options, context)
        self.conversation = Conversation(options, context)
        self._members = Members(options)
        self._kept = Kept(options, context)
        self._reads = Reads(self.conversation, self._members)
        self._changes = Changes(self.conversation, self._members)
        self.latched_at = options.url.rstrip("/")
        self._stops = Stops(self.conversation, self._members)
        self._subscription = Subscription(self.conversation, self._members)

    @property
    def missed(self) -> int:
        """How many pushed messages did not come."""
        return self._subscription.missed

    async def discover(self) -> Sequence[Device]:
        """The other server's devices that the selector names and this account may see.

        While it is away those that it had last: they come back with it, and can be named until then.
        """

        async def find(api: Api) -> tuple[Sequence[Device], dict[str, str]]:
            return await self._members.find(api), await command_names(api)

        try:
            async with asyncio.timeout(PATIENCE):
                devices, names = await self.conversation.call(find)
        except (TimeoutError, Unreachable, OperationTimeout) as error:
            kept = self._kept.load()
            if kept is None:
                raise
            self.context.logger.warning("%s is away, its devices are those it had: %s", kept.url, error)
            devices, names = self._members.take(kept.members), kept.commands
        else:
            await asyncio.to_thread(self._kept.keep, self._members.all, names)
        # Declared per class, but known only when the server was asked.
        vars(self)["commands"] = commands_of(names, self.settings.server)
        return devices

    async def forget(self) -> int:
        """Drop the list of devices that is kept for a start without the server; how many they were."""
        return await asyncio.to_thread(self._kept.forget)

    async def read(
        self, device: Device, registers: Sequence[Register], span: Span | None = None
    ) -> Sequence[Answer]:
        """One answer per register; devices that are asked at the same time travel together."""
        return await self._reads.one((device, registers, span))

    async def read_many(
        self, wanted: Sequence[tuple[Device, Sequence[Register]]]
    ) -> Sequence[Sequence[Answer] | None]:
        """Answers of many devices with as few requests as the other server allows."""
        return await self._reads.many([(device, registers, None) for device, registers in wanted])

    async def write(self, device: Device, register: Register, value: Value) -> None:
        """Have one register written; the other server reads it back."""
        if not register.writable:
            raise InvalidParameter(f"{register.name} is read-only", target=register.name)
        await self._changes.put(device, register, value)

    async def command(self, device: Device, name: str, arguments: Mapping[str, Value]) -> Value | None:
        """Have a command of the other server's driver carried out."""
        if name not in self.commands:
            hint = nearest(name, self.commands) or f"commands: {', '.join(self.commands) or 'none'}"
            raise InvalidParameter(f"{self.settings.server} has no command {name!r}", hint=hint, target=name)
        return await self._changes.order(device, name, arguments)

    async def reset(self, device: Device) -> None:
        """Have a device reset."""
        await self._changes.restart(device)

    def subscribe(
        self, devices: Sequence[Device], registers: Sequence[str], interval: float
    ) -> AsyncIterator[Values]:
        """Values as the other server pushes them."""
        return self._subscription.follow(devices, registers, interval)

    async def safe_state(self, device: Device) -> None:
        """Have the other server stop the device; it stays stopped there until that stop is released."""
        await self._stops.one(device)

    async def safe_many(self, devices: Sequence[Device]) -> Sequence[DSMILError | bool | None]:
        """Have the other server stop all of these devices with one order."""
        return await self._stops.many(devices)

    async def shutdown(self) -> None:
        """Close the connection."""
        await self._reads.close()
        await self._stops.close()
        await self.conversation.close()
