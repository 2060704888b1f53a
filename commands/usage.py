"""Usage: what may stand behind a verb, and each argument and option as a line of its help page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from dsmilctl.commands.help_page import Entry
from dsmilctl.commands.nouns import Verb


def usage_of(verb: Verb, own: Sequence[Any]) -> str:
    """What may stand behind a verb, with the options that it needs: `NAME --driver NAME [OPTIONS]`."""
    return verb.usage or " ".join([*_needed(own), "[OPTIONS]"])


def _needed(own: Sequence[Any]) -> Iterator[str]:
    yield from (_argument(item) for item in own if item.param_type_name == "argument")
    for item in own:
        if item.param_type_name == "option" and item.required:
            yield _option(item)


def entry_of(parameter: Any) -> Entry:
    """A parameter as a line of the help page; a default is told where it is not obvious."""
    if parameter.param_type_name == "argument":
        return _argument(parameter), parameter.help or ""
    return _option(parameter), (parameter.help or "") + _default(parameter)


def _argument(parameter: Any) -> str:
    """An argument in a usage line: in brackets where it may be left out, with dots for several."""
    name = str(parameter.metavar or parameter.name).strip("[]. ")
    return (name if parameter.required else f"[{name}]") + ("..." if parameter.nargs == -1 else "")


def _option(parameter: Any) -> str:
    """An option with all its names, the short one first, and what it takes."""
    names = ", ".join(sorted([*parameter.opts, *parameter.secondary_opts], key=len))
    return names if parameter.is_flag or parameter.count else f"{names} {parameter.metavar}"


def _default(parameter: Any) -> str:
    if parameter.required:
        return " (needed)"
    if parameter.is_flag or parameter.default in (None, "", 0) or callable(parameter.default):
        return ""
    shown = f"{parameter.default:g}" if isinstance(parameter.default, float) else parameter.default
    return f" (default: {shown})"
