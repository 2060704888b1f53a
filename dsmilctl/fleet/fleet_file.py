"""The fleet file, version 2: devices that name a driver with its options; every mistake with its place.

The rest of the format (profiles, pipelines, sinks, schedules) comes with the protocols.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import yaml

from dsmilctl.errors import ConfigError, nearest

LARGEST = 16 << 20
MOST_PROBLEMS = 20


class FleetDriver(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of `devices`: an id of ours for what the driver reaches, the driver, and its options."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    driver: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    options: dict[str, Any] = {}


class FleetFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A fleet file.  `read_only` lets no change through, whoever asks."""

    version: int
    devices: list[FleetDriver]
    name: str = ""
    read_only: bool = False


def read_fleet_file(path: Path) -> FleetFile:
    """The fleet of a file; raises ConfigError that lists every mistake with line, column and path."""
    content = _content(path)
    node, data = _load(path, content)
    problems = [*_unknown_keys(path, node, FleetFile, "")]
    for index, entry in enumerate(_entries(node)):
        problems += _unknown_keys(path, entry, FleetDriver, f"devices[{index}].")
    problems += _twice(path, node)
    if problems:
        raise _wrong(path, problems)
    try:
        fleet = msgspec.convert(data, FleetFile)
    except msgspec.ValidationError as error:
        raise _wrong(path, [_located(path, node, error)]) from None
    if fleet.version != 2:
        raise _wrong(path, [f"{path}: version {fleet.version} is not 2"])
    return fleet


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", target=str(path)) from None
    if len(content) > LARGEST:
        raise ConfigError(f"{path}: larger than {LARGEST >> 20} MB", target=str(path))
    return content


def _load(path: Path, content: bytes) -> tuple[yaml.MappingNode, Mapping[str, Any]]:
    try:
        node = yaml.compose(content, yaml.SafeLoader)
        data = yaml.safe_load(content)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise ConfigError(
            f"{where}: not YAML: {getattr(error, 'problem', None) or error}", target=str(path)
        ) from None
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{path}: a fleet file is a mapping", hint="version: 2", target=str(path))
    return node, data


def _entries(node: yaml.MappingNode) -> list[yaml.Node]:
    for key, value in node.value:
        if key.value == "devices" and isinstance(value, yaml.SequenceNode):
            return list(value.value)
    return []


def _unknown_keys(path: Path, node: yaml.Node, kind: type[msgspec.Struct], prefix: str) -> list[str]:
    if not isinstance(node, yaml.MappingNode):
        return []
    known = kind.__struct_fields__
    problems = []
    for key, _ in node.value:
        if key.value not in known:
            hint = nearest(str(key.value), known) or f"Keys: {', '.join(known)}"
            problems.append(f"{_place(path, key)}: no key {prefix}{key.value!s}. {hint}")
    return problems


def _twice(path: Path, node: yaml.MappingNode) -> list[str]:
    seen: dict[str, yaml.Node] = {}
    problems = []
    for entry in _entries(node):
        for key, value in entry.value if isinstance(entry, yaml.MappingNode) else ():
            if key.value != "id":
                continue
            if value.value in seen:
                first = _place(path, seen[value.value])
                problems.append(f"{_place(path, value)}: id {value.value!r} is taken, see {first}")
            seen.setdefault(value.value, value)
    return problems


def _located(path: Path, node: yaml.Node, error: msgspec.ValidationError) -> str:
    what, _, where = str(error).partition(" - at `")
    return f"{_place(path, node)}: {where.rstrip('`').lstrip('$.') or 'fleet'}: {what}"


def _place(path: Path, node: yaml.Node) -> str:
    mark: Any = node.start_mark
    return f"{path}:{mark.line + 1}:{mark.column + 1}"


def _wrong(path: Path, problems: list[str]) -> ConfigError:
    shown = "\n".join(problems[:MOST_PROBLEMS])
    more = len(problems) - MOST_PROBLEMS
    return ConfigError(
        shown + (f"\nand {more} more" if more > 0 else ""), hint="version: 2", target=str(path)
    )
