"""A rack: devices in memory that do as a test tells them, and a record of all that reached them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import msgspec

from dsmilctl.client.local import LocalClient
from dsmilctl.client.local_drivers import InstalledDrivers
from dsmilctl.client.opening import Opening
from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.config.contexts import Context, DriverUse
from dsmilctl.config.paths import Paths
from dsmilctl.config.settings import DEFAULTS
from dsmilctl.drivers.contract import Answer, Capability, Command, Driver, Parameter
from dsmilctl.drivers.registry import EntryPoint, Registry
from dsmilctl.errors import ConfigError, NotFound
from dsmilctl.fleet.switches import Switches
from dsmilctl.model.device import Device, DeviceId, Risk
from dsmilctl.model.emergency import Stop, StopOutcome
from dsmilctl.model.identity import Identity
from dsmilctl.model.operation import OperationType, Request
from dsmilctl.model.reading import Span
from dsmilctl.model.register import Register, Value

WHY = "the night shift asked for it"

SPEED = Register("SPEED", 0, type="f64", unit="rpm", minimum=0, maximum=3000)
LEVEL = Register("LEVEL", 1, type="u16", access="rw", minimum=0, maximum=1000, step=5, safe=0)
MODE = Register("MODE", 2, type="u8", access="rw", choices=(0, 1, 2), safe=0)
FLAGS = Register("FLAGS", 3, type="u8", access="rw", mask=0x0F, hexadecimal=True)
SETPOINT = Register("SETPOINT", 4, type="f64", unit="bar", access="rw", tolerance=0.1)
PULSE = Register("PULSE", 5, type="u8", access="rw", volatile=True)
HORN = Register("HORN", 6, type="u8", access="wo")
REGISTERS = (SPEED, LEVEL, MODE, FLAGS, SETPOINT, PULSE, HORN)
SAFE = {"LEVEL": 0, "MODE": 0}


class Telegram(msgspec.Struct, frozen=True):
    """Something that reached a device, and when (nanoseconds UTC)."""

    time: int
    device_id: DeviceId
    what: str
    value: Any


class Rack:
    """Devices, what they hold, how they misbehave, and the wire.

    `faults` are by device, or by device and verb: `silent` never answers, `mute` does it and never answers,
    `refused` and `broken` fail, `slow` takes `delay` seconds, `reset` does it and breaks the connection,
    `ignores`, `rounds` and `noisy` are about what a write leaves behind.
    """

    def __init__(self, count: int = 4, clock: Clock = SYSTEM, *, name: str = "rack") -> None:
        self.name = name
        self.clock = clock
        self.devices = [self._device(number) for number in range(count)]
        self.values: dict[tuple[DeviceId, str], Value] = {}
        self.faults: dict[DeviceId | tuple[DeviceId, str], str] = {}
        self.wire: list[Telegram] = []
        self.asked: list[tuple[str, DeviceId]] = []
        self.at_work: dict[DeviceId, int] = {}
        self.most_at_work = 0
        self.silent_after_write: set[DeviceId] = set()
        self.delay = 0.05
        self.discovery: Exception | float | None = None

    def _device(self, number: int) -> Device:
        risks = (Risk.LOW, Risk.MEDIUM, Risk.HIGH, Risk.CRITICAL)
        return Device(
            f"{self.name}-{number}", f"valve {number}", self.name, REGISTERS, risk=risks[number % 4]
        )

    def change(self, number: int = 0, **facts: Any) -> None:
        """Describe a device differently: its risk, its registers, whether it is quarantined."""
        self.devices[number] = msgspec.structs.replace(self.devices[number], **facts)

    def written(self, what: str = "") -> list[Any]:
        """The values that reached devices, in order; of one register or command, or all."""
        return [telegram.value for telegram in self.wire if what in ("", telegram.what)]

    def unsafe_after(self, moment: int) -> list[Telegram]:
        """What reached a device after a moment and is not its safe state."""
        return [
            item for item in self.wire if item.time > moment and SAFE.get(item.what, object()) != item.value
        ]

    def fault(self, device_id: DeviceId, verb: str) -> str:
        return self.faults.get((device_id, verb)) or self.faults.get(device_id, "")

    def get(self, device_id: DeviceId, register: str) -> Value:
        return self.values.get((device_id, register), 0)

    async def suffer(self, device: Device, verb: str) -> str:
        """Wait or fail as the fault of this device wants; the fault, where it is one of the others."""
        self.asked.append((verb, device.device_id))
        fault = self.fault(device.device_id, verb)
        if fault == "silent":
            await asyncio.Event().wait()
        if fault == "refused":
            raise ConnectionRefusedError(f"{device.device_id} refuses")
        if fault == "broken":
            raise RuntimeError("a wire came off")
        if fault == "slow":
            await asyncio.sleep(self.delay)
        return fault

    async def take(self, device: Device, what: str, value: Any) -> None:
        """Something reached a device: note it, and misbehave afterwards where that is wanted."""
        device_id = device.device_id
        counted = int(SAFE.get(what, object()) != value)  # a stop waits for nobody
        self.at_work[device_id] = self.at_work.get(device_id, 0) + counted
        self.most_at_work = max(self.most_at_work, self.at_work[device_id])
        try:
            fault = await self.suffer(device, "write")
            self.wire.append(Telegram(self.clock.now(), device_id, what, value))
            if fault != "ignores" and isinstance(value, (int, float)):
                self.values[device_id, what] = self._kept(fault, value)
            if fault == "mute":
                await asyncio.Event().wait()
            if fault == "reset":
                raise ConnectionResetError(f"{device_id} hung up")
            await asyncio.sleep(0)
            if device_id in self.silent_after_write:
                self.faults[device_id, "read"] = "silent"
        finally:
            self.at_work[device_id] -= counted

    @staticmethod
    def _kept(fault: str, value: float) -> Value:
        if fault == "rounds":
            return round(value, 1)
        return int(value) | 0xF0 if fault == "noisy" else value

    def driver(self) -> type[Driver]:
        """A driver of this rack."""
        return type(f"{self.name.title()}Driver", (RackDriver,), {"rack": self, "name": self.name})

    def batch_driver(self) -> type[Driver]:
        """A driver of this rack that asks and stops all devices in one go."""
        return type(f"{self.name.title()}Driver", (BatchRackDriver,), {"rack": self, "name": self.name})


class RackDriver(Driver):
    """Speaks to a rack, one device at a time."""

    name = "rack"
    rack: ClassVar[Rack]
    capabilities = frozenset({Capability.DISCOVER, Capability.READ, Capability.WRITE, Capability.CONTROL})
    commands: ClassVar[Mapping[str, Command]] = {
        "activate": Command("activate", "Put into service", operation=OperationType.ACTIVATE),
        "configure": Command(
            "configure", "Keep settings", operation=OperationType.CONFIG, any_parameter=True
        ),
        "purge": Command(
            "purge",
            "Open every valve",
            "danger",
            OperationType.RESET,
            (Parameter("seconds", "int", required=True), Parameter("gently", "bool")),
        ),
        "whoami": Command("whoami", "Say the name", "read"),
    }

    async def discover(self) -> Sequence[Device]:
        if isinstance(self.rack.discovery, Exception):
            raise self.rack.discovery
        if self.rack.discovery is not None:
            await asyncio.sleep(self.rack.discovery)
        return self.rack.devices

    async def open(self, device: Device) -> None:
        await self.rack.suffer(device, "open")

    async def close(self, device: Device) -> None:
        await self.rack.suffer(device, "close")

    async def reset(self, device: Device) -> None:
        await self.rack.take(device, "reset", None)

    async def read(
        self, device: Device, registers: Sequence[Register], span: Span | None = None
    ) -> Sequence[Answer]:
        await self.rack.suffer(device, "read")
        return [self.rack.get(device.device_id, register.name) for register in registers]

    async def write(self, device: Device, register: Register, value: Value) -> None:
        await self.rack.take(device, register.name, value)

    async def command(self, device: Device, name: str, arguments: Mapping[str, Value]) -> Value | None:
        await self.rack.take(device, name, dict(arguments))
        return device.name if name == "whoami" else None


class BatchRackDriver(RackDriver):
    """Speaks to all devices of a rack at once, but for those with a fault."""

    capabilities = RackDriver.capabilities | {Capability.BATCH}

    def plain(self, device: Device) -> bool:
        return not self.rack.fault(device.device_id, "open")

    async def read_many(
        self, wanted: Sequence[tuple[Device, Sequence[Register]]]
    ) -> Sequence[Sequence[Answer] | None]:
        if fault := self.rack.faults.get("read_many"):
            raise RuntimeError(fault)
        return [
            None
            if self.rack.fault(device.device_id, "read")
            else [self.rack.get(device.device_id, register.name) for register in registers]
            for device, registers in wanted
        ]

    async def safe_many(self, devices: Sequence[Device]) -> Sequence[Any]:
        answers: list[bool | None] = []
        for device in devices:
            faulty = bool(self.rack.fault(device.device_id, "write"))
            answers.append(None if faulty else True)
            for register, value in {} if faulty else SAFE.items():
                await self.rack.take(device, register, value)
        return answers


class Shelf(Registry):
    """The drivers that a test has installed; one that is an error cannot be loaded."""

    def __init__(self, **drivers: type[Driver] | ConfigError) -> None:
        super().__init__()
        self._kinds = drivers

    def entries(self) -> dict[str, EntryPoint]:
        return {name: EntryPoint(name, f"tests:{name}", "tests", "1.0") for name in self._kinds}

    def load(self, name: str) -> type[Driver]:
        kind = self._kinds.get(name)
        if kind is None:
            raise NotFound(f"no driver {name!r}")
        if isinstance(kind, ConfigError):
            raise kind
        return kind


class Lab:
    """Clients over racks, all in one home: each is what another process would be."""

    def __init__(self, folders: Paths, *racks: Rack, clock: Clock = SYSTEM, batch: bool = False) -> None:
        self.folders = folders
        self.clock = clock
        self.registry = Shelf(
            **{rack.name: rack.batch_driver() if batch else rack.driver() for rack in racks}
        )
        self.context = Context(
            name="lab", drivers=tuple(DriverUse(rack.name) for rack in racks), target="racks", fleet="lab"
        )

    def client(
        self, *, read_only: bool = False, timeout: float = 0.5, identity: Identity | None = None
    ) -> LocalClient:
        """A client that is not open yet."""
        switches = Switches(self.folders.driver_switches_file)
        return Opening(
            context=self.context,
            settings=DEFAULTS,
            folders=self.folders,
            registry=self.registry,
            installed=InstalledDrivers(self.registry, switches, self.clock),
            identity=identity or Identity("ada", "bench"),
            read_only=read_only,
            timeout=timeout,
            clock=self.clock,
        ).client()

    def policy(self, text: str) -> None:
        """Write the policy; it is in force for clients that are made afterwards."""
        self.folders.policy_file.parent.mkdir(parents=True, exist_ok=True)
        self.folders.policy_file.write_text(text)


def write(device_id: DeviceId, register: str = "LEVEL", value: Value | None = 5, **facts: Any) -> Request:
    """A write as somebody asks for it."""
    given: dict[str, Any] = {"justification": WHY} | facts
    return Request(device_id=device_id, type=OperationType.WRITE, register=register, value=value, **given)


def order(device_id: DeviceId, kind: OperationType, command: str = "", **facts: Any) -> Request:
    """A change that is no write."""
    given: dict[str, Any] = {"justification": WHY} | facts
    return Request(device_id=device_id, type=kind, command=command, **given)


def outcomes(stop: Stop) -> dict[object, StopOutcome]:
    """What is known of each device after a stop."""
    return {item.device_id: item.outcome for item in stop.confirmations}
