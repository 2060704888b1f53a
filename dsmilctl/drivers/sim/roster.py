"""Roster: which devices a simulated fleet has, with their ids, names, groups and risks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from dsmilctl.drivers.sim.options import Layout
from dsmilctl.drivers.sim.registers import REGISTERS
from dsmilctl.model.device import Device, Risk

FIRST = 0x8000
PER_GROUP = 12
GROUPS = 7
KNOWN = PER_GROUP * GROUPS
STRIDE: dict[Layout, int] = {"dense": PER_GROUP, "nibble": 16}
"""How many ids lie between the first devices of two groups."""

Facts = tuple[tuple[str, str], ...]


class Row(msgspec.Struct, array_like=True, frozen=True):
    """One device as `devices.json` describes it."""

    device_id: int
    group: int
    index: int
    risk: Risk
    quarantined: bool
    name: str


class Table(msgspec.Struct, frozen=True):
    """The file `devices.json`: short and long group names, and the 84 devices in both layouts."""

    groups: tuple[tuple[str, str], ...]
    dense: tuple[Row, ...]
    nibble: tuple[Row, ...]


def table() -> Table:
    """The table of known devices, which comes with the program."""
    return msgspec.json.decode(Path(__file__).with_name("devices.json").read_bytes(), type=Table)


def device_id_of(index: int, layout: Layout) -> int:
    """The id of the device with that index in the roster."""
    group, place = divmod(index, PER_GROUP)
    return FIRST + STRIDE[layout] * group + place


def index_of(device_id: int, layout: Layout) -> int:
    """The index in the roster of a device with that id."""
    group, place = divmod(device_id - FIRST, STRIDE[layout])
    return group * PER_GROUP + place


def roster(count: int, layout: Layout, settings: Callable[[int], Facts]) -> list[Device]:
    """The first `count` devices; after the 84 known ones the pattern of groups and risks repeats.

    `settings` gives further facts of a device by its id.
    """
    known = table()
    rows: tuple[Row, ...] = getattr(known, layout)
    facts = [_facts(known, row) for row in rows]
    slugs = [known.groups[row.group][0] for row in rows]
    found = []
    for index in range(count):
        device_id, place = device_id_of(index, layout), index % KNOWN
        described = facts[place] + settings(device_id)
        found.append(_device(rows[place], index, device_id, slugs[place], described))
    return found


def _device(row: Row, index: int, device_id: int, group: str, facts: Facts) -> Device:
    first = index < KNOWN
    return Device(
        device_id,
        row.name if first else f"{row.name} (rack {index // KNOWN + 1})",
        "sim",
        REGISTERS,
        group,
        row.risk,
        row.quarantined and first,
        "STATUS",
        ("TEMP", "VOLTAGE"),
        facts,
    )


def _facts(known: Table, row: Row) -> Facts:
    return (
        ("model", "DSMIL (simulated)"),
        ("firmware", f"5.2.{row.group}"),
        ("position", f"group {row.group} ({known.groups[row.group][1]}), device {row.index}"),
    )
