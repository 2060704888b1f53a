"""Processes for tests: programs over the simulator in a home of their own, and what reached its devices."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

from dsmilctl.client.local import LocalClient
from dsmilctl.client.local_drivers import InstalledDrivers
from dsmilctl.client.opening import Opening
from dsmilctl.clock import SYSTEM
from dsmilctl.config.contexts import Context, DriverUse
from dsmilctl.config.paths import Paths
from dsmilctl.config.settings import DEFAULTS, Settings
from dsmilctl.drivers.registry import Registry
from dsmilctl.fleet.switches import Switches
from dsmilctl.model.identity import Identity

ROOT = Path(__file__).parents[2]
BINARY = str(Path(sys.executable).with_name("dsmilctl"))
SAFE = {"CONFIG": 0x8000_0000, "DATA": 0}
WHY = "the night shift asked for it"


class Line(msgspec.Struct, frozen=True):
    """One change that reached a simulated device: when (nanoseconds UTC), from which process, what."""

    time: int
    process: int
    device: str
    register: str
    value: Any

    @property
    def safe(self) -> bool:
        """Whether it is part of the safe state."""
        return bool(SAFE.get(self.register) == self.value)


class Site:
    """A home with simulated devices, in which processes are started."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.wire_log = folder / "wire.log"
        self.options = {"wire_log": str(self.wire_log)} | options
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DSMIL_")}
        options = json.dumps(self.options)
        return kept | {"DSMIL_HOME": str(self.home), "DSMIL_SIM_OPTIONS": options, "HOME": str(self.folder)}

    def start(self, program: str, *arguments: object, prefix: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        """A Python program, with pipes to its input and output."""
        return subprocess.Popen(
            [*prefix, sys.executable, "-c", program, *map(str, arguments)],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, program: str, *arguments: object, prefix: tuple[str, ...] = ()) -> Any:
        """What a Python program prints as JSON."""
        with self.start(program, *arguments, prefix=prefix) as process:
            output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output
        return json.loads(output)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command line, run to its end."""
        return subprocess.run(
            [BINARY, "-C", "sim", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def wire(self) -> list[Line]:
        """All that reached devices so far, in order."""
        if not self.wire_log.exists():
            return []
        lines = []
        for text in self.wire_log.read_text().splitlines():
            time, process, device, register, value = text.split(" ", 4)
            lines.append(Line(int(time), int(process), device, register, json.loads(value)))
        return lines


def finish(process: subprocess.Popen[str], timeout: float = 60) -> str:
    """The rest of what a process prints; asserts that it ended well."""
    output, _ = process.communicate(timeout=timeout)
    assert process.returncode == 0
    return output


def simulated(
    home: Paths, folder: Path, *, timeout: float = 5.0, settings: Settings = DEFAULTS, **options: Any
) -> LocalClient:
    """A client over simulated devices whose wire is written down in `folder`."""
    registry = Registry()
    given = {"wire_log": str(folder / "wire.log")} | options
    return Opening(
        context=Context(name="sim", drivers=(DriverUse("sim", given),), target="sim", fleet="sim"),
        settings=settings,
        folders=home,
        registry=registry,
        installed=InstalledDrivers(registry, Switches(home.driver_switches_file)),
        identity=Identity("ada", "bench"),
        read_only=False,
        timeout=timeout,
        clock=SYSTEM,
    ).client()


def unsafe(lines: list[Line], after: int) -> list[Line]:
    return [line for line in lines if line.time > after and not line.safe]
