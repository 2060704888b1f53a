"""Processor: how busy the processors are, their clock, their heat and how often it slowed them down."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from dsmilctl.clock import Clock
from dsmilctl.drivers.contract import Answer
from dsmilctl.drivers.host.hwmon import chips, measuring
from dsmilctl.drivers.host.machine import Machine, Nonsense, text, whole, wholes
from dsmilctl.drivers.host.names import Names
from dsmilctl.drivers.host.part import Part, Sensor, numbered
from dsmilctl.model.device import Device
from dsmilctl.model.register import Register

WINDOW = 0.1
"""Seconds that a usage is measured over at least.  The kernel counts in steps of 10 ms, so a shorter window
would say little.  The first reading waits this long; later ones tell the time since the reading before."""

OLDEST = 60.0
"""Seconds after which an earlier sample is too old to measure a usage from."""

KINDS_OF_TIME = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
"""What a processor's time is counted as, in the kernel's order."""

SENSORS = frozenset({"coretemp", "k10temp", "zenpower", "cpu_thermal", "via_cputemp"})
"""Sensor chips that are inside a processor."""

_STAT = "Source: proc_stat(5)"
_SHARES = {
    "usage": "time not idle and not waiting for input or output, of all processors",
    "busiest": "the usage of the busiest processor",
    "user": "time in programs",
    "system": "time in the kernel and its interrupts",
    "iowait": "time idle while waiting for input or output",
    "steal": "time that the hypervisor gave to somebody else",
}
SHARES = tuple(
    Register(
        name, type="f64", unit="%", minimum=0, maximum=100,
        description=f"{what}, since the reading before (the first one over {WINDOW:g} s). {_STAT}",
    )
    for name, what in _SHARES.items()
)  # fmt: skip
COUNTERS = (
    Register("count", type="u32", unit="processors", description=f"processors that are on. {_STAT}"),
    Register("context_switches", type="u64", description=f"since boot. {_STAT}"),
    Register("interrupts", type="u64", description=f"since boot. {_STAT}"),
)
_THROTTLES = (
    "times that heat slowed the {0} with the most, since boot. Source: thermal_throttle/{0}_throttle_count"
)
OVER_CORES = (
    Register(
        "frequency", type="f64", unit="MHz", minimum=0,
        description="mean clock of all processors. Source: cpufreq/scaling_cur_freq",
    ),
    Register("core_throttles", type="u64", description=_THROTTLES.format("core")),
    Register("package_throttles", type="u64", description=_THROTTLES.format("package")),
)  # fmt: skip


class Sample(msgspec.Struct, frozen=True):
    """What the kernel counted until one moment; `times` are the ticks of each processor, the sum first."""

    times: tuple[tuple[int, ...], ...]
    context_switches: int | None = None
    interrupts: int | None = None


def find_processor(machine: Machine) -> Iterable[Part]:
    """The device `cpu`.  Source: proc_stat(5), Documentation/admin-guide/pm/cpufreq.rst."""
    stat = machine.path("proc/stat")
    if not stat.is_file():
        return
    cores = machine.path("sys/devices/system/cpu")
    over_cores = [register for register in OVER_CORES if any(cores.glob(_pattern(register.name)))]
    heat = _heat(machine)
    registers = [*SHARES, *COUNTERS, *over_cores, *(register for register, _ in heat)]
    device = processor_device(registers, _model(machine))
    sensors = {register.name: sensor for register, sensor in heat}

    def take() -> Sample:
        return sample(text(stat))

    yield Processor(device, stat, machine.clock, take=take, cores=cores, sensors=sensors)


def processor_device(registers: Sequence[Register], model: str) -> Device:
    """The device of all processors."""
    return Device(
        "cpu", "processors", "host", numbered(registers), group="system", default_register="usage",
        key_registers=("usage",), facts=(("model", model),) if model else (),
    )  # fmt: skip


def _pattern(register: str) -> str:
    return f"cpu[0-9]*/{_OVER_CORES[register][0]}"


def _heat(machine: Machine) -> list[tuple[Register, Sensor]]:
    for chip in machine.once(chips):
        for (kind, number), files in chip.files.items():
            if chip.name in SENSORS and kind == "temp" and (found := measuring(kind, number, files, Names())):
                register, sensor = found[0]
                return [(msgspec.structs.replace(register, name="temperature"), sensor)]
    return []


def _model(machine: Machine) -> str:
    try:
        head = machine.text("proc/cpuinfo", 4096)
    except OSError:
        return ""
    rows = dict(row.partition(":")[::2] for row in reversed(head.splitlines()))
    return next((value.strip() for field, value in rows.items() if field.strip() == "model name"), "")


class Processor(Part):
    """All processors together; `take` gives what was counted so far."""

    def __init__(
        self,
        device: Device,
        anchor: Path,
        clock: Clock,
        *,
        take: Callable[[], Sample],
        cores: Path,
        sensors: Mapping[str, Sensor],
    ) -> None:
        super().__init__(device, anchor)
        self._clock = clock
        self._take = take
        self._cores = cores
        self._sensors = sensors
        self._base: Sample | None = None
        self._since = 0.0
        self._shares: Mapping[str, Answer] = {}

    def pause(self, wanted: Sequence[Register]) -> float:
        """Seconds until a usage can be told: a window when there is no earlier sample, else none."""
        if not any(register.name in _SHARES for register in wanted):
            return 0.0
        age = self._clock.monotonic() - self._since
        if self._base is not None and age <= OLDEST:
            return 0.0 if self._shares else max(0.0, WINDOW - age)
        try:
            self._base, self._since, self._shares = self._take(), self._clock.monotonic(), {}
        except (OSError, Nonsense):
            return 0.0  # measure tells what is wrong
        return WINDOW

    def measure(self, wanted: Sequence[Register]) -> Mapping[str, Answer | None]:
        """Usage since the sample before, counters, clock and heat, as far as asked for."""
        asked = {register.name for register in wanted}
        now = self._take()
        answers: dict[str, Answer | None] = {
            "count": len(now.times) - 1,
            "context_switches": now.context_switches,
            "interrupts": now.interrupts,
        }
        if asked & _SHARES.keys():
            answers |= self._usage(now)
        for name in asked & _OVER_CORES.keys():
            answers[name] = self.attempt(name, self._cores, self._over_cores, name)
        for name in asked & self._sensors.keys():
            answers[name] = self.attempt(name, self._sensors[name].path, self._sensors[name].value)
        return answers

    def _usage(self, now: Sample) -> Mapping[str, Answer]:
        moment = self._clock.monotonic()
        if self._base is None or (self._shares and moment - self._since < WINDOW):
            return self._shares
        shares = usage(self._base, now)
        self._base, self._since, self._shares = now, moment, shares
        return shares

    def _over_cores(self, register: str) -> Answer:
        combine = _OVER_CORES[register][1]
        found = [whole(text(path)) for path in self._cores.glob(_pattern(register))]
        if not found:
            raise Nonsense("no processor tells it any more")
        return combine(found)


def sample(stat: str) -> Sample:
    """The counters of `/proc/stat`; raises Nonsense."""
    rows = [row.split() for row in stat.splitlines()]
    times = tuple(
        tuple(wholes(row[1 : len(KINDS_OF_TIME) + 1])) for row in rows if row and row[0].startswith("cpu")
    )
    totals = {row[0]: whole(row[1]) for row in rows if len(row) > 1 and row[0] in ("ctxt", "intr")}
    if not times or any(len(row) < len(KINDS_OF_TIME) for row in times):
        raise Nonsense("it tells no processor times")
    return Sample(times, totals.get("ctxt"), totals.get("intr"))


def usage(old: Sample, new: Sample) -> dict[str, Answer]:
    """The shares of time (%) between two samples; raises Nonsense when no time passed."""
    spent = _spent(old.times[0], new.times[0])
    total = sum(spent)
    if not total:
        raise Nonsense("the counters did not move")
    cores = [_spent(*pair) for pair in zip(old.times[1:], new.times[1:], strict=False)] or [spent]
    return {
        "usage": _busy(spent),
        "busiest": max(map(_busy, cores)),
        "user": 100.0 * (spent[0] + spent[1]) / total,
        "system": 100.0 * (spent[2] + spent[5] + spent[6]) / total,
        "iowait": 100.0 * spent[4] / total,
        "steal": 100.0 * spent[7] / total,
    }


def _spent(old: Sequence[int], new: Sequence[int]) -> list[int]:
    return [max(0, after - before) for before, after in zip(old, new, strict=True)]


def _busy(spent: Sequence[int]) -> float:
    total = sum(spent)
    return 100.0 * (total - spent[3] - spent[4]) / total if total else 0.0


def _mean_megahertz(kilohertz: Sequence[int]) -> float:
    return sum(kilohertz) / len(kilohertz) / 1000


_OVER_CORES: Mapping[str, tuple[str, Callable[[Sequence[int]], int | float]]] = {
    "frequency": ("cpufreq/scaling_cur_freq", _mean_megahertz),
    "core_throttles": ("thermal_throttle/core_throttle_count", max),
    "package_throttles": ("thermal_throttle/package_throttle_count", max),
}
"""Registers that are one file per processor, and what is made of them."""
