"""Pumps: a small driver whose devices do as a test tells them, and which remembers what was asked of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from dsmilctl.drivers.contract import Answer, Capability, Command, Driver, DriverContext, NoOptions
from dsmilctl.drivers.lifecycle import Lifecycle
from dsmilctl.drivers.managed import Managed, Reconnect
from dsmilctl.errors import DSMILError
from dsmilctl.model.device import Device
from dsmilctl.model.event import Event
from dsmilctl.model.reading import Span
from dsmilctl.model.register import Register, Value
from dsmilctl.testing.clock import StandingClock

SPEED = Register("SPEED", 0, unit="rpm", minimum=0, maximum=3000)
VALVE = Register("VALVE", 1, access="rw", safe=0)
REGISTERS = (SPEED, VALVE)

Trouble = Callable[[], Exception]


class Pumps(Driver):
    """A driver of pumps.  `trouble` is what a verb on a device raises, `hanging` never come back."""

    name = "pumps"
    capabilities = frozenset({Capability.DISCOVER, Capability.READ, Capability.WRITE, Capability.CONTROL})
    commands: ClassVar[Mapping[str, Command]] = {"prime": Command("prime", "Fill the pump")}

    def __init__(self) -> None:
        super().__init__(NoOptions(), DriverContext(Path("/nonexistent")))
        self.calls: list[tuple[str, str]] = []
        self.trouble: dict[str, Trouble] = {}
        self.hanging: set[str] = set()
        self.values: dict[str, list[Answer]] = {}
        self.release = asyncio.Event()

    async def _do(self, verb: str, device: Device) -> None:
        self.calls.append((verb, device.name))
        if verb in self.trouble:
            raise self.trouble[verb]()
        if verb in self.hanging:
            await self.release.wait()

    def did(self, *verbs: str) -> list[str]:
        """The verbs that were asked, in order; all, or only those given."""
        return [verb for verb, _ in self.calls if not verbs or verb in verbs]

    async def initialize(self, device: Device) -> None:
        await self._do("initialize", device)

    async def open(self, device: Device) -> None:
        await self._do("open", device)

    async def close(self, device: Device) -> None:
        await self._do("close", device)

    async def reset(self, device: Device) -> None:
        await self._do("reset", device)

    async def read(
        self, device: Device, registers: Sequence[Register], span: Span | None = None
    ) -> Sequence[Answer]:
        await self._do("read", device)
        return self.values.get(device.name, [1200, 0])[: len(registers)]

    async def write(self, device: Device, register: Register, value: Value) -> None:
        await self._do("write", device)

    async def command(self, device: Device, name: str, arguments: Mapping[str, Value]) -> Value | None:
        await self._do(name, device)
        return "primed"


class BatchPumps(Pumps):
    """Pumps that need no conversation and answer many at once."""

    capabilities = Pumps.capabilities | {Capability.BATCH}

    def plain(self, device: Device) -> bool:
        return True

    async def read_many(
        self, wanted: Sequence[tuple[Device, Sequence[Register]]]
    ) -> Sequence[Sequence[Answer] | None]:
        for device, _ in wanted:
            await self._do("read_many", device)
        return [self.values.get(device.name, [1200, 0])[: len(registers)] for device, registers in wanted]

    async def safe_many(self, devices: Sequence[Device]) -> Sequence[DSMILError | bool | None]:
        for device in devices:
            await self._do("safe_many", device)
        return [True for _ in devices]


class Plant:
    """Pumps, the lifecycle around them, and every event that it announced."""

    def __init__(
        self, driver: Pumps | None = None, *, pumps: int = 1, reconnect: Reconnect | None = None
    ) -> None:
        self.clock = StandingClock()
        self.events: list[Event] = []
        self.driver = driver or Pumps()
        reconnect = reconnect or Reconnect(jitter=0.0)
        self.lifecycle = Lifecycle(clock=self.clock, reconnect=reconnect, announce=self.events.append)
        devices = [Device(f"pump-{number}", f"pump-{number}", "pumps", REGISTERS) for number in range(pumps)]
        self.pumps = [Managed(device, self.driver, self.clock.now()) for device in devices]
        self.pump = self.pumps[0]

    @property
    def told(self) -> list[str]:
        """The messages of the events so far."""
        return [event.message for event in self.events]
