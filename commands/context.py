"""`dsmilctl context`: what dsmilctl talks to."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from dsmilctl.commands.execution import execute
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.runner import show as show_result
from dsmilctl.commands.values import free_value
from dsmilctl.config.contexts import (
    Context,
    DriverUse,
    add_context,
    contexts,
    current_name,
    find_context,
    fleet_of,
    previous_context,
    remove_context,
    use_context,
)
from dsmilctl.errors import DSMILError, InvalidParameter
from dsmilctl.tables import Column

app = Noun("context")

CONTEXT_COLUMNS = (
    Column("current", "", text=lambda row: "*" if row["current"] else ""),
    Column("name"),
    Column("kind"),
    Column("target", flexible=True),
    Column("read_only"),
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="the context's name")]


def context_row(context: Context) -> dict[str, Any]:
    """A context as `context list` shows it."""
    return {
        "name": context.name,
        "kind": context.kind,
        "target": context.target,
        "current": context.name == current_name(),
        "read_only": context.read_only,
    }


def _remember() -> None:
    from dsmilctl.config.completion import CompletionWords
    from dsmilctl.config.paths import paths

    words = CompletionWords(paths().completion_cache)
    words.keep_contexts((context.name, context.target) for context in contexts())
    words.keep_current(current_name())


@app.command("list", impact="read")
def list_() -> None:
    """List the contexts; the current one is marked.

    Example: dsmilctl context list
    """
    _remember()
    rows = [context_row(context) for context in contexts()]
    show_result(rows, schema="context.list/1", columns=CONTEXT_COLUMNS)


@app.command(impact="read")
def show(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="without it the current one")] = "",
) -> None:
    """Show one context with its drivers and their options.

    Example: dsmilctl context show sim
    """
    context = find_context(name)
    row = context_row(context) | {
        "description": context.description,
        "fleet": context.fleet,
        "drivers": [msgspec.to_builtins(use) for use in context.drivers],
    }
    show_result(row, schema="context.show/1")


@app.command(impact="write")
def use(name: Name) -> None:
    """Make a context the current one.

    Example: dsmilctl context use local
    """
    chosen = use_context(name)
    _remember()
    show_result(context_row(chosen), schema="context.use/1")


@app.command(impact="write")
def previous() -> None:
    """Go back to the context that was current before.

    Example: dsmilctl context previous
    """
    chosen = previous_context()
    _remember()
    show_result(context_row(chosen), schema="context.previous/1")


@app.command(impact="write")
def add(
    name: Name,
    driver: Annotated[str, typer.Option(metavar="NAME", help="the driver that reaches its devices")],
    option: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="an option of the driver")
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="let no change through, ever")] = False,
) -> None:
    """Add a context over a driver with options of its own.

    Example: dsmilctl context add big --driver sim --option devices=10000
    """
    drivers = (DriverUse(driver, _options(option or [])),)
    add_context(
        Context(
            name=name,
            drivers=drivers,
            read_only=read_only,
            target=f"driver {driver}",
            fleet=fleet_of(drivers),
        )
    )
    try:
        execute(_open(name))
    except DSMILError:
        remove_context(name)
        raise
    _remember()
    show_result(context_row(find_context(name)), schema="context.add/1")


async def _open(name: str) -> None:
    """Open a context and close it again: raises where its driver or its options cannot be."""
    from dsmilctl.client.connecting import connect

    async with connect(name):
        pass


def _options(words: list[str]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not key:
            raise InvalidParameter(f"{word!r} is not KEY=VALUE", hint="--option devices=10000", target=word)
        value = [item for item in text[1:-1].split(",") if item] if text.startswith("[") else None
        options[key] = free_value(text) if value is None else value
    return options


@app.command(impact="write")
def remove(name: Name) -> None:
    """Remove a context; what was recorded of it stays.

    Example: dsmilctl context remove big
    """
    row = context_row(find_context(name))
    remove_context(name)
    _remember()
    show_result(row | {"current": False}, schema="context.remove/1")
