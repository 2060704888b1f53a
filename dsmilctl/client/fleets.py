"""Fleets in files, as contexts that are written nowhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from dsmilctl.client.fleet_keys import file_keys
from dsmilctl.config.contexts import Context, DriverUse
from dsmilctl.config.document import KeyPath
from dsmilctl.config.paths import paths
from dsmilctl.config.problem import Problem
from dsmilctl.drivers.registry import Registry
from dsmilctl.errors import ConfigError, DSMILError, NotFound, nearest
from dsmilctl.fleet.fleet_file import (
    FleetDriver,
    FleetFile,
    FleetText,
    read_fleet_text,
    read_what_is_right,
    refuse,
)


def fleet_context(path: Path, registry: Registry | None = None) -> Context:
    """The context over a fleet file; latch and lock belong to the fleet, whatever file it is read from.

    Raises ConfigError that lists every mistake with line and column, those in the options of drivers too.
    """
    read = read_fleet_text(path)
    chosen = registry or Registry(paths().entry_point_cache)
    refuse(path, list(_wrong_options(read, chosen)))
    return _context_of(read.fleet, path, chosen)


def fleet_problems(path: Path) -> list[str]:
    """Every mistake in a fleet file, each with line and column."""
    try:
        fleet_context(path)
    except ConfigError as error:
        first, *others = error.message.splitlines()
        return [line.strip() for line in others] or [first]
    return []


def legible_context(path: Path, registry: Registry | None = None) -> Context:
    """The context over as much of a fleet file as can be read; what cannot is `broken`.

    For an emergency: the file's own key is always among those of the fleet, so that its stop holds.
    """
    fleet, broken = read_what_is_right(path)
    chosen = registry or Registry(paths().entry_point_cache)
    return msgspec.structs.replace(_context_of(fleet, path, chosen), broken=broken)


def _context_of(fleet: FleetFile, path: Path, registry: Registry) -> Context:
    """The context over a fleet that was read."""
    drivers = tuple(DriverUse(entry.driver, dict(entry.options), entry.id) for entry in fleet.devices)
    key, *aliases = file_keys(fleet.name, path, drivers, registry)
    return Context(
        name=fleet.name or path.stem,
        drivers=drivers,
        read_only=fleet.read_only,
        target=str(path),
        fleet=key,
        aliases=tuple(aliases),
    )


def _wrong_options(read: FleetText, registry: Registry) -> Iterator[Problem]:
    """Drivers that are not known, and options that they do not take; one that cannot load is said later."""
    for index, entry in enumerate(read.fleet.devices):
        way: KeyPath = ("devices", index)
        try:
            problem = _options_problem(entry, registry)
        except NotFound as error:
            yield read.problem((*way, "driver"), error.message, error.hint)
        except DSMILError:
            continue  # the driver's package is missing or broken: opening the fleet says it, with the fix
        else:
            if problem is not None:
                below, message, hint = problem
                yield read.problem((*way, "options", *below), message, hint)


def _options_problem(entry: FleetDriver, registry: Registry) -> tuple[KeyPath, str, str] | None:
    """Where below the options it is wrong, what, and what would be right."""
    kind = registry.load(entry.driver).options
    known = ", ".join(kind.__struct_fields__) or "none"
    try:
        msgspec.convert(entry.options, kind)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at `$")
        unknown = re.search("unknown field `(.*)`", message)
        way = (*way_of(where.rstrip("`")), *((unknown[1],) if unknown else ()))
        near = nearest(unknown[1], kind.__struct_fields__) if unknown else ""
        return way, message, near or f"Options of {entry.driver}: {known}"
    except DSMILError as error:
        target = (error.target,) if error.target in entry.options else ()
        return target, error.message, error.hint
    return None


def way_of(text: str) -> KeyPath:
    """The way that msgspec names: `.sources[2].url`; it ends where a key's name is not told."""
    found: list[str | int] = []
    for name, index in re.findall(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]", text):
        if index == "...":
            break
        found.append(name or int(index))
    return tuple(found)
