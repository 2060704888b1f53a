"""Hwmon: every sensor chip of the machine, each sensor with its label, unit and limits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

import msgspec

from dsmilctl.drivers.contract import Answer
from dsmilctl.drivers.host.machine import Machine, Nonsense, line, names, natural, place, printable, whole
from dsmilctl.drivers.host.names import Names, id_of, register_of
from dsmilctl.drivers.host.part import Part, Sensor, SensorPart, numbered
from dsmilctl.model.device import Device
from dsmilctl.model.register import Register

SOURCE = "Source: Documentation/hwmon/sysfs-interface.rst"
FILE = r"(in|fan|pwm|temp|curr|power|energy|humidity|freq|intrusion)([0-9]+)(?:_([a-z_0-9]+))?"


class Kind(msgspec.Struct, frozen=True):
    """One kind of sensor: unit, how many of the file's steps make one unit, and what cannot be."""

    unit: str
    steps: int
    minimum: float | None = 0.0
    maximum: float | None = None
    inputs: tuple[str, ...] = ("input",)


KINDS: Mapping[str, Kind] = {
    "temp": Kind("°C", 1000, -273.15, 1000.0),
    "fan": Kind("RPM", 1),
    "in": Kind("V", 1000, None),
    "curr": Kind("A", 1000, None),
    "power": Kind("W", 1_000_000, None, None, ("input", "average")),
    "energy": Kind("J", 1_000_000),
    "humidity": Kind("%", 1000, 0.0, 100.0),
    "freq": Kind("Hz", 1),
}
"""The kinds of sensors that measure something."""

HIGH = ("max", "cap", "crit", "emergency")
LOW = ("min", "lcrit")
"""Files of limits; the first one that there is raises the alarm."""


HEAT = {"warning": "max", "critical": "crit", "emergency": "emergency"}
"""Steps of heat and the files that say where they begin."""


class Chip(msgspec.Struct, frozen=True):
    """One folder below `/sys/class/hwmon`: its real place, the chip's name, its files by sensor."""

    device_id: str
    name: str
    folder: Path
    files: Mapping[tuple[str, int], Mapping[str, Path]]


def find_chips(machine: Machine) -> Iterable[Part]:
    """One device per sensor chip that has a sensor."""
    for chip in machine.once(chips):
        part = _part(chip)
        if part.device.registers:
            yield part


def chips(machine: Machine) -> list[Chip]:
    """Every chip, ordered by its place in the machine, which outlives the numbers that change at boot.

    The real folder is remembered: when a chip goes and another one takes its number, it is not mistaken.
    """
    folder = machine.path("sys/class/hwmon")
    places = sorted((str(place(folder / name)) for name in names(folder)), key=natural)
    given = Names()
    return [_chip(Path(place), given) for place in places]


def _chip(folder: Path, given: Names) -> Chip:
    name = line(folder / "name") or folder.name
    files: dict[tuple[str, int], dict[str, Path]] = {}
    for entry in names(folder):
        if match := re.fullmatch(FILE, entry):
            files.setdefault((match[1], int(match[2])), {})[match[3] or ""] = folder / entry
    return Chip(given.take(id_of("hwmon", name)), name, folder, files)


def _part(chip: Chip) -> SensorPart:
    given = Names("_")
    registers: list[Register] = []
    sensors: dict[str, Sensor] = {}
    for (kind, number), files in chip.files.items():
        found = measuring(kind, number, files, given) + _alarms(kind, number, files, given)
        registers += [register for register, _ in found]
        sensors |= {register.name: sensor for register, sensor in found}
    device = Device(
        chip.device_id, chip.name, "host", numbered(registers), group="sensors",
        default_register=registers[0].name if registers else "",
        key_registers=tuple(register.name for register in registers[:4]),
        facts=(("path", str(chip.folder)), *_heat_facts(chip, sensors)),
    )  # fmt: skip
    return SensorPart(device, chip.folder, sensors)


def _heat_facts(chip: Chip, sensors: Mapping[str, Sensor]) -> list[tuple[str, str]]:
    """Where each step of heat begins: `REGISTER.warning`, `.critical` and `.emergency`, in °C."""
    found = []
    for (kind, _), files in chip.files.items():
        source = files.get("input")
        name = next((name for name, sensor in sensors.items() if sensor.path == source), None)
        if kind != "temp" or name is None:
            continue
        found += [
            (f"{name}.{word}", f"{value:g}")
            for word, file in HEAT.items()
            if (value := _limit(KINDS[kind], files.get(file))) is not None and value > 0
        ]
    return found


def measuring(
    kind: str, number: int, files: Mapping[str, Path], given: Names
) -> list[tuple[Register, Sensor]]:
    """The register of one sensor and where its value is; nothing for what measures nothing."""
    if kind not in KINDS:
        return []
    source = next((files[name] for name in KINDS[kind].inputs if name in files), None)
    if source is None:
        return []
    label = line(files["label"]) if "label" in files else ""
    name = given.take(register_of(label, f"{kind}{number}"))
    low, high = limits(KINDS[kind], files)
    register = Register(
        name, type="f64" if KINDS[kind].steps > 1 else "i64", unit=KINDS[kind].unit,
        minimum=KINDS[kind].minimum, maximum=KINDS[kind].maximum, low=low, high=high,
        description=_description(kind, label, source, files),
    )  # fmt: skip
    steps = KINDS[kind].steps
    return [(register, Sensor(source, partial(scaled, steps), files.get("fault")))]


def _description(kind: str, label: str, source: Path, files: Mapping[str, Path]) -> str:
    told = [f"{label} ({source.name})" if label else source.name]
    for name in (*LOW, *HIGH):
        if name in files and (value := _limit(KINDS[kind], files[name])) is not None:
            told.append(f"{name} {value:g} {KINDS[kind].unit}")
    return f"{', '.join(told)}. {SOURCE}"


def _alarms(kind: str, number: int, files: Mapping[str, Path], given: Names) -> list[tuple[Register, Sensor]]:
    found = []
    for name, path in files.items():
        if name.endswith("alarm"):
            register = Register(
                given.take(f"{kind}{number}_{name}"), type="bool", description=f"{path.name}. {SOURCE}"
            )
            found.append((register, Sensor(path, truth)))
    return found


def limits(kind: Kind, files: Mapping[str, Path]) -> tuple[float | None, float | None]:
    """The alarm limits of a sensor, without those that cannot be (chips answer 0 or 65 °C for "none")."""
    low = next((value for name in LOW if (value := _limit(kind, files.get(name))) is not None), None)
    high = next((value for name in HIGH if (value := _limit(kind, files.get(name))) is not None), None)
    if high == 0 or (low is not None and high is not None and low >= high):
        return None, None
    return low, high


def _limit(kind: Kind, path: Path | None) -> float | None:
    if path is None:
        return None
    try:
        value = float(scaled(kind.steps, line(path)))
    except Nonsense:
        return None
    low, high = kind.minimum, kind.maximum
    beyond = (low is not None and value <= low) or (high is not None and value >= high)
    return None if beyond else value


def scaled(steps: int, field: str) -> int | float:
    """A file's whole number in the sensor's unit; raises Nonsense."""
    return whole(field) / steps if steps > 1 else whole(field)


def truth(field: str) -> Answer:
    """A file's 0 or 1; raises Nonsense."""
    if field not in ("0", "1"):
        raise Nonsense(f"{printable(field)!r} is neither 0 nor 1")
    return field == "1"
