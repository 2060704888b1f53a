"""System: memory, load averages and processes, each told by one or two small files of the kernel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from dsmilctl.drivers.contract import Answer
from dsmilctl.drivers.host.machine import Machine, Nonsense, decimal, text, whole
from dsmilctl.drivers.host.part import Part, numbered
from dsmilctl.model.device import Device
from dsmilctl.model.register import Register

_LOADAVG = "Source: proc_loadavg(5)"
_MEMINFO = "Source: proc_meminfo(5)"
_STAT = "Source: proc_stat(5)"

LOAD = numbered([
    Register(
        f"load{minutes}", type="f64", unit="processes", minimum=0,
        description=f"processes that ran or waited for a disk, mean of {minutes} min. {_LOADAVG}",
    )
    for minutes in (1, 5, 15)
])  # fmt: skip


def find_load(machine: Machine) -> Iterable[Part]:
    """The device `load`.  Source: proc_loadavg(5)."""
    anchor = machine.path("proc/loadavg")
    if anchor.is_file():
        yield Load(load_device(LOAD), anchor)


def load_device(registers: tuple[Register, ...]) -> Device:
    """The device `load`."""
    return Device(
        "load", "load average", "host", registers, group="system", default_register="load1",
        key_registers=("load1", "load5", "load15"),
    )  # fmt: skip


class Load(Part):
    """The load averages."""

    def measure(self, wanted: Sequence[Register]) -> Mapping[str, Answer | None]:
        """Three numbers of one line."""
        fields = text(self.anchor).split()
        return {
            register.name: self.attempt(register.name, self.anchor, decimal, field)
            for register, field in zip(LOAD, fields, strict=False)
        }


_KIBIBYTES = {
    "total": ("MemTotal", "memory that the kernel can use"),
    "available": ("MemAvailable", "memory that programs can get without swapping"),
    "free": ("MemFree", "memory that nothing uses"),
    "buffers": ("Buffers", "memory that holds raw blocks of disks"),
    "cached": ("Cached", "memory that holds files"),
    "swap_total": ("SwapTotal", "swap space"),
    "swap_free": ("SwapFree", "swap space that nothing uses"),
}

MEMORY = numbered([
    Register(
        "used_percent", type="f64", unit="%", minimum=0, maximum=100,
        description=f"the part of the memory that programs cannot get any more. {_MEMINFO}",
    ),
    Register("used", type="u64", unit="bytes", description=f"total less available. {_MEMINFO}"),
    *(
        Register(name, type="u64", unit="bytes", description=f"{what} ({field}). {_MEMINFO}")
        for name, (field, what) in _KIBIBYTES.items()
    ),
    Register("swap_used", type="u64", unit="bytes", description=f"swap_total less swap_free. {_MEMINFO}"),
])  # fmt: skip


def find_memory(machine: Machine) -> Iterable[Part]:
    """The device `memory`.  Source: proc_meminfo(5)."""
    anchor = machine.path("proc/meminfo")
    if anchor.is_file():
        yield Memory(memory_device(MEMORY), anchor)


def memory_device(registers: tuple[Register, ...]) -> Device:
    """The device `memory`."""
    return Device(
        "memory", "memory", "host", registers, group="system", default_register="used_percent",
        key_registers=("used_percent", "available"),
    )  # fmt: skip


class Memory(Part):
    """Memory and swap."""

    def measure(self, wanted: Sequence[Register]) -> Mapping[str, Answer | None]:
        """The fields of `/proc/meminfo` in bytes, and what follows from them."""
        rows = dict(row.partition(":")[::2] for row in text(self.anchor).splitlines())
        answers: dict[str, Answer | None] = {
            name: self.attempt(name, self.anchor, _bytes, rows[field])
            for name, (field, _) in _KIBIBYTES.items()
            if field in rows
        }
        total, available = answers.get("total"), answers.get("available")
        if isinstance(total, int) and isinstance(available, int) and 0 <= available <= total and total:
            answers["used"] = total - available
            answers["used_percent"] = 100.0 * (total - available) / total
        whole_swap, free_swap = answers.get("swap_total"), answers.get("swap_free")
        if isinstance(whole_swap, int) and isinstance(free_swap, int):
            answers["swap_used"] = whole_swap - free_swap
        return answers


def _bytes(row: str) -> int:
    number, _, unit = row.strip().partition(" ")
    if unit.strip() != "kB":
        raise Nonsense(f"{row.strip()!r} is not in kB")
    return whole(number) * 1024


_PROCESSES = {
    "running": ("procs_running", "threads that run or could run"),
    "blocked": ("procs_blocked", "threads that wait for a disk"),
    "created": ("processes", "processes and threads started since boot"),
}

PROCESSES = numbered([
    Register("count", type="u32", unit="processes", description="processes now. Source: proc(5)"),
    Register("threads", type="u32", unit="threads", description=f"threads now. {_LOADAVG}"),
    *(
        Register(name, type="u64", unit="threads", description=f"{what} ({field}). {_STAT}")
        for name, (field, what) in _PROCESSES.items()
    ),
    Register("uptime", type="f64", unit="s", minimum=0, description="since boot. Source: proc_uptime(5)"),
])  # fmt: skip


def find_processes(machine: Machine) -> Iterable[Part]:
    """The device `processes`.  Source: proc(5), proc_stat(5), proc_uptime(5)."""
    anchor = machine.path("proc")
    if (anchor / "stat").is_file():
        yield Processes(processes_device(PROCESSES), anchor)


def processes_device(registers: tuple[Register, ...]) -> Device:
    """The device `processes`."""
    told = {register.name for register in registers}
    return Device(
        "processes", "processes", "host", registers, group="system", default_register="count",
        key_registers=tuple(name for name in ("count", "running", "uptime") if name in told),
    )  # fmt: skip


class Processes(Part):
    """How many processes there are and how long the machine runs."""

    def measure(self, wanted: Sequence[Register]) -> Mapping[str, Answer | None]:
        """As much as is asked for: counting the processes is a listing of a large folder."""
        ways = {"count": self._count, "threads": self._threads, "uptime": self._uptime}
        asked = {register.name for register in wanted}
        answers: dict[str, Answer | None] = {
            name: self.attempt(name, self.anchor, way) for name, way in ways.items() if name in asked
        }
        if asked & _PROCESSES.keys():
            answers |= self._totals()
        return answers

    def _count(self) -> int:
        return sum(entry.name.isdecimal() for entry in self.anchor.iterdir())

    def _threads(self) -> int:
        fields = text(self.anchor / "loadavg").split()
        if len(fields) < 4:
            raise Nonsense("loadavg has no fourth field")
        return whole(fields[3].partition("/")[2])

    def _uptime(self) -> float:
        return decimal(text(self.anchor / "uptime").partition(" ")[0])

    def _totals(self) -> dict[str, Answer | None]:
        rows = dict(row.partition(" ")[::2] for row in text(self.anchor / "stat").splitlines())
        return {
            name: self.attempt(name, self.anchor / "stat", whole, rows[field])
            for name, (field, _) in _PROCESSES.items()
            if field in rows
        }
