"""`dsmilctl context`: what dsmilctl talks to."""

from __future__ import annotations

from pathlib import Path
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
    Server,
    add_context,
    contexts,
    current_name,
    find_context,
    fleet_of,
    previous_context,
    remove_context,
    use_context,
)
from dsmilctl.config.contexts_url import wrong_url
from dsmilctl.errors import DSMILError, InvalidParameter, UsageError
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
    if context.server is not None:
        row["server"] = msgspec.to_builtins(context.server)
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
    url: Annotated[str, typer.Option(metavar="URL", help="the server to talk to")] = "",
    fleet: Annotated[str, typer.Option(metavar="FILE", help="the fleet file that names its devices")] = "",
    driver: Annotated[str, typer.Option(metavar="NAME", help="the driver that reaches its devices")] = "",
    option: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="an option of the driver")
    ] = None,
    ca: Annotated[str, typer.Option(metavar="FILE", help="the authority of the server's certificate")] = "",
    cert: Annotated[
        str, typer.Option(metavar="FILE", help="the certificate that shows who one is: .pem or .p12")
    ] = "",
    insecure: Annotated[
        bool, typer.Option("--insecure", help="take any certificate, or none at all")
    ] = False,
    read_only: Annotated[bool, typer.Option("--read-only", help="let no change through, ever")] = False,
) -> None:
    """Add a context: a server, a fleet file, or a driver with options of its own.

    Example: dsmilctl context add plant --url https://plant.example:8443 --ca plant-ca.pem
    Example: dsmilctl context add hall --fleet hall.yaml
    Example: dsmilctl context add big --driver sim --option devices=10000
    """
    if sum(map(bool, (url, fleet, driver))) != 1:
        raise UsageError("a context talks to one thing", hint="--url URL, --fleet FILE or --driver NAME")
    if url and (wrong := wrong_url(url, insecure)):
        message, hint = wrong
        raise UsageError(f"--url: {message}", hint=hint, target="--url")
    if not url and (ca or cert or insecure):
        raise UsageError("--ca, --cert and --insecure belong to a server", hint="--url https://host:8443")
    if option and not driver:
        raise UsageError("--option belongs to a driver", hint="--driver NAME")
    server = Server(url=url, ca=_file(ca), certificate=_file(cert), insecure=insecure) if url else None
    drivers = (DriverUse(driver, _options(option or [])),) if driver else ()
    add_context(
        Context(
            name=name,
            kind="remote" if url else "local",
            drivers=drivers,
            read_only=read_only,
            target=url or fleet or f"driver {driver}",
            fleet=fleet_of(drivers) if drivers else "",
            server=server,
            file=_file(fleet),
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


def _file(name: str) -> str:
    """The file that a context is to find from any folder; raises InvalidParameter for one that is none."""
    if not name:
        return ""
    file = Path(name).absolute()
    if not file.is_file():
        raise InvalidParameter(f"there is no file {file}", hint="name a file that is there", target=name)
    return str(file)


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
    found = find_context(name)
    row = context_row(found)
    _forget_login(found)
    remove_context(name)
    _remember()
    show_result(row | {"current": False}, schema="context.remove/1")


def _forget_login(context: Context) -> None:
    """Take the login of a remote context away with it."""
    if context.server is None:
        return
    from dsmilctl.client.remote.opening import login_store
    from dsmilctl.config.settings import load_settings

    store = login_store(context, load_settings())
    store.forget()
    store.keep_service_token("")
