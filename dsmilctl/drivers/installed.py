"""Installed: which drivers the distributions on this machine offer by entry point."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.metadata import Distribution, distributions

from dsmilctl.drivers.entry import EntryPoint

GROUP = "dsmilctl.drivers"
METADATA = ("METADATA", "PKG-INFO", "")
"""Where the metadata of a wheel, a folder of an egg and a file of an egg lie.  Source: importlib.metadata."""

NAME = re.compile(r"^Name:[ \t]*(.*\S)", re.IGNORECASE | re.MULTILINE)


def scan() -> tuple[EntryPoint, ...]:
    """Every driver by entry point, those that cannot be used with the problem that they have.

    A name belongs to this package's driver first, then to the first distribution on the import path.
    """
    found: dict[str, EntryPoint] = {}
    offered = [entry for distribution in _each_once(distributions()) for entry in _entries(distribution)]
    for entry in sorted(offered, key=lambda entry: not entry.ours):
        owner = found.get(entry.name)
        if owner is None:
            found[entry.name] = entry
        elif (owner.target, owner.distribution) != (entry.target, entry.distribution):
            other = f"{entry.name}@{entry.distribution}"
            problem = f"the name {entry.name} belongs to {owner.distribution} already"
            found[other] = EntryPoint(other, entry.target, entry.distribution, entry.version, problem)
    return tuple(found.values())


def _each_once(offered: Iterable[Distribution]) -> list[Distribution]:
    """The first distribution of every name: what a later folder of the import path holds is not imported."""
    first: dict[str, Distribution] = {}
    for distribution in offered:
        first.setdefault(_name(distribution).casefold().replace("_", "-"), distribution)
    return list(first.values())


def _entries(distribution: Distribution) -> list[EntryPoint]:
    name = _name(distribution)
    try:
        points = distribution.entry_points.select(group=GROUP)
        version = (points and distribution.version) or ""
    except Exception as error:  # a stranger's metadata may be damaged in any way; it must hurt only itself
        problem = f"the entry points of {name} cannot be read: {type(error).__name__}: {error}"
        return [EntryPoint(name, "", name, "", problem)]
    return [EntryPoint(point.name, point.value.partition("[")[0].strip(), name, version) for point in points]


def _name(distribution: Distribution) -> str:
    """The name in the head of the metadata: to parse all of them takes a third of a second."""
    try:
        texts = (distribution.read_text(file) for file in METADATA)
        head, *_ = next(filter(None, texts), "").split("\n\n", 1)
    except Exception:  # as above; without a name it is still listed
        head = ""
    found = NAME.search(head)
    return found[1] if found else "a nameless distribution"
