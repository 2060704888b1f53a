"""Simulated devices as a test wants them: which there are, what their registers hold, how they misbehave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from dsmilctl.drivers.contract import Driver
from dsmilctl.drivers.entry import EntryPoint
from dsmilctl.drivers.registry import Registry
from dsmilctl.drivers.sim.driver import SimDriver
from dsmilctl.drivers.sim.faults import Fault
from dsmilctl.drivers.sim.registers import POSITIONS
from dsmilctl.drivers.sim.signals import State
from dsmilctl.errors import InvalidParameter, NotFound
from dsmilctl.model.device import Device


class Script:
    """What a test has said of its devices; without any device all 84 are there."""

    def __init__(self) -> None:
        self.devices: set[int] = set()
        self.values: dict[int, dict[str, int]] = {}
        self.faults: dict[int, Fault] = {}

    def __bool__(self) -> bool:
        return True  # asked by the driver: there may be a fault at any time

    def of(self, device_id: int) -> Fault | None:
        """The fault of a device, or None."""
        return self.faults.get(device_id)

    def put(self, device_id: int, register: str, value: int) -> None:
        """Have a register hold a value, whatever the simulation would make of it."""
        name = register.upper()
        if name not in POSITIONS:
            raise InvalidParameter(f"no register {register!r}", hint=", ".join(POSITIONS), target=register)
        self.values.setdefault(device_id, {})[name] = value


class ScriptedDriver(SimDriver):
    """The simulator, with a script that goes before everything else."""

    script: ClassVar[Script]

    async def discover(self) -> Sequence[Device]:
        """The devices of the script, or all."""
        self._faults = self.script  # type: ignore[assignment] # it answers the same two questions
        found = await super().discover()
        wanted = self.script.devices
        return [device for device in found if not wanted or device.device_id in wanted]

    def plain(self, device: Device) -> bool:
        """A fault may come at any time, so every device has a conversation to open."""
        return False

    def _state(self, number: int, moment: float) -> State:
        state = super()._state(number, moment)
        said = self.script.values.get(number)
        if not said:
            return state
        words = list(state)
        for name, value in said.items():
            words[POSITIONS[name]] = value
        return tuple(words)  # type: ignore[return-value] # as many words as before


class ScriptedRegistry(Registry):
    """A registry with one driver: simulated devices under a script."""

    def __init__(self, script: Script) -> None:
        super().__init__(None)
        self._driver = type("ScriptedSim", (ScriptedDriver,), {"script": script})

    def entries(self) -> dict[str, EntryPoint]:
        """The one driver."""
        return {"sim": EntryPoint("sim", "dsmilctl.testing.simulated:ScriptedDriver", "dsmilctl", "")}

    def load(self, name: str) -> type[Driver]:
        """The one driver; raises NotFound for any other name."""
        if name != "sim":
            raise NotFound(f"no driver {name!r}", target=name)
        return self._driver
