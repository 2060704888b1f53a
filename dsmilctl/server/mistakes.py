"""Mistakes: what is wrong with a body, a query or a message, where, and what would be right."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect

from dsmilctl.errors import InvalidParameter, nearest

_PLACE = re.compile(r" - at `(?:key in )?\$([^`]*)`$")
_STEP = re.compile(r"\.(\w+)|\[[^\]]*\]")
_NAMED = re.compile(r"(?:unknown|missing required) field `([^`]+)`")
_CHOICE = re.compile(r"Invalid enum value '?([^'`]*)'?")
LONGEST_LIST = 20
"""Names that a hint lists."""


def mistake(error: msgspec.ValidationError, kind: Any) -> InvalidParameter:
    """What msgspec says of a value that should have been of `kind`, as an error with target and hint."""
    text = str(error)
    found = _PLACE.search(text)
    path = found[1] if found else ""
    named = _NAMED.search(text)
    wanted = _at(kind, path)
    target = named[1] if named else _last_name(path)
    return InvalidParameter(text, hint=_hint(text, target, wanted, missing="missing" in text), target=target)


def _hint(text: str, target: str, wanted: inspect.Type | None, *, missing: bool) -> str:
    if choice := _CHOICE.search(text):
        known = sorted(map(str, _choices(wanted)))
        return nearest(choice[1], known) or (f"{target}: {', '.join(known)}" if known else "")
    fields = [field.encode_name for field in _fields(wanted)]
    offered = nearest(target, fields) if target and not missing else ""
    return offered or (f"fields: {', '.join(fields[:LONGEST_LIST])}" if fields else "")


def _last_name(path: str) -> str:
    names = [name for name in _STEP.findall(path) if name]
    return names[-1] if names else ""


@cache
def _type_of(kind: Any) -> inspect.Type:
    return inspect.type_info(kind)


def _at(kind: Any, path: str) -> inspect.Type | None:
    """The type at a path of msgspec, such as `.operations[0].operation_type`; None where it leads nowhere."""
    here: inspect.Type | None = _plain(_type_of(kind))
    for step in _STEP.finditer(path):
        if step[1]:
            found = {field.encode_name: field.type for field in _fields(here)}.get(step[1])
        else:
            found = getattr(here, "item_type", None) or getattr(here, "value_type", None)
        here = None if found is None else _plain(found)
    return here


def _plain(found: inspect.Type) -> inspect.Type:
    """A type without what is put around it: of an optional one, the one that it is if it is there."""
    if isinstance(found, inspect.Metadata):
        return _plain(found.type)
    if isinstance(found, inspect.UnionType):
        real = [item for item in found.types if not isinstance(item, inspect.NoneType)]
        return _plain(real[0]) if real else found
    return found


def _fields(found: inspect.Type | None) -> tuple[inspect.Field, ...]:
    return found.fields if isinstance(found, inspect.StructType) else ()


def _choices(found: inspect.Type | None) -> tuple[Any, ...]:
    if isinstance(found, inspect.EnumType):
        return tuple(member.value for member in found.cls)
    return tuple(found.values) if isinstance(found, inspect.LiteralType) else ()
