"""The fleet file, version 2: devices that name a driver with its options; every mistake with its place.

YAML, JSON and TOML.  The rest of the format (profiles, pipelines, sinks, schedules) comes
with the protocols.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from shlex import quote
from typing import Any, Protocol

import msgspec

from dsmilctl.config.document import Document, KeyPath, TooDeep
from dsmilctl.config.problem import Problem, raise_for
from dsmilctl.config.yaml_document import BadYaml, YamlDocument
from dsmilctl.errors import ConfigError, nearest

LARGEST = 2 << 20
"""Bytes of a fleet file: some ten thousand devices."""

MOST_PROBLEMS = 20
MOST_MISTAKES = 1000
"""Mistakes after which nobody looks for more."""

SURROGATE = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
VERSION = 2


class FleetDriver(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of `devices`: an id of ours for what the driver reaches, the driver, and its options."""

    id: str
    driver: str
    options: dict[str, Any] = {}


class FleetFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A fleet file.  `read_only` lets no change through, whoever asks."""

    version: int
    devices: list[FleetDriver]
    name: str = ""
    read_only: bool = False


class Placed(Protocol):
    """A text that was read: what it says, and where."""

    data: Any

    def place(self, path: KeyPath) -> tuple[int, int]:
        """Line and column, both from 1, of a key."""
        ...


class FleetText(msgspec.Struct, frozen=True):
    """A fleet file that was read, and where in it everything stands."""

    file: Path
    fleet: FleetFile
    text: Placed

    def problem(self, path: KeyPath, message: str, hint: str = "") -> Problem:
        """What is wrong with the value of a key."""
        return _problem(self.file, self.text, path, message, hint)


def read_fleet_file(path: Path) -> FleetFile:
    """The fleet of a file; raises ConfigError that lists every mistake with line, column and path."""
    return read_fleet_text(path).fleet


def read_fleet_text(path: Path) -> FleetText:
    """The fleet of a file with its places; raises ConfigError that lists every mistake."""
    text, problems = _read(path)
    problems += [_problem(path, text, *wrong) for wrong in islice(_mistakes(text.data), MOST_MISTAKES)]
    refuse(path, problems)
    return FleetText(path, msgspec.convert(text.data, FleetFile), text)


def read_what_is_right(path: Path) -> tuple[FleetFile, dict[str, str]]:
    """As much of a fleet as can be read, and by name what cannot, each with the reason; raises nothing."""
    try:
        text, problems = _read(path)
    except ConfigError as error:
        return FleetFile(VERSION, []), {path.name: error.message}
    data = text.data if isinstance(text.data, Mapping) else {}
    entries = data.get("devices")
    good: dict[str, FleetDriver] = {}
    broken: dict[str, str] = {path.name: "; ".join(map(str, problems))} if problems else {}
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        wrong = next(_entry(entry, ("devices", index)), None)
        if wrong is None and entry["id"] not in good:
            good[entry["id"]] = msgspec.convert(entry, FleetDriver)
        else:
            told = wrong or (("devices", index, "id"), "this id is there already", "")
            broken[shown(("devices", index))] = str(_problem(path, text, *told))
    if not good and not broken:
        broken[path.name] = f"{path}: no device is named"
    name = data.get("name")
    return FleetFile(VERSION, [*good.values()], name=name if isinstance(name, str) else ""), broken


def refuse(file: Path, problems: list[Problem]) -> None:
    """Raise ConfigError for the first problems of a file, in the order of their places."""
    ordered = sorted(problems, key=_line_and_column)
    more = len(ordered) - MOST_PROBLEMS
    rest = [Problem(place="", message=f"and {more} more")] if more > 0 else []
    again = f"dsmilctl config validate {quote(str(file))} checks again"
    raise_for([*ordered[:MOST_PROBLEMS], *rest], hint=again)


def _line_and_column(problem: Problem) -> tuple[int, int]:
    line, column = problem.place.split(":")[-2:]
    return int(line), int(column)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError as error:
        example = "{version: 2, devices: [{id: rack, driver: sim}]}"
        hint = f"echo '{example}' > {quote(str(path))} makes one with simulated devices"
        raise ConfigError(f"{path}: {error.strerror}", hint=hint, target=str(path)) from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", hint="give a fleet file", target=str(path)) from None
    if len(content) > LARGEST:
        raise ConfigError(f"{path}: larger than {LARGEST >> 20} MB", target=str(path))
    return content


def _read(path: Path) -> tuple[Placed, list[Problem]]:
    content = _content(path)
    try:
        text = content.decode("utf-8-sig")
        if path.suffix.casefold() == ".toml":
            return Document(text), []
        if path.suffix.casefold() == ".json":
            found = YamlDocument(SURROGATE.sub(r"\\u0020", text))
            found.data = msgspec.json.decode(text)  # YAML reads some escapes and numbers otherwise
        else:
            found = YamlDocument(text)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}", target=str(path)) from None
    except BadYaml as error:
        where = f"{path}:{error.line}:{error.column}" if error.line else str(path)
        raise ConfigError(f"{where}: not YAML: {error}", target=where) from None
    except msgspec.DecodeError as error:
        raise ConfigError(f"{path}: not JSON: {error}", target=str(path)) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}", target=str(path)) from None
    except TooDeep:
        raise ConfigError(f"{path}: a key has too many parts", target=str(path)) from None
    return found, [
        Problem(place=f"{path}:{line}:{column}", message=message) for line, column, message in found.problems
    ]


Mistake = tuple[KeyPath, str, str]


def _problem(file: Path, text: Placed, path: KeyPath, message: str, hint: str) -> Problem:
    line, column = text.place(path)
    key = shown(path)
    return Problem(
        place=f"{file}:{line}:{column}", message=f"{key}: {message}" if key else message, key=key, hint=hint
    )


def shown(path: KeyPath) -> str:
    """The way to a value as a person writes it: `devices[3].options.url`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def _mistakes(data: Any) -> Iterator[Mistake]:
    """Everything that is wrong in a fleet, whatever it was read from."""
    if not isinstance(data, Mapping):
        yield (), "a fleet file is a mapping", "version: 2"
        return
    yield from _keys(data, FleetFile, ())
    if "version" in data and (type(data["version"]) is not int or data["version"] != VERSION):
        yield ("version",), f"{data['version']!r} is not {VERSION}", f"version: {VERSION}"
    yield from _typed(data, (), name=str, read_only=bool, devices=list)
    if isinstance(devices := data.get("devices"), list):
        if not devices:
            yield ("devices",), "no device is named", "- {id: plant, driver: sim}"
        for index, entry in enumerate(devices):
            yield from _entry(entry, ("devices", index))
        yield from _twice(devices)


