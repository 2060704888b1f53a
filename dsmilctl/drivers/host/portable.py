"""Portable: the same devices by way of psutil, for systems without the kernel's files (macOS)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from dsmilctl.clock import NANOSECONDS
from dsmilctl.drivers.contract import Answer
from dsmilctl.drivers.host.disks import SPACE, space
from dsmilctl.drivers.host.machine import Machine, Nonsense, printable
from dsmilctl.drivers.host.names import Names, id_of
from dsmilctl.drivers.host.network import COUNTERS, interface_device
from dsmilctl.drivers.host.part import Part, numbered
from dsmilctl.drivers.host.processor import COUNTERS as PROCESSOR_COUNTERS
from dsmilctl.drivers.host.processor import KINDS_OF_TIME, SHARES, Processor, Sample, processor_device
from dsmilctl.drivers.host.system import LOAD, MEMORY, PROCESSES, load_device, memory_device, processes_device
from dsmilctl.model.device import Device
from dsmilctl.model.register import Register

TICKS = 100
"""psutil tells processor times in seconds; they are counted in hundredths here, as the kernel does."""


class Asked(Part):
    """A part whose values psutil tells."""

    slow = True

    def __init__(self, device: Device, ask: Callable[[], Mapping[str, Answer | None]], root: Path) -> None:
        super().__init__(device, root)
        self._ask = ask

    def measure(self, wanted: Sequence[Register]) -> Mapping[str, Answer | None]:
        """All values at once."""
        import psutil

        try:
            return self._ask()
        except psutil.Error as error:
            raise Nonsense(f"psutil: {printable(str(error))}") from error


def find_processor(machine: Machine) -> Iterable[Part]:
    """The device `cpu`."""
    import psutil

    told = [kind for kind in ("iowait", "steal") if hasattr(psutil.cpu_times(), kind)]
    shares = [register for register in SHARES if register.name not in {"iowait", "steal"} - set(told)]
    device = processor_device([*shares, *PROCESSOR_COUNTERS], "")
    yield Processor(device, machine.root, machine.clock, take=sample, cores=machine.root, sensors={})


def sample() -> Sample:
    """What the system counted so far."""
    import psutil

    rows = [psutil.cpu_times(), *psutil.cpu_times(percpu=True)]
    times = tuple(tuple(round(getattr(row, kind, 0.0) * TICKS) for kind in KINDS_OF_TIME) for row in rows)
    counted = psutil.cpu_stats()
    return Sample(times, counted.ctx_switches, counted.interrupts)


def find_load(machine: Machine) -> Iterable[Part]:
    """The device `load`."""
    yield Asked(load_device(LOAD), _load, machine.root)


def _load() -> Mapping[str, Answer | None]:
    import psutil

    return dict(zip(("load1", "load5", "load15"), map(float, psutil.getloadavg()), strict=True))


def find_memory(machine: Machine) -> Iterable[Part]:
    """The device `memory`."""
    told = _memory()
    registers = numbered([register for register in MEMORY if register.name in told])
    yield Asked(memory_device(registers), _memory, machine.root)


def _memory() -> Mapping[str, Answer | None]:
    import psutil

    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    used = memory.total - memory.available
    return {
        "used_percent": 100.0 * used / memory.total,
        "used": used,
        "total": memory.total,
        "available": memory.available,
        "free": memory.free,
        "swap_total": swap.total,
        "swap_free": swap.free,
        "swap_used": swap.used,
    }


def find_processes(machine: Machine) -> Iterable[Part]:
    """The device `processes`."""

    def ask() -> Mapping[str, Answer | None]:
        import psutil

        return {
            "count": len(psutil.pids()),
            "uptime": machine.clock.now() / NANOSECONDS - psutil.boot_time(),
        }

    registers = numbered([register for register in PROCESSES if register.name in ("count", "uptime")])
    yield Asked(processes_device(registers), ask, machine.root)


def find_disks(machine: Machine) -> Iterable[Part]:
    """One device per mounted local filesystem."""
    import psutil

    given = Names()
    for mount in psutil.disk_partitions(all=False):
        device = Device(
            given.take(id_of("disk", mount.mountpoint)), printable(mount.mountpoint), "host", numbered(SPACE),
            group="disks", default_register="used_percent", key_registers=("used_percent", "available"),
            facts=(("filesystem", mount.fstype), ("source", printable(mount.device))),
        )  # fmt: skip
        point = Path(mount.mountpoint)
        yield Asked(device, partial(space, point), point)


def find_interfaces(machine: Machine) -> Iterable[Part]:
    """One device per network interface."""
    import psutil

    given = Names()
    for name in sorted(psutil.net_io_counters(pernic=True)):
        registers = [register for register in COUNTERS if register.name in _interface(name)]
        device = interface_device(given.take(id_of("net", name)), name, registers)
        yield Asked(device, partial(_interface, name), machine.root)


def _interface(name: str) -> Mapping[str, Answer | None]:
    import psutil

    told = psutil.net_io_counters(pernic=True).get(name)
    if told is None:
        raise Nonsense(f"there is no interface {name} any more")
    return {
        "rx_bytes": told.bytes_recv,
        "tx_bytes": told.bytes_sent,
        "rx_packets": told.packets_recv,
        "tx_packets": told.packets_sent,
        "rx_errors": told.errin,
        "tx_errors": told.errout,
        "rx_drops": told.dropin,
        "tx_drops": told.dropout,
    }
