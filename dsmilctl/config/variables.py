"""Variables: settings from the environment and from a `.env` file, as layers."""

from __future__ import annotations

from io import StringIO
from typing import Any

import msgspec

from dsmilctl.config.document import KeyPath, read_bounded
from dsmilctl.config.layer import NOTHING, Layer
from dsmilctl.config.problem import Problem
from dsmilctl.config.sources import NOT_SETTINGS, PREFIX
from dsmilctl.config.wording import check, leaves, tables, unknown_variable


def environment_layer(variables: dict[str, str], problems: list[Problem]) -> Layer:
    """What the environment says; its errors are added to `problems`."""
    return _layer(variables, {name: f"environment {name}" for name in variables}, problems)


def dotenv_layer(path: str, problems: list[Problem]) -> Layer:
    """What a `.env` file says of ours; what it says to other programs is not looked at."""
    from dotenv.parser import parse_stream

    content = read_bounded(path, problems)
    if content is None:
        return NOTHING
    found: dict[str, str] = {}
    places: dict[str, str] = {}
    for binding in parse_stream(StringIO(content.decode("utf-8", "replace"))):
        name = binding.key or ""
        if name.startswith(PREFIX) and binding.value and name not in NOT_SETTINGS:
            written = binding.original.string
            blank_lines = written[: len(written) - len(written.lstrip())].count("\n")
            found[name], places[name] = binding.value, f"{path}:{binding.original.line + blank_lines}"
    return _layer(found, places, problems)


def _layer(variables: dict[str, str], places: dict[str, str], problems: list[Problem]) -> Layer:
    """`DSMIL_RECONNECT__CAP` is `reconnect.cap`; a whole table may be given as JSON."""
    values: dict[str, Any] = {}
    origins: dict[KeyPath, str] = {}
    for name, text in sorted(variables.items()):
        path: KeyPath = tuple(name.removeprefix(PREFIX).lower().split("__"))
        if path in tables():
            _put(values, path, _table(name, text, places[name], problems))
        elif path in leaves() or path[:-1] in tables():
            _put(values, path, text)
        else:
            problems.append(unknown_variable(name, places[name]))
        origins[path] = places[name]
    problems += check(values, lambda path: _place(origins, path), strict=False)
    return Layer(values, origins)


def _table(name: str, text: str, place: str, problems: list[Problem]) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError):
        hint = f'{name}={{"key": value}} or {name}__KEY=value'
        problems.append(Problem(place=place, message=f"{name} is not a JSON object", hint=hint))
        return {}


def _put(values: dict[str, Any], path: KeyPath, value: Any) -> None:
    for part in path[:-1]:
        values = values.setdefault(str(part), {})
    name = str(path[-1])
    values[name] = {**values.get(name, {}), **value} if isinstance(value, dict) else value


def _place(origins: dict[KeyPath, str], path: KeyPath) -> str:
    while path and path not in origins:
        path = path[:-1]
    return origins.get(path, "environment")