def _entry(entry: Any, path: KeyPath) -> Iterator[Mistake]:
    if not isinstance(entry, Mapping):
        yield path, "an entry is a mapping", "{id: plant, driver: sim}"
        return
    yield from _keys(entry, FleetDriver, path)
    yield from _typed(entry, path, id=str, driver=str, options=dict)
    for field in ("id", "driver"):
        value = entry.get(field)
        if isinstance(value, str) and not NAME.fullmatch(value):
            yield (
                (*path, field),
                f"{value[:80]!r} is no name",
                "letters, digits, '_', '-' and '.', at most 64",
            )


def _keys(data: Mapping[str, Any], kind: type[msgspec.Struct], path: KeyPath) -> Iterator[Mistake]:
    """Keys that are not known, and those that are missing."""
    known = kind.__struct_fields__
    for key in data:
        if key not in known:
            yield (*path, key), "there is no such key", nearest(key, known) or f"Keys: {', '.join(known)}"
    for field in known[: len(known) - len(kind.__struct_defaults__)]:
        if field not in data:
            yield path, f"{field} is missing", ""


NAMES = {str: "text", bool: "true or false", list: "a list", dict: "a mapping", type(None): "nothing"}


def _typed(data: Mapping[str, Any], path: KeyPath, **kinds: type) -> Iterator[Mistake]:
    for field, kind in kinds.items():
        if field in data and not isinstance(data[field], kind):
            given = NAMES.get(type(data[field]), "a number")
            hint = f'{field}: "{data[field]}"' if kind is str and given == "a number" else ""
            yield (*path, field), f"expected {NAMES[kind]}, not {given}", hint


def _twice(devices: list[Any]) -> Iterator[Mistake]:
    seen: dict[str, int] = {}
    for index, entry in enumerate(devices):
        name = entry.get("id") if isinstance(entry, Mapping) else None
        if isinstance(name, str):
            if name in seen:
                yield ("devices", index, "id"), f"{name!r} is the id of devices[{seen[name]}] already", ""
            seen.setdefault(name, index)
