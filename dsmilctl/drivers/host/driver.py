"""HostDriver: finds the parts of this machine and reads them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from dsmilctl.drivers.contract import Answer, Capability, Driver, DriverContext
from dsmilctl.drivers.host.disks import find_disks
from dsmilctl.drivers.host.hwmon import find_chips
from dsmilctl.drivers.host.machine import Machine
from dsmilctl.drivers.host.network import find_interfaces
from dsmilctl.drivers.host.part import Part
from dsmilctl.drivers.host.processor import find_processor
from dsmilctl.drivers.host.system import find_load, find_memory, find_processes
from dsmilctl.drivers.host.thermal import find_cooling, find_fans, find_zones
from dsmilctl.errors import DeviceBusy, DeviceNotFound, DSMILError
from dsmilctl.model.device import Device, DeviceId
from dsmilctl.model.reading import Span
from dsmilctl.model.register import Register


class HostOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Options of the host driver: `root` is the folder that has the machine's `proc`, `sys` and `dev`."""

    root: str = "/"


class HostDriver(Driver):
    """This machine: processors, memory, load, processes, disks, network, sensors, fans, kernel and tokens.

    Only what the kernel tells is a device; `absent` says what was looked for and is not there.
    """

    name = "host"
    version = "1.0"
    summary = "this machine: processors, memory, disks, network, sensors, fans, kernel messages, tokens"
    options = HostOptions
    capabilities = frozenset({Capability.DISCOVER, Capability.READ, Capability.BATCH})

    def __init__(self, options: HostOptions, context: DriverContext) -> None:
        super().__init__(options, context)
        self._machine = Machine(options.root)
        self._parts: dict[DeviceId, Part] = {}
        self._absent: dict[str, str] | None = None
        self._underway: set[DeviceId] = set()

    async def discover(self) -> Sequence[Device]:
        """Every part of this machine that is there, in a stable order."""
        found: dict[DeviceId, Part] = {}
        absent: dict[str, str] = {}
        for room in ROOMS:
            parts = list(room.find(self))
            found |= {part.device.device_id: self._known(part) for part in parts}
            if not parts:
                absent[room.kind] = self._machine.why_absent(room.place, room.what)
        self._parts, self._absent = found, absent
        return [part.device for part in found.values()]

    def _known(self, part: Part) -> Part:
        """The part that is known already, with what it remembers, when it looks the same."""
        known = self._parts.get(part.device.device_id)
        return known if known is not None and known.device == part.device else part

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
        if not part.slow:
            return part.read(registers)
        return await self._read_aside(part, registers)

    async def _read_aside(self, part: Part, registers: Sequence[Register]) -> list[Answer]:
        """Read in a thread, because the kernel may take its time; never two at once for one part."""
        device_id = part.device.device_id
        if device_id in self._underway:
            raise DeviceBusy(f"{device_id}: the kernel has not answered an earlier read", device_id=device_id)

        def measure() -> list[Answer]:
            try:
                return part.read(registers)
            finally:
                self._underway.discard(device_id)

        self._underway.add(device_id)
        return await asyncio.to_thread(measure)

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

    async def shutdown(self) -> None:
        """Let go of every open file."""
        for part in self._parts.values():
            part.close()


class Room(msgspec.Struct, frozen=True):
    """One kind of part: how it is found, where it would be, and what would be there."""

    kind: str
    find: Callable[[HostDriver], Iterable[Part]]
    place: str
    what: str


def _in_files(find: Callable[[Machine], Iterable[Part]]) -> Callable[[HostDriver], Iterable[Part]]:
    return lambda driver: find(driver._machine)


def _processor(driver: HostDriver) -> Iterable[Part]:
    return find_processor(driver._machine, driver.context.clock)


ROOMS: tuple[Room, ...] = (
    Room("cpu", _processor, "proc/stat", "processors"),
    Room("memory", _in_files(find_memory), "proc/meminfo", "memory"),
    Room("load", _in_files(find_load), "proc/loadavg", "load"),
    Room("processes", _in_files(find_processes), "proc/stat", "processes"),
    Room("disk", _in_files(find_disks), "proc/self/mountinfo", "local filesystem"),
    Room("net", _in_files(find_interfaces), "proc/net/dev", "network interface"),
    Room("hwmon", _in_files(find_chips), "sys/class/hwmon", "sensor chip"),
    Room("thermal", _in_files(find_zones), "sys/class/thermal", "thermal zone"),
    Room("fan", _in_files(find_fans), "sys/class/hwmon", "fan"),
    Room("cooling", _in_files(find_cooling), "sys/class/thermal", "cooling device"),
)
