"""Fleet keys: by what a fleet is known, whatever way it is opened (docs/decisions/0013).

Its name, where its file gives it one, its file, and what its devices are.  Who shares one of these with it is
the same fleet: its emergency stops, its server, its holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from dsmilctl.config.contexts import Context, DriverUse, fleet_of
from dsmilctl.config.paths import file_name
from dsmilctl.drivers.registry import Registry
from dsmilctl.errors import DSMILError

LONGEST_KEY = 180
"""Characters of a fleet's key as a file name: file systems end at 255, and names of files are made of it."""


def file_keys(name: str, file: Path, drivers: Sequence[DriverUse], registry: Registry) -> tuple[str, ...]:
    """The keys of a fleet in a file; the first is what its state is called."""
    named = (_short(f"named-{name}", "named"),) if name else ()
    place = _short(str(file.resolve()), file.stem)
    return (*named, place, devices_key(drivers, registry, name))


def known_by(context: Context, registry: Registry) -> Context:
    """The context with every key of its fleet; one that is set apart, or simulated, has but its own."""
    if context.file or context.aliases or context.fleet != fleet_of(context.drivers):
        return context
    if any(_made_up(use, registry) for use in context.drivers):
        return context
    return msgspec.structs.replace(context, aliases=(devices_key(context.drivers, registry),))


def devices_key(drivers: Sequence[DriverUse], registry: Registry, fleet: str = "") -> str:
    """What a fleet is called after its devices: their drivers and addresses, in whatever order.

    What they are called here is no part of it, unless they exist only in this fleet.
    """
    found = sorted(msgspec.json.encode(_address(use, registry, fleet), order="sorted") for use in drivers)
    return f"devices-{hashlib.sha256(b'|'.join(found)).hexdigest()[:32]}"


def _address(use: DriverUse, registry: Registry, fleet: str) -> list[object]:
    """What one entry reaches: the driver and its address; all options where they cannot be understood."""
    try:
        driver = registry.load(use.driver)
        options = msgspec.convert(use.options, driver.options)
    except (DSMILError, msgspec.ValidationError):
        return [use.driver, use.options]
    if driver.made_up:
        return [use.driver, use.options, use.name, fleet]
    fields = driver.options.__struct_fields__ if driver.address is None else driver.address
    return [use.driver, {field: getattr(options, field) for field in fields}]


def _made_up(use: DriverUse, registry: Registry) -> bool:
    try:
        return registry.load(use.driver).made_up
    except DSMILError:
        return False


def _short(key: str, said: str) -> str:
    """A key as it is, or a digest of too long a one."""
    if len(file_name(key)) <= LONGEST_KEY:
        return key
    return f"{said[:40]}-{hashlib.sha256(key.encode('utf-8', 'surrogateescape')).hexdigest()[:32]}"
