"""`dsmilctl system`: status, capabilities and health of the context."""

from __future__ import annotations

from typing import Any

from dsmilctl.client.interface import Client
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.runner import Result, run
from dsmilctl.diagnostics import EXIT_CODES

app = Noun("system")
UNHEALTHY = next(code for code, meaning in EXIT_CODES.items() if "problems" in meaning)


@app.command(impact="read")
def status() -> None:
    """Show what the fleet is made of and how it is.

    Example: dsmilctl -C sim system status -o json
    """
    run(show_status, None, schema="system.status/1")


async def show_status(client: Client, options: None) -> dict[str, Any]:
    """Counts, stops, drivers, and what was looked for and not found."""
    del options
    return await client.system_status()


@app.command(impact="read")
def capabilities() -> None:
    """Show what this context can do: operations, limits, drivers.

    Example: dsmilctl -C sim system capabilities -o json
    """
    run(show_capabilities, None, schema="system.capabilities/1")


async def show_capabilities(client: Client, options: None) -> dict[str, Any]:
    """Operations, limits and drivers."""
    del options
    return await client.capabilities()


@app.command(impact="read")
def health() -> None:
    """Check that each part works; exit status 9 when one does not.

    It is quick: no device is read, and of the journal only the end.  What was looked at is said of each part.

    Example: dsmilctl -C local system health
    """
    run(show_health, None, schema="system.health/1")


async def show_health(client: Client, options: None) -> Result:
    """Each part as `ok` or what is wrong with it."""
    del options
    found = await client.health()
    status = 0 if found["status"] == "healthy" else UNHEALTHY
    return Result(found, status, page=_page(found))


def _page(found: dict[str, Any]) -> dict[str, Any]:
    """What people are shown: each part with what was checked beside it."""
    checked = found.get("checked", {})
    parts = {
        name: {"state": state, "checked": checked.get(name)} for name, state in found["components"].items()
    }
    return {name: value for name, value in found.items() if name != "checked"} | {"components": parts}
