"""`dsmilctl sim`: the simulated devices."""

from __future__ import annotations

from typing import Any

from dsmilctl.client.interface import Client
from dsmilctl.commands.changes import ensure_person
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.questions import confirm
from dsmilctl.commands.runner import run
from dsmilctl.commands.targets import Yes
from dsmilctl.errors import EmergencyStopActive, InvalidParameter, ReadOnly, Refused

app = Noun("sim")


@app.command(impact="danger")
def reset(yes: Yes = False) -> None:
    """Forget everything that was written to the simulated devices of the context.

    An emergency stop stays in force.

    Example: dsmilctl -C sim sim reset --yes
    """
    ensure_person(yes=yes)
    run(forget, yes, schema="sim.reset/1")


async def forget(client: Client, yes: bool) -> dict[str, Any]:
    """How many devices had something written to them."""
    drivers = (await client.capabilities())["drivers"]
    if "sim" not in drivers:
        hint = "dsmilctl -C sim sim reset"
        raise InvalidParameter(f"context {client.context.name} has no simulated devices", hint=hint)
    if client.context.read_only:
        raise ReadOnly(f"context {client.context.name} is read-only: nothing was reset")
    if stops := await client.stops():
        hint = f"dsmilctl -C {client.context.name} emergency release"
        raise EmergencyStopActive(f"{stops[0].stop_id} is in force: nothing was reset", hint=hint)
    if not yes and not await confirm(f"{client.context.name}: forget all that was written?"):
        raise Refused("nothing was reset")
    return {"context": client.context.name, "devices": await client.forget()}
