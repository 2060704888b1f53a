"""Layers: all sources read, judged and laid over each other; all errors of all sources at once."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import msgspec

from dsmilctl.config.document import KeyPath, read_document
from dsmilctl.config.layer import NOTHING, Layer, leaf_values
from dsmilctl.config.problem import Problem, raise_for
from dsmilctl.config.schema import merge
from dsmilctl.config.settings import Settings
from dsmilctl.config.sources import STRANGE, Source
from dsmilctl.config.variables import dotenv_layer, environment_layer
from dsmilctl.config.wording import check

LEVELS = ("dotenv", "project", "user", "system")
"""Files by strength; the environment stands above them."""


def merged(found: list[Source], variables: dict[str, str]) -> Settings:
    """The settings in force; raises ConfigError with every error."""
    return _settings(_sound(found, variables))


def origins_of(found: list[Source], variables: dict[str, str]) -> dict[str, tuple[Any, str]]:
    """Every setting in force with where it comes from; raises ConfigError."""
    layers = _sound(found, variables)
    values = leaf_values(msgspec.to_builtins(_settings(layers)))
    return {".".join(map(str, path)): (value, _origin(layers, path)) for path, value in values}


def problems_of(found: list[Source], variables: dict[str, str]) -> list[Problem]:
    """Every error of every source."""
    return _layers(found, variables)[1]


def _sound(found: list[Source], variables: dict[str, str]) -> list[Layer]:
    layers, problems = _layers(found, variables)
    raise_for(problems)
    return layers


def _settings(layers: list[Layer]) -> Settings:
    return msgspec.convert(merge([layer.values for layer in layers]), Settings)


def _origin(layers: list[Layer], path: KeyPath) -> str:
    return next((origin for layer in layers if (origin := layer.origin(path))), "default")


def _layers(found: list[Source], variables: dict[str, str]) -> tuple[list[Layer], list[Problem]]:
    """The layers, strongest first, and every error in them."""
    problems: list[Problem] = []
    layers = [environment_layer(variables, problems)]
    for level in LEVELS:
        present = [source for source in found if source.level == level and source.exists]
        read = [source for source in present if not source.path.endswith(STRANGE)]
        problems += _strange(present, read)
        layers += [_layer(source, problems) for source in read]
    return layers, problems


def _strange(present: list[Source], read: list[Source]) -> list[Problem]:
    """Files of a format that is not read: alone a mistake, beside a TOML file an ambiguity."""
    return [_strange_file(source.path, read) for source in present if source not in read and source.known]


def _strange_file(path: str, read: list[Source]) -> Problem:
    if read:
        message = f"there is {read[0].path} as well, and only one of them can hold the settings"
        return Problem(place=path, message=message, hint=f"move what is needed and rm {path}")
    better = Path(path).with_suffix(".toml").name
    return Problem(place=path, message="is not read: settings are TOML", hint=f"write it as {better}")


def _layer(source: Source, problems: list[Problem]) -> Layer:
    if source.level in ("dotenv", "project") and (problem := _not_trusted(source.path)):
        problems.append(problem)
        return NOTHING
    return dotenv_layer(source.path, problems) if source.level == "dotenv" else _file(source.path, problems)


def _not_trusted(path: str) -> Problem | None:
    """A file that lies about in a folder must be the user's own, or root's, and not writable for all."""
    try:
        state = Path(path).stat()
    except OSError:
        return None  # reading it says why
    if state.st_uid not in (os.geteuid(), 0):
        message = f"belongs to user {state.st_uid}, not to you, so it is not obeyed"
        return Problem(
            place=path, message=message, hint=f"chown {os.geteuid()} {path}, or work in another folder"
        )
    if state.st_mode & stat.S_IWOTH:
        return Problem(
            place=path, message="is writable for everybody, so it is not obeyed", hint=f"chmod o-w {path}"
        )
    return None


def _file(path: str, problems: list[Problem]) -> Layer:
    document, errors = read_document(path)
    problems += errors
    if document is None:
        return NOTHING
    problems += check(document.data, lambda key: "{}:{}:{}".format(path, *document.place(key)), strict=True)
    origins = {key: f"{path}:{document.place(key)[0]}" for key, _ in leaf_values(document.data)}
    return Layer(document.data, origins)
