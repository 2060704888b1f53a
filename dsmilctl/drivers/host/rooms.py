"""Rooms: which kinds of parts are looked for on a machine, and how."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from dsmilctl.drivers.host.machine import Absent, Machine, names
from dsmilctl.drivers.host.part import Part


class Room(msgspec.Struct, frozen=True):
    """One kind of part: how it is found, where it would be, and what would be there.

    Searching a `slow` room asks sensors for their labels and limits, or runs a program.
    """

    kind: str
    find: Callable[[Machine], Iterable[Part]]
    place: str
    what: str
    slow: bool = False

    def search(self, machine: Machine) -> list[Part]:
        """The parts of this kind; raises Absent where there are none, or the search failed."""
        try:
            parts = list(self.find(machine))
        except (OSError, ValueError) as error:
            raise Absent(f"looking for a {self.what} failed: {error}") from error
        if not parts:
            raise Absent(machine.why_absent(self.place, self.what))
        return parts


def rooms(machine: Machine) -> tuple[Room, ...]:
    """The rooms of a machine: the kernel's files where it has them, else psutil."""
    source = machine.options.source
    foreign = source == "auto" and machine.real and not machine.path("proc").is_dir()
    return (_by_psutil() if source == "psutil" or foreign else _in_files(machine)) + _sensors(machine)


def _has(machine: Machine, folder: str) -> bool:
    return bool(names(machine.path(folder)))


def _in_files(machine: Machine) -> tuple[Room, ...]:
    from dsmilctl.drivers.host.disks import find_disks
    from dsmilctl.drivers.host.network import find_interfaces
    from dsmilctl.drivers.host.processor import find_processor
    from dsmilctl.drivers.host.system import find_load, find_memory, find_processes

    return (
        Room("cpu", find_processor, "proc/stat", "processor", slow=_has(machine, "sys/class/hwmon")),
        Room("memory", find_memory, "proc/meminfo", "memory"),
        Room("load", find_load, "proc/loadavg", "load average"),
        Room("processes", find_processes, "proc/stat", "processes"),
        Room("disk", find_disks, "proc/self/mountinfo", "local filesystem"),
        Room("net", find_interfaces, "proc/net/dev", "network interface"),
    )


def _by_psutil() -> tuple[Room, ...]:
    from dsmilctl.drivers.host import portable

    return (
        Room("cpu", portable.find_processor, "", "processor"),
        Room("memory", portable.find_memory, "", "memory"),
        Room("load", portable.find_load, "", "load average"),
        Room("processes", portable.find_processes, "", "processes"),
        Room("disk", portable.find_disks, "", "local filesystem"),
        Room("net", portable.find_interfaces, "", "network interface"),
    )


def _sensors(machine: Machine) -> tuple[Room, ...]:
    from dsmilctl.drivers.host.hwmon import find_chips
    from dsmilctl.drivers.host.kernel import find_kernel
    from dsmilctl.drivers.host.thermal import find_cooling, find_fans, find_zones
    from dsmilctl.drivers.host.tokens import find_tokens, token_folders, tool_serves

    chips, zones = _has(machine, "sys/class/hwmon"), _has(machine, "sys/class/thermal")
    return (
        Room("hwmon", find_chips, "sys/class/hwmon", "sensor chip", slow=chips),
        Room("thermal", find_zones, "sys/class/thermal", "thermal zone", slow=zones),
        Room("fan", find_fans, "sys/class/hwmon", "fan", slow=chips),
        Room("cooling", find_cooling, "sys/class/thermal", "cooling device"),
        Room("kernel", find_kernel, "dev/kmsg", "kernel messages"),
        Room(
            "tokens",
            find_tokens,
            "sys/devices/platform",
            "Dell SMBIOS tokens",
            slow=tool_serves(machine) or bool(machine.once(token_folders)),
        ),
    )
