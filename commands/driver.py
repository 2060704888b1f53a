"""`dsmilctl driver`: the installed drivers, what they can do, and switching them off."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from dsmilctl.client.interface import Client, DriverInfo
from dsmilctl.clock import rfc3339
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.runner import run
from dsmilctl.errors import NotFound, nearest
from dsmilctl.tables import Column

app = Noun("driver")

DRIVER_COLUMNS = (
    Column("name", "DRIVER"),
    Column("version"),
    Column("enabled"),
    Column("capabilities"),
    Column("summary", flexible=True),
    Column("problem", flexible=True, sparse=True),
    Column("distribution", wide=True),
    Column("reason", wide=True),
    Column("changed", wide=True),
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="the driver's name")]


def driver_row(info: DriverInfo) -> dict[str, Any]:
    """A driver as `driver list` shows it."""
    row = msgspec.to_builtins(info)
    row["changed"] = None if info.changed is None else rfc3339(info.changed)
    return {key: (value or None) if isinstance(value, str) else value for key, value in row.items()}


@app.command("list", impact="read")
def list_() -> None:
    """List the installed drivers; one that cannot be used says why and how to mend it.

    Example: dsmilctl driver list
    """
    run(list_drivers, None, schema="driver.list/1", columns=DRIVER_COLUMNS)


async def list_drivers(client: Client, options: None) -> list[dict[str, Any]]:
    """Every installed driver."""
    del options
    found = await client.drivers()
    _remember(found)
    return [driver_row(info) for info in found]


def _remember(found: list[DriverInfo]) -> None:
    from dsmilctl.config.completion import CompletionWords
    from dsmilctl.config.paths import paths

    CompletionWords(paths().completion_cache).keep_drivers((info.name, info.summary) for info in found)


@app.command(impact="read")
def show(name: Name) -> None:
    """Show one driver: capabilities, commands, where it comes from, and what it looked for in vain.

    What is absent is known of a driver that the context uses; its reason is told beside each part.

    Example: dsmilctl -C local driver show host
    """
    run(show_driver, name, schema="driver.show/1")


async def show_driver(client: Client, name: str) -> dict[str, Any]:
    """One driver."""
    found = {info.name: info for info in await client.drivers()}
    if name not in found:
        hint = nearest(name, found) or "dsmilctl driver list"
        raise NotFound(f"no driver {name!r}", hint=hint, target=name)
    return driver_row(found[name]) | {"absent": await client.absent(name)}


@app.command(impact="write")
def enable(name: Name, reason: Annotated[str, typer.Option(metavar="TEXT", help="why")] = "") -> None:
    """Enable a driver again.

    Example: dsmilctl driver enable sim
    """
    run(switch, (name, True, reason), schema="driver.enable/1")


@app.command(impact="write")
def disable(name: Name, reason: Annotated[str, typer.Option(metavar="TEXT", help="why")] = "") -> None:
    """Disable a driver: its devices are closed, and no context opens them until it is enabled.

    On a server it is disabled there, for everybody: that takes TOP_SECRET and a reason.  A server that runs
    already is told over the network (-C), not by a file beside it.

    Example: dsmilctl driver disable sim --reason 'bench is being rewired'
    """
    run(switch, (name, False, reason), schema="driver.disable/1")


async def switch(client: Client, options: tuple[str, bool, str]) -> dict[str, Any]:
    """The driver with its new switch."""
    name, enabled, reason = options
    return driver_row(await client.set_driver(name, enabled=enabled, reason=reason))
