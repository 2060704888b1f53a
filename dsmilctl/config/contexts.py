"""Contexts: what a command talks to.  `local` and `sim` exist without any configuration.

`contexts.toml` in the config folder holds the user's own; which one is chosen is state, not configuration.
"""

from __future__ import annotations

import logging
import os
import re
from typing import Any

import msgspec

from dsmilctl import __version__
from dsmilctl.config import cache
from dsmilctl.config.paths import Paths, paths
from dsmilctl.config.settings import load_settings, origins
from dsmilctl.config.sources import Source, identity
from dsmilctl.decoding import UNDECODABLE
from dsmilctl.errors import ConfigError, Conflict, NotFound, UsageError, nearest

LOGGER = logging.getLogger("dsmilctl.config")
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
"""What a context may be called; every such name is safe as a file name."""

REPLAY = "replay:"
"""What stands before a recording's id or name, or `last`, where one is a context of its own."""

SIM_OPTIONS = "DSMIL_SIM_OPTIONS"
"""A JSON object of options for every `sim` driver, for tests and demos: `{"devices": 10000}`."""


class DriverUse(msgspec.Struct, frozen=True):
    """One driver of a context with its options, as the driver's own model will check them.

    `name` tells several of one driver apart; without one it is the driver's.
    """

    driver: str
    options: dict[str, Any] = {}
    name: str = ""


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """The server of a remote context.

    `ca` is a file of further authorities, `certificate` one with the client's certificate and key;
    `insecure` lets its certificate go unverified, or the conversation unencrypted.
    """

    url: str
    ca: str = ""
    certificate: str = ""
    insecure: bool = False


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What a command talks to: drivers, the devices of a fleet file, or a server.

    `target` says it to a reader.  `fleet` is the key of latch, lock and state: contexts over the same drivers
    are the same fleet, whatever they are called and however the options change, so that a stop holds for
    all of them; `fleet` in the contexts file sets a fleet apart.  `aliases` are further keys of the same
    fleet: who shares one with it is the same fleet.  `broken` are parts of a fleet file that are wrong, and
    why: in an emergency the others are stopped.
    """

    name: str
    kind: str = "local"
    drivers: tuple[DriverUse, ...] = ()
    read_only: bool = False
    target: str = ""
    fleet: str = ""
    aliases: tuple[str, ...] = ()
    broken: dict[str, str] = {}
    builtin: bool = False
    description: str = ""
    server: Server | None = None
    file: str = ""


BUILTIN = {
    "local": Context(
        name="local",
        drivers=(DriverUse("host"),),
        target="this machine",
        fleet="local",
        builtin=True,
        description="The sensors of this machine.",
    ),
    "sim": Context(
        name="sim",
        drivers=(DriverUse("sim"),),
        target="simulated devices",
        fleet="sim",
        builtin=True,
        description="The simulated DSMIL devices.",
    ),
}
"""The contexts that are always there."""


class _Kept(msgspec.Struct, frozen=True):
    contexts: tuple[Context, ...]


class _Choice(msgspec.Struct, frozen=True):
    current: str = ""
    previous: str = ""


def contexts() -> list[Context]:
    """Every context, the built-in ones first; raises ConfigError with every error of the contexts file."""
    found = {**BUILTIN, **{context.name: context for context in _written(paths())}}
    return [simulated(context) for context in found.values()]


def find_context(name: str = "", *, despite_errors: bool = False) -> Context:
    """The context of that name; without one the configured, the chosen, or `local`.  Raises NotFound.

    Where the configuration is wrong, `despite_errors` still finds what the rest of it says by its name.
    """
    try:
        wanted = name or current_name()
        known = {context.name: context for context in contexts()}
    except ConfigError as error:
        if despite_errors and (found := _legible().get(name)) is not None:
            LOGGER.warning("%s", error.message)
            return found
        raise
    if wanted.startswith(REPLAY):
        return Context(name=wanted, kind="replay", read_only=True, target=wanted.removeprefix(REPLAY))
    if wanted not in known:
        hint = nearest(wanted, known) or "dsmilctl context list shows every context"
        raise NotFound(f"no context {wanted!r}", hint=hint, target=wanted)
    return known[wanted]


def _legible() -> dict[str, Context]:
    """The contexts that can be read where something is wrong, without the environment's options."""
    try:
        return BUILTIN | {context.name: context for context in _written(paths())}
    except ConfigError:
        return BUILTIN


def current_name() -> str:
    """The context in force: environment and settings, then `context use`, then `local`."""
    return load_settings().context or _choice(paths()).current or "local"


def current_origin() -> str:
    """Where the context in force comes from: as `settings.origins` tells it, or `context use (FILE)`."""
    if load_settings().context:
        return origins()["context"][1]
    folders = paths()
    return f"context use ({folders.current_context_file})" if _choice(folders).current else "default"


