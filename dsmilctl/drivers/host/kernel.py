"""Kernel: the kernel's own messages, counted by level, from `/dev/kmsg` or from the journal."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from dsmilctl.clock import NANOSECONDS
from dsmilctl.drivers.contract import Answer
from dsmilctl.drivers.host.journal import Journal
from dsmilctl.drivers.host.machine import Absent, Machine, Nonsense, decimal, text
from dsmilctl.drivers.host.message import ERROR, WARNING, KernelMessage, MessageSource
from dsmilctl.drivers.host.part import Part, numbered
from dsmilctl.drivers.host.program import installed
from dsmilctl.drivers.host.ring import Ring
from dsmilctl.model.device import Device
from dsmilctl.model.register import Register

_SOURCE = "Source: Documentation/ABI/testing/dev-kmsg"
REGISTERS = numbered([
    Register("errors", type="u64", unit="messages", description=f"of level 0 to 3. {_SOURCE}"),
    Register("warnings", type="u64", unit="messages", description=f"of level 4. {_SOURCE}"),
    Register("messages", type="u64", unit="messages", description=f"of any level. {_SOURCE}"),
    Register("lost", type="u64", unit="messages", description=f"overwritten before being read. {_SOURCE}"),
    Register("last_message", type="str", description=f"the newest, empty when there is none. {_SOURCE}"),
    Register("last_error", type="str", description=f"the newest of level 0 to 3, or empty. {_SOURCE}"),
    Register("recent", type="str", description=f"the newest, JSON: number, ns UTC, level, text. {_SOURCE}"),
])  # fmt: skip
RECENT = 256
"""How many messages `recent` holds at most."""


def find_kernel(machine: Machine) -> Iterable[Part]:
    """The device `kernel`; raises Absent where neither source may be read."""
    source, place = _source(machine)
    device = Device(
        "kernel", "kernel messages", "host", REGISTERS, group="system", default_register="errors",
        key_registers=("errors", "warnings"), facts=(("source", place),),
    )  # fmt: skip
    anchor = source.path if isinstance(source, Ring) else machine.root
    return [Kernel(device, anchor, source, machine)]


def _source(machine: Machine) -> tuple[MessageSource, str]:
    ring = Ring(machine.path("dev/kmsg"))
    refusal = ""
    if machine.options.kernel != "journal":
        refusal = _refusal(ring.path)
        if not refusal:
            return ring, str(ring.path)
    if machine.options.kernel == "kmsg" or (machine.options.kernel == "auto" and not machine.real):
        raise Absent(refusal)
    if installed(machine.options.journalctl):
        return Journal(machine.options.journalctl), machine.options.journalctl
    raise Absent(f"{refusal}; {machine.options.journalctl} is not installed".removeprefix("; "))


def _refusal(path: Path) -> str:
    """Why messages cannot be read here, or nothing."""
    try:
        text(path, 0)
    except FileNotFoundError:
        return f"{path} does not exist"
    except OSError as error:
        hint = " (kernel.dmesg_restrict)" if isinstance(error, PermissionError) else ""
        return f"{path} cannot be read: {error.strerror}{hint}"
    return ""


class Kernel(Part):
    """Counts the kernel's messages as they come; other programs' lines in the ring are left out."""

    slow = True

    def __init__(self, device: Device, anchor: Path, source: MessageSource, machine: Machine) -> None:
        super().__init__(device, anchor)
        self._source = source
        self._machine = machine
        self._recent: deque[tuple[int, int, int, str]] = deque(maxlen=RECENT)
        self._counts = {"errors": 0, "warnings": 0, "messages": 0}
        self._last = {"last_message": "", "last_error": ""}
        self._lock = threading.Lock()

    def measure(self, wanted: Sequence[Register]) -> Mapping[str, Answer | None]:
        """What was counted so far."""
        with self._lock:
            boot = self._boot()
            for message in self._source.new():
                if message.facility == 0:
                    self._count(message, boot)
            counted: dict[str, Answer | None] = {**self._counts, **self._last, "lost": self._source.lost}
            if any(register.name == "recent" for register in wanted):
                counted["recent"] = msgspec.json.encode(list(self._recent)).decode()
            return counted

    def _boot(self) -> int:
        """When the machine was started, in nanoseconds UTC by its clock as it is now."""
        try:
            uptime = decimal(self._machine.text("proc/uptime", 200).partition(" ")[0])
        except (OSError, Nonsense):
            uptime = 0.0
        return self._machine.clock.now() - round(uptime * NANOSECONDS)

    def _count(self, message: KernelMessage, boot: int) -> None:
        self._counts["messages"] += 1
        wall = boot + message.timestamp * 1000 if message.wall is None else message.wall
        self._recent.append((self._counts["messages"], wall, message.level, message.text))
        self._last["last_message"] = message.text
        if message.level <= ERROR:
            self._counts["errors"] += 1
            self._last["last_error"] = message.text
        elif message.level == WARNING:
            self._counts["warnings"] += 1

    def close(self) -> None:
        """Close the source and begin to count anew."""
        with self._lock:
            self._source.close()
            self._counts = dict.fromkeys(self._counts, 0)
            self._last = dict.fromkeys(self._last, "")
            self._recent.clear()
