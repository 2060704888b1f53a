"""Fleets in files, as contexts that are written nowhere."""

from __future__ import annotations

from pathlib import Path

from dsmilctl.config.contexts import Context, DriverUse
from dsmilctl.fleet.fleet_file import read_fleet_file


def fleet_context(path: Path) -> Context:
    """The context over a fleet file; latch and lock belong to the file, wherever it is named from."""
    fleet = read_fleet_file(path)
    return Context(
        name=fleet.name or path.stem,
        drivers=tuple(DriverUse(entry.driver, dict(entry.options), entry.id) for entry in fleet.devices),
        read_only=fleet.read_only,
        target=str(path),
        fleet=str(path.resolve()),
    )
