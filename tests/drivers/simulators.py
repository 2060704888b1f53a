"""Simulators for tests: drivers on a clock that stands, and programs that run one in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dsmilctl.clock import Clock
from dsmilctl.drivers.contract import DriverContext
from dsmilctl.drivers.sim import SimDriver
from dsmilctl.drivers.sim.options import SimOptions
from dsmilctl.drivers.sim.registers import REGISTERS
from dsmilctl.model.device import Device
from dsmilctl.model.register import Register, find_register
from dsmilctl.testing.clock import StandingClock

ROOT = Path(__file__).parents[2]
STATUS, CONFIG, DATA, TEMP, VOLTAGE, ERROR = REGISTERS


def simulator(state: Path, clock: Clock | None = None, **options: Any) -> SimDriver:
    """A simulator that keeps its state in a folder; time stands still unless a clock is given."""
    return SimDriver(SimOptions(**options), DriverContext(state, clock or StandingClock()))


async def values(driver: SimDriver, device: Device, *names: str) -> list[Any]:
    """What registers of a device hold, all of them without names."""
    registers: Sequence[Register] = [find_register(REGISTERS, name) for name in names] or REGISTERS
    return list(await driver.read(device, registers))


async def one(driver: SimDriver, device_id: int = 0x8000) -> Device:
    """One device by its id."""
    return next(device for device in await driver.discover() if device.device_id == device_id)


def start(program: str, *arguments: object) -> subprocess.Popen[str]:
    """A program that runs in a process of its own, with its output at hand."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def elsewhere(program: str, *arguments: object, timeout: float = 60) -> Any:
    """What a program prints as JSON that runs in a process of its own."""
    with start(program, *arguments) as running:
        output, _ = running.communicate(timeout=timeout)
    assert running.returncode == 0
    return json.loads(output)
