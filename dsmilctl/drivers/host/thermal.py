"""Thermal: the kernel's thermal zones with their trip points, and what cools them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec

from dsmilctl.drivers.contract import Answer
from dsmilctl.drivers.host.hwmon import KINDS, chips, measuring, scaled
from dsmilctl.drivers.host.hwmon import SOURCE as HWMON_SOURCE
from dsmilctl.drivers.host.machine import Machine, Nonsense, line, names, place, whole
from dsmilctl.drivers.host.names import Names, id_of, register_of
from dsmilctl.drivers.host.part import Part, Sensor, SensorPart, numbered
from dsmilctl.model.device import Device
from dsmilctl.model.register import Register

SOURCE = "Source: Documentation/driver-api/thermal/sysfs-api.rst"
FOLDER = "sys/class/thermal"
WARNING_TRIPS = ("passive", "hot", "critical")
"""Trip points at which a machine is too hot; at `active` ones it only starts a fan."""


def find_zones(machine: Machine) -> Iterable[Part]:
    """One device per thermal zone, named by its type."""
    given = Names()
    for name in names(machine.path(FOLDER)):
        folder = machine.path(FOLDER) / name
        if name.startswith("thermal_zone") and (folder / "temp").exists():
            kind = line(folder / "type") or name
            yield _zone(given.take(id_of("thermal", kind)), kind, place(folder))


def _zone(device_id: str, kind: str, folder: Path) -> SensorPart:
    trips = trip_points(folder)
    high = min((value for trip, value in trips if trip in WARNING_TRIPS), default=None)
    told = ", ".join(["temp", *(f"{trip} {value:g} °C" for trip, value in trips)])
    register = Register(
        "temp", type="f64", unit="°C", minimum=KINDS["temp"].minimum, maximum=KINDS["temp"].maximum,
        high=high, description=f"{told}. {SOURCE}",
    )  # fmt: skip
    device = Device(
        device_id, kind, "host", (register,), group="sensors", default_register="temp",
        key_registers=("temp",), facts=(("path", str(folder)), *_heat_facts(trips)),
    )  # fmt: skip
    return Zone(device, folder, {"temp": Sensor(folder / "temp", partial(scaled, 1000))})


def _heat_facts(trips: list[tuple[str, float]]) -> list[tuple[str, str]]:
    """From which temperature on the zone is too warm, in °C."""
    warning = min((value for trip, value in trips if trip in ("passive", "hot")), default=None)
    critical = min((value for trip, value in trips if trip == "critical"), default=None)
    steps = (("temp.warning", warning), ("temp.critical", critical))
    return [(name, f"{value:g}") for name, value in steps if value is not None]


class Zone(SensorPart):
    """One thermal zone.  Zones that come take the numbers of those that went, so the type is looked at."""

    def vanished(self) -> bool:
        """Whether the zone is not there any more, or another one is in its place."""
        return super().vanished() or (line(self.anchor / "type") or self.anchor.name) != self.device.name

    def measure(self, wanted: Sequence[Register]) -> Mapping[str, Answer | None]:
        """The temperature."""
        if self.vanished():
            raise self.gone()
        return super().measure(wanted)


def trip_points(folder: Path) -> list[tuple[str, float]]:
    """The trip points of a zone: type and temperature (°C), without those that are not set."""
    found = []
    for name in names(folder):
        if name.startswith("trip_point_") and name.endswith("_temp"):
            try:
                value = whole(line(folder / name)) / 1000
            except Nonsense:
                continue  # a trip point that cannot be told limits nothing
            if 0 < value < 1000:
                found.append((line(folder / f"{name[:-5]}_type"), value))
    return found


def find_fans(machine: Machine) -> Iterable[Part]:
    """One device per fan of a sensor chip: `speed` and, where the chip drives it, `duty`."""
    given = Names()
    for chip in machine.once(chips):
        for (kind, number), files in chip.files.items():
            if kind == "fan" and (found := measuring("fan", number, files, Names("_"))):
                label = line(files["label"]) if "label" in files else f"{chip.name}-fan{number}"
                yield _fan(given.take(id_of("fan", label)), label, chip.folder, number, found[0])


def _fan(device_id: str, label: str, folder: Path, number: int, found: tuple[Register, Sensor]) -> SensorPart:
    register, sensor = found
    registers = [msgspec.structs.replace(register, name="speed")]
    sensors = {"speed": sensor}
    pwm = folder / f"pwm{number}"
    if pwm.exists():
        what = f"how hard the chip drives the fan (pwm{number} of 255). {HWMON_SOURCE}"
        registers.append(Register("duty", type="f64", unit="%", minimum=0, maximum=100, description=what))
        sensors["duty"] = Sensor(pwm, lambda field: whole(field) * 100 / 255)
    device = Device(
        device_id, label, "host", numbered(registers), group="sensors", default_register="speed",
        key_registers=("speed",), facts=(("path", str(folder)),),
    )  # fmt: skip
    return SensorPart(device, folder, sensors)


def find_cooling(machine: Machine) -> Iterable[Part]:
    """The device `cooling`: one register per cooling device, 0 (not cooling) to its maximum."""
    folder = machine.path(FOLDER)
    given = Names("_")
    registers: list[Register] = []
    sensors: dict[str, Sensor] = {}
    for name in names(folder):
        if name.startswith("cooling_device") and (folder / name / "cur_state").exists():
            kind = line(folder / name / "type")
            registers.append(_cooler(given.take(register_of(kind, name)), kind, folder / name))
            sensors[registers[-1].name] = Sensor(place(folder / name) / "cur_state", whole)
    if registers:
        device = Device(
            "cooling", "cooling devices", "host", numbered(registers), group="sensors",
            default_register=registers[0].name, key_registers=(registers[0].name,),
        )  # fmt: skip
        yield SensorPart(device, folder, sensors)


def _cooler(name: str, kind: str, folder: Path) -> Register:
    try:
        maximum = whole(line(folder / "max_state"))
    except Nonsense:
        maximum = None
    what = f"cooling state of {kind or folder.name} ({folder.name}/cur_state). {SOURCE}"
    return Register(name, type="i64", minimum=0, maximum=maximum, description=what)