def use_context(name: str) -> Context:
    """Choose a context for the commands to come; raises NotFound, and Conflict if a setting overrules it."""
    if not name:
        raise UsageError("the name of the context is empty", hint="dsmilctl context list", target="NAME")
    context = find_context(name)
    _require_effect(name)
    folders = paths()
    try:
        chosen = _choice(folders).current or "local"
    except ConfigError:
        chosen = "local"  # what cannot be read is replaced now
    if chosen != name:
        _choose(folders, _Choice(current=name, previous=chosen))
    return context


def _require_effect(name: str) -> None:
    """Raise Conflict where the choice would not be in force: changes would go elsewhere."""
    setting = load_settings().context
    if setting in ("", name):
        return
    origin = origins()["context"][1]
    hint = "unset DSMIL_CONTEXT" if origin.startswith("environment") else f"take `context` out of {origin}"
    raise Conflict(f"the setting context = {setting!r} overrules a choice ({origin})", hint=hint, target=name)


def previous_context() -> Context:
    """Go back to the context chosen before; raises NotFound where there was none."""
    previous = _choice(paths()).previous
    if not previous:
        raise NotFound("no context was chosen before", hint="dsmilctl context use NAME chooses one")
    return use_context(previous)


def add_context(context: Context) -> None:
    """Write a context into the contexts file; raises ConfigError, UsageError for a name that is taken."""
    from dsmilctl.config.contexts_file import append

    check_name(context.name)
    if context.name in {known.name for known in contexts()}:
        hint = f"dsmilctl context remove {context.name}, or take another name"
        raise UsageError(f"there is a context {context.name!r} already", hint=hint, target=context.name)
    append(paths().contexts_file, context)


def remove_context(name: str) -> None:
    """Take a context out of the contexts file; whoever had chosen it is back at `local`."""
    from dsmilctl.config.contexts_file import remove

    if name in BUILTIN:
        raise UsageError(f"context {name!r} is built in and cannot be removed", target=name)
    find_context(name)
    folders = paths()
    remove(folders.contexts_file, name)
    choice = _choice(folders)
    if name in (choice.current, choice.previous):
        kept = _Choice(*("" if chosen == name else chosen for chosen in (choice.current, choice.previous)))
        _choose(folders, kept)


def check_name(name: str) -> None:
    """Raise UsageError where a context cannot be called so."""
    if not re.fullmatch(NAME, name):
        hint = "letters, digits, '.', '_' and '-', at most 64, the first a letter or digit"
        raise UsageError(f"{name!r} cannot be the name of a context", hint=hint, target=name)


def fleet_of(drivers: tuple[DriverUse, ...]) -> str:
    """The key of the fleet that these drivers make up when nothing else is said."""
    names = sorted({use.driver for use in drivers})
    return "local" if names == ["host"] else "+".join(names)


def _written(folders: Paths) -> tuple[Context, ...]:
    file = str(folders.contexts_file)
    found = [Source("contexts", file, identity(file))]
    if not found[0].exists:
        return ()
    key = f"{__version__} {file} {found[0].identity}"
    kept = cache.load(folders.settings_cache, found, key, _Kept)
    if kept is None:
        from dsmilctl.config.contexts_file import has_secrets, read

        kept = _Kept(read(file))
        if not has_secrets(kept.contexts):
            cache.keep(folders.settings_cache, found, key, kept)
    return kept.contexts


def simulated(context: Context) -> Context:
    """The context with the options that the environment has for the simulator."""
    text = os.environ.get(SIM_OPTIONS, "")
    if not text or not any(use.driver == "sim" for use in context.drivers):
        return context
    try:
        options = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError) as error:
        hint = f"{SIM_OPTIONS}='{{\"devices\": 10000}}'"
        raise ConfigError(f"{SIM_OPTIONS} is not a JSON object", hint=hint, target=SIM_OPTIONS) from error
    drivers = tuple(
        DriverUse(use.driver, {**use.options, **options}) if use.driver == "sim" else use
        for use in context.drivers
    )
    return msgspec.structs.replace(context, drivers=drivers)


def _choice(folders: Paths) -> _Choice:
    try:
        return msgspec.json.decode(folders.current_context_file.read_bytes(), type=_Choice)
    except (FileNotFoundError, NotADirectoryError):
        return _Choice()
    except (OSError, *UNDECODABLE) as error:
        file = folders.current_context_file
        hint = "dsmilctl context use NAME writes it anew; -C NAME does without it"
        raise ConfigError(f"{file} cannot be read: {error}", hint=hint, target=str(file)) from error


def _choose(folders: Paths, choice: _Choice) -> None:
    from dsmilctl.config.private import private_folder, write_private

    private_folder(folders.state)
    write_private(folders.current_context_file, msgspec.json.encode(choice))
