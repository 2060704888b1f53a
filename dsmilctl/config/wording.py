"""Wording: checks values against the schema and says in plain words what is wrong and what is right."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from dsmilctl.config.document import KeyPath
from dsmilctl.config.problem import Problem, raise_for
from dsmilctl.config.schema import SettingsSchema
from dsmilctl.config.sources import NOT_SETTINGS, PREFIX
from dsmilctl.errors import ConfigError, nearest

SHOWN = 60
"""Characters of a wrong value that an error repeats."""

MOST = 50
"""How many errors of one source are told."""

PLAIN: dict[Any, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def check(values: dict[str, Any], place: Callable[[KeyPath], str], *, strict: bool) -> list[Problem]:
    """Every error in `values`; `strict` where the source has types (TOML), otherwise text is converted."""
    try:
        SettingsSchema.model_validate(values, strict=strict)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
        problems = [_problem(one["type"], one["loc"], one["input"], place) for one in found[:MOST]]
        return problems + _more(len(found) - MOST)
    return []


def _more(count: int) -> list[Problem]:
    return [Problem(place="", message=f"and {count} more")] if count > 0 else []


def _problem(kind: str, location: KeyPath, value: Any, place: Callable[[KeyPath], str]) -> Problem:
    path = tuple(part for part in location if part != "[key]")
    key = ".".join(str(part) for part in path)
    if kind == "extra_forbidden":
        siblings = _names(path[:-1])
        hint = nearest(str(path[-1]), siblings) or "dsmilctl config show lists every setting"
        return Problem(place=place(path), message=f"unknown setting {key!r}", key=key, hint=hint)
    message = f"{key} should be {expected(path)}, not {_shown(value)}"
    return Problem(place=place(path), message=message, key=key)


def _names(table: KeyPath) -> list[str]:
    return [str(path[-1]) for path in (*leaves(), *tables()) if path[:-1] == table]


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def expected(path: KeyPath) -> str:
    """What a setting takes, with unit and limits: `a number of seconds above 0, at most 3600`."""
    field = field_of(path)
    if field is None:
        return f"one of {', '.join(_choices(path[:-1]))}" if _choices(path[:-1]) else "something else"
    if _choices(path) and get_origin(field.annotation) is Literal:
        return f"one of {', '.join(_choices(path))}"
    if path in tables():
        return f"a table of {', '.join(_names(path))}" if _names(path) else "a table of part = level"
    if field_pattern(field):
        return "a name of letters, digits, '.', '_' and '-'"
    return PLAIN[field.annotation or str] + _unit(field) + _limits(field)


def field_of(path: KeyPath) -> FieldInfo | None:
    """The schema's field of a path, or None for an entry of a free table."""
    model: Any = SettingsSchema
    field: FieldInfo | None = None
    for part in path:
        fields = model.model_fields if isinstance(model, type) and issubclass(model, BaseModel) else {}
        field = fields.get(str(part))
        model = field.annotation if field else None
    return field


def _choices(path: KeyPath) -> list[str]:
    """The words that a field, or the entries of a free table, may have."""
    field = field_of(path)
    kind: Any = field.annotation if field else None
    if get_origin(kind) is dict:
        kind = get_args(kind)[1]
    return [str(choice) for choice in get_args(kind)] if get_origin(kind) is Literal else []


def field_pattern(field: FieldInfo) -> str | None:
    """The regular expression that a text setting has to match."""
    return next((rule.pattern for rule in field.metadata if getattr(rule, "pattern", None)), None)


def _unit(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    return f" of {extra['unit']}" if isinstance(extra, dict) and "unit" in extra else ""


def _limits(field: FieldInfo) -> str:
    words = {"gt": " above {}", "ge": " from {}", "le": " up to {}"}
    limits = ((text, getattr(rule, name, None)) for rule in field.metadata for name, text in words.items())
    return "".join(text.format(limit) for text, limit in limits if limit is not None)


def _walk(model: type[BaseModel], path: KeyPath) -> Iterator[tuple[KeyPath, bool]]:
    for name, field in model.model_fields.items():
        kind: Any = field.annotation
        nested = isinstance(kind, type) and issubclass(kind, BaseModel)
        yield (*path, name), nested or get_origin(kind) is dict
        if nested:
            yield from _walk(kind, (*path, name))


def leaves() -> list[KeyPath]:
    """The paths of all settings that have one value, in the order of the schema."""
    return [path for path, table in _walk(SettingsSchema, ()) if not table]


def tables() -> list[KeyPath]:
    """The paths of all tables of settings, in the order of the schema."""
    return [path for path, table in _walk(SettingsSchema, ()) if table]


def entries() -> list[KeyPath]:
    """The paths of everything that can be set: single values and tables whose names are free."""
    return [path for path, table in _walk(SettingsSchema, ()) if not table or not _names(path)]


def unknown_variable(name: str, place: str) -> Problem:
    """An error for a `DSMIL_` variable that nobody reads."""
    known = [PREFIX + "__".join(str(part) for part in path).upper() for path in (*leaves(), *tables())]
    hint = nearest(name, [*known, *sorted(NOT_SETTINGS)]) or f"unset {name}"
    return Problem(place=place, message=f"unknown variable {name}", key=name, hint=hint)


def path_of(key: str) -> KeyPath:
    """The path that a dotted key means; in a free table (`log_levels.drivers.host`) the rest is one name."""
    first, _, rest = key.partition(".")
    if (first,) in tables() and not _names((first,)) and rest:
        return (first, rest)
    return tuple(key.split("."))


def converted(path: KeyPath, text: str) -> Any:
    """The value that a text means for a setting; raises ConfigError."""
    key = ".".join(str(part) for part in path)
    if path in tables():
        inner = _names(path)[0] if _names(path) else "PART"
        raise ConfigError(f"{key} is a table", hint=f"set one of its entries: {key}.{inner}", target=key)
    values: Any = text
    for part in reversed(path):
        values = {str(part): values}
    raise_for(check(values, lambda _: "", strict=False))
    found: Any = SettingsSchema.model_validate(values).model_dump()
    for part in path:
        found = found[part]
    return found
