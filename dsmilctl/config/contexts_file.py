"""Contexts file: `contexts.toml`, checked as strictly as the settings, written without losing a comment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from dsmilctl.config.contexts import BUILTIN, NAME, Context, DriverUse, Server, fleet_of
from dsmilctl.config.contexts_url import wrong_url
from dsmilctl.config.document import Document, KeyPath, read_document
from dsmilctl.config.edit import open_document, with_table, without
from dsmilctl.config.private import replace_file
from dsmilctl.config.problem import Problem, raise_for
from dsmilctl.errors import nearest
from dsmilctl.redaction import is_secret_name

OWN_KEYS = {
    "driver": str,
    "options": dict,
    "drivers": list,
    "read_only": bool,
    "fleet": str,
    "description": str,
    "file": str,
    "url": str,
    "ca": str,
    "certificate": str,
    "insecure": bool,
}
"""What a context may say, and the type of it."""

WAYS = ("driver", "drivers", "file", "url")
"""What a context talks to: one of these says it."""

OF_SERVERS = ("ca", "certificate", "insecure")
"""What only the context of a server may say."""

BUILTIN_KEYS = {"options": dict, "read_only": bool}
"""What may be said about a context that is always there."""

USE_KEYS = {"driver": str, "options": dict}
"""What one entry of `drivers` may say."""

TYPES = {str: "text", dict: "a table", list: "a list", bool: "true or false"}


def read(file: str) -> tuple[Context, ...]:
    """The contexts of a file; raises ConfigError with every error in it."""
    document, problems = _judged(file)
    raise_for(problems)
    written = document.data.get("contexts", {}) if document else {}
    return tuple(_context(name, body) for name, body in written.items())


def problems_of(file: str) -> list[Problem]:
    """Every error in a contexts file."""
    return _judged(file)[1]


def _judged(file: str) -> tuple[Document | None, list[Problem]]:
    document, problems = read_document(file)
    if document:
        problems += [_problem(file, document, *found) for found in _wrong(document.data)]
    return document, problems


def _problem(file: str, document: Document, path: KeyPath, message: str, hint: str) -> Problem:
    place = "{}:{}:{}".format(file, *document.place(path))
    return Problem(place=place, message=message, key=".".join(map(str, path)), hint=hint)


Wrong = Iterator[tuple[KeyPath, str, str]]
"""Where something is wrong, what, and a hint."""


def _wrong(data: Mapping[str, Any]) -> Wrong:
    yield from _wrong_keys(data, (), {"contexts": dict})
    entries = data.get("contexts")
    for name, body in entries.items() if isinstance(entries, dict) else ():
        path = ("contexts", name)
        if not re.fullmatch(NAME, name):
            yield (
                path,
                f"{name!r} cannot be the name of a context",
                "letters, digits, '.', '_' and '-', at most 64",
            )
        elif not isinstance(body, dict):
            yield path, f"context {name} should be a table", f"[contexts.{name}]"
        else:
            yield from _wrong_context(name, body, path)


def _wrong_context(name: str, body: Mapping[str, Any], path: KeyPath) -> Wrong:
    if name in BUILTIN:
        hint = f"a built-in context takes only {' and '.join(BUILTIN_KEYS)}"
        yield from _wrong_keys(body, path, BUILTIN_KEYS, hint)
        return
    yield from _wrong_keys(body, path, OWN_KEYS)
    if sum(way in body for way in WAYS) != 1:
        yield path, f"context {name} should have one of driver, drivers, file and url", 'driver = "host"'
    if isinstance(body.get("url"), str) and (wrong := wrong_url(body["url"], body.get("insecure") is True)):
        yield (*path, "url"), *wrong
    for key in OF_SERVERS:
        if key in body and "url" not in body:
            yield (*path, key), f"{key} belongs to the context of a server", 'url = "https://host:8443"'
    if "options" in body and "driver" not in body:
        yield (*path, "options"), "options belong to one driver", "put them into the entries of drivers"
    if isinstance(body.get("fleet"), str) and not re.fullmatch(NAME, body["fleet"]):
        yield (
            (*path, "fleet"),
            f"{body['fleet']!r} cannot be the name of a fleet",
            "letters, digits, '.', '_', '-'",
        )
    yield from _wrong_uses(body.get("drivers"), path)


def _wrong_uses(uses: Any, path: KeyPath) -> Wrong:
    if uses == []:
        yield (*path, "drivers"), "drivers is empty", 'drivers = ["host"]'
    for number, use in enumerate(uses if isinstance(uses, list) else ()):
        place = (*path, "drivers", number)
        if isinstance(use, dict):
            yield from _wrong_keys(use, place, USE_KEYS)
            if "driver" not in use:
                yield place, "an entry of drivers should name its driver", 'driver = "host"'
        elif not isinstance(use, str):
            yield place, "an entry of drivers should be a name or a table", 'drivers = ["host"]'


def _wrong_keys(body: Mapping[str, Any], path: KeyPath, known: Mapping[str, type], hint: str = "") -> Wrong:
    for key, value in body.items():
        if key not in known:
            yield (
                (*path, key),
                f"unknown key {key!r}",
                hint or nearest(key, known) or f"known: {', '.join(known)}",
            )
        elif not isinstance(value, known[key]):
            yield (*path, key), f"{key} should be {TYPES[known[key]]}", ""


def _context(name: str, body: Mapping[str, Any]) -> Context:
    read_only = body.get("read_only", False)
    if name in BUILTIN:
        (use,) = BUILTIN[name].drivers
        own = DriverUse(use.driver, body.get("options", {}))
        return msgspec.structs.replace(BUILTIN[name], drivers=(own,), read_only=read_only)
    if "url" in body or "file" in body:
        return _elsewhere(name, body)
    uses = body.get("drivers") or [{"driver": body["driver"], "options": body.get("options", {})}]
    drivers = tuple(_use(use) for use in uses)
    return Context(
        name=name,
        drivers=drivers,
        read_only=read_only,
        target=target_of(drivers),
        fleet=body.get("fleet") or fleet_of(drivers),
        description=body.get("description", ""),
    )


def _elsewhere(name: str, body: Mapping[str, Any]) -> Context:
    """A context whose devices another place names: a fleet file, or a server."""
    server = None
    if "url" in body:
        facts: dict[str, Any] = {key: body[key] for key in ("url", *OF_SERVERS) if key in body}
        server = Server(**facts)
    return Context(
        name=name,
        kind="remote" if server else "local",
        read_only=body.get("read_only", False),
        target=body["url"] if server else body["file"],
        description=body.get("description", ""),
        server=server,
        file=body.get("file", ""),
    )


def _use(use: str | Mapping[str, Any]) -> DriverUse:
    return DriverUse(use) if isinstance(use, str) else DriverUse(use["driver"], dict(use.get("options", {})))


def target_of(drivers: tuple[DriverUse, ...]) -> str:
    """What a context talks to, for a reader; the values of secret options are not shown."""
    return " + ".join(use.driver + _options(use.options) for use in drivers)


def _options(options: Mapping[str, Any]) -> str:
    shown = (f"{key}={'***' if is_secret_name(key) else value}" for key, value in options.items())
    return f" ({', '.join(shown)})" if options else ""


def has_secrets(contexts: tuple[Context, ...]) -> bool:
    """Whether an option looks like a secret; such contexts are not kept anywhere else."""
    return any(
        is_secret_name(str(key))
        for context in contexts
        for use in context.drivers
        for key in _all_keys(use.options)
    )


def _all_keys(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield key
            yield from _all_keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _all_keys(inner)


def append(file: Path, context: Context) -> None:
    """Add a context at the end of the file; raises ConfigError and then changes nothing."""
    document = open_document(file)
    text = with_table(document, ("contexts", context.name), _body(context))
    after = Document(text)
    raise_for([_problem(str(file), after, *found) for found in _wrong(after.data)])
    replace_file(file, text.encode())


def _body(context: Context) -> dict[str, Any]:
    """What the file says about a context; what goes without saying is left out."""
    uses = [{"driver": use.driver, "options": use.options} for use in context.drivers]
    body: dict[str, Any] = uses[0] if len(uses) == 1 else {"drivers": uses}
    if context.server is not None:
        said = msgspec.to_builtins(context.server)
        body = {key: value for key, value in said.items() if value not in ("", False)}
    elif context.file:
        body = {"file": context.file}
    body |= {"read_only": True} if context.read_only else {}
    apart = context.drivers and context.fleet not in ("", fleet_of(context.drivers))
    body |= {"fleet": context.fleet} if apart else {}
    return body | ({"description": context.description} if context.description else {})


def remove(file: Path, name: str) -> None:
    """Take a context out of the file; raises ConfigError and then changes nothing."""
    replace_file(file, without(open_document(file), ("contexts", name)).encode())
