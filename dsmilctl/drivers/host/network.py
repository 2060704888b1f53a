"""Network: the counters and the link of each network interface."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from dsmilctl.drivers.contract import Answer
from dsmilctl.drivers.host.hwmon import truth
from dsmilctl.drivers.host.machine import Machine, Nonsense, names, printable, text, whole
from dsmilctl.drivers.host.names import Names, id_of
from dsmilctl.drivers.host.part import Part, numbered
from dsmilctl.model.device import Device
from dsmilctl.model.register import Register

SOURCE = "Source: proc_pid_net(5), /proc/net/dev"
LINK_SOURCE = "Source: Documentation/ABI/testing/sysfs-class-net"
FIELDS = 16
_COLUMNS = {
    "rx_bytes": (0, "bytes", "received since the interface was made"),
    "tx_bytes": (8, "bytes", "sent since the interface was made"),
    "rx_packets": (1, "packets", "received"),
    "tx_packets": (9, "packets", "sent"),
    "rx_errors": (2, "packets", "received with an error"),
    "tx_errors": (10, "packets", "not sent because of an error"),
    "rx_drops": (3, "packets", "received and dropped"),
    "tx_drops": (11, "packets", "dropped before sending"),
    "multicast": (7, "packets", "received by multicast"),
    "collisions": (13, "packets", "that met another one"),
}
COUNTERS = tuple(
    Register(name, type="u64", unit=unit, description=f"{unit} {what}. {SOURCE}")
    for name, (_, unit, what) in _COLUMNS.items()
)
LINK = {
    "state": Register(
        "state", type="str", description=f"state of the link by RFC 2863 (operstate). {LINK_SOURCE}"
    ),
    "carrier": Register("carrier", type="bool", description=f"whether the other end is there. {LINK_SOURCE}"),
    "speed": Register("speed", type="u32", unit="Mbit/s", description=f"of the link. {LINK_SOURCE}"),
}


def find_interfaces(machine: Machine) -> Iterable[Part]:
    """One device per network interface of this network namespace."""
    table = machine.path("proc/net/dev")
    try:
        rows = counters(text(table))
    except OSError:
        return  # this kernel has no network
    given = Names()
    for name in rows:
        folder = machine.path("sys/class/net") / name
        here = set(names(folder))
        links = [LINK["state"]] if "operstate" in here else []
        links += [LINK[link] for link in ("carrier", "speed") if link in here and "device" in here]
        device = interface_device(given.take(id_of("net", name)), name, [*COUNTERS, *links])
        yield Interface(device, table, name, folder)


def interface_device(device_id: str, name: str, registers: Sequence[Register]) -> Device:
    """The device of one interface."""
    return Device(
        device_id, printable(name), "host", numbered(registers), group="network",
        default_register="rx_bytes", key_registers=("rx_bytes", "tx_bytes"),
    )  # fmt: skip


class Interface(Part):
    """One network interface."""

    def __init__(self, device: Device, anchor: Path, name: str, folder: Path) -> None:
        super().__init__(device, anchor)
        self._name = name
        self._folder = folder

    def measure(self, wanted: Sequence[Register]) -> Mapping[str, Answer | None]:
        """Counters from the table of all interfaces, the link from its own files."""
        row = counters(text(self.anchor)).get(self._name)
        if row is None:
            raise self.gone()
        answers: dict[str, Answer | None] = {
            name: self.attempt(name, self.anchor, whole, row[place])
            for name, (place, _, _) in _COLUMNS.items()
        }
        for register in wanted:
            if register.name in LINK:
                answers[register.name] = self._link(register.name)
        return answers

    def _link(self, name: str) -> Answer:
        ways = {
            "state": ("operstate", printable),
            "carrier": ("carrier", truth),
            "speed": ("speed", _speed),
        }
        file, convert = ways[name]
        return self.attempt(name, self._folder / file, _link, self._folder / file, convert)


def _link(path: Path, convert: Callable[[str], Answer]) -> Answer:
    return convert(text(path).strip())


def _speed(field: str) -> int:
    speed = whole(field)
    if speed < 0:
        raise Nonsense("the interface does not know its speed")
    return speed


def counters(table: str) -> dict[str, list[str]]:
    """The rows of `/proc/net/dev` by interface."""
    rows = (row.rpartition(":") for row in table.splitlines()[2:])
    fields = {name.strip(): after.split() for name, colon, after in rows if colon}
    return {name: row for name, row in fields.items() if len(row) >= FIELDS}
