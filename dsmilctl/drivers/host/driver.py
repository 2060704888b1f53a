"""HostDriver: finds the parts of this machine and reads them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial

from dsmilctl.drivers.contract import Answer, Capability, Driver, DriverContext
from dsmilctl.drivers.host.machine import Absent, Machine
from dsmilctl.drivers.host.options import HostOptions
from dsmilctl.drivers.host.part import Part
from dsmilctl.drivers.host.rooms import Room, rooms
from dsmilctl.drivers.host.workers import Workers
from dsmilctl.errors import DeviceNotFound, DSMILError
from dsmilctl.model.device import Device, DeviceId
from dsmilctl.model.reading import Span
from dsmilctl.model.register import Register


class HostDriver(Driver):
    """This machine: processors, memory, load, processes, disks, network, sensors, fans, kernel and tokens.

    Only what the kernel tells is a device; `absent` says what was looked for and is not there.
    """

    name = "host"
    summary = "this machine: processors, memory, disks, network, sensors, fans, kernel messages, tokens"
    options = HostOptions
    address = ("root",)
    capabilities = frozenset({Capability.DISCOVER, Capability.READ, Capability.BATCH})

    def __init__(self, options: HostOptions, context: DriverContext) -> None:
        super().__init__(options, context)
        self._parts: dict[DeviceId, Part] = {}
        self._absent: dict[str, str] | None = None
        self._workers = Workers()
        self._underway: dict[DeviceId, asyncio.Future[list[Answer]]] = {}

    async def discover(self) -> Sequence[Device]:
        """Every part of this machine that is there, in a stable order.

        Parts whose search may wait for a sensor are looked for in a thread.
        """
        machine = Machine(self.settings, self.context.clock)
        found: list[Part] = []
        absent: dict[str, str] = {}
        for room in rooms(machine):
            try:
                found += await self._search(room, machine)
            except Absent as reason:
                absent[room.kind] = str(reason)
        self._keep(found)
        self._absent = absent
        return [part.device for part in self._parts.values()]

    async def _search(self, room: Room, machine: Machine) -> list[Part]:
        return await self._workers.start(partial(room.search, machine)) if room.slow else room.search(machine)

    def _keep(self, found: Sequence[Part]) -> None:
        """Take over what was found; a part that looks as before stays, with what it remembers."""
        before, self._parts = self._parts, {}
        for part in found:
            known = before.get(part.device.device_id)
            same = known is not None and known.device == part.device
            self._parts[part.device.device_id] = known if known is not None and same else part
        for part in before.values():
            if self._parts.get(part.device.device_id) is not part:
                self._close(part)

    def _close(self, part: Part) -> None:
        if part.device.device_id not in self._underway:  # else it would wait for a read that may never end
            part.close()

    async def absent(self) -> Mapping[str, str]:
        """Kinds of parts that this machine does not have, and how that was found out."""
        if self._absent is None:
            await self.discover()
        return self._absent or {}

    async def read(
        self, device: Device, registers: Sequence[Register], span: Span | None = None
    ) -> Sequence[Answer]:
        """One answer per register; raises HardwareError when the part has vanished."""
        part = await self._part(device)
        if pause := part.pause(registers):
            await asyncio.sleep(pause)
        return await self._read_aside(part, registers) if part.slow else part.read(registers)

    async def _part(self, device: Device) -> Part:
        if device.device_id not in self._parts:
            await self.discover()
        try:
            return self._parts[device.device_id]
        except KeyError:
            raise DeviceNotFound(
                f"this machine has no {device.shown_id}",
                device_id=device.device_id,
                hint="dsmilctl device list shows what it has",
            ) from None

    async def _read_aside(self, part: Part, registers: Sequence[Register]) -> list[Answer]:
        """Read in a thread, because a sensor may take its time.

        A read that nobody waits for any more still holds its thread; the next one of the part waits for it,
        so that a part that never answers costs one thread and no more.
        """
        device_id = part.device.device_id
        while device_id in self._underway:
            await asyncio.wait({self._underway[device_id]})
        reading = self._workers.start(partial(part.read, registers))
        self._underway[device_id] = reading
        reading.add_done_callback(partial(self._ended, device_id))
        return await asyncio.shield(reading)

    def _ended(self, device_id: DeviceId, reading: asyncio.Future[list[Answer]]) -> None:
        del self._underway[device_id]
        if not reading.cancelled():
            reading.exception()  # whoever asked may be gone; without this asyncio would complain

    async def read_many(
        self, wanted: Sequence[tuple[Device, Sequence[Register]]]
    ) -> Sequence[Sequence[Answer] | None]:
        """Answers of the parts that answer at once; None for those that may wait."""
        return [self._at_once(device, registers) for device, registers in wanted]

    def _at_once(self, device: Device, registers: Sequence[Register]) -> Sequence[Answer] | None:
        part = self._parts.get(device.device_id)
        if part is None or part.slow or part.pause(registers):
            return None
        try:
            return part.read(registers)
        except DSMILError:
            return None  # asked on its own it raises again, and the lifecycle hears it

    async def safe_many(self, devices: Sequence[Device]) -> Sequence[DSMILError | bool | None]:
        """True for each: nothing here can be steered, so there is nothing to drive to a safe state."""
        return [True] * len(devices)

    async def shutdown(self) -> None:
        """Let go of every open file."""
        for part in self._parts.values():
            self._close(part)
