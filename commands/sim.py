"""`dsmilctl sim`: the simulated devices."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from dsmilctl.client.interface import Client
from dsmilctl.commands.changes import ensure_person
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.questions import confirm
from dsmilctl.commands.runner import run
from dsmilctl.commands.targets import Record, RecordInterval, Yes
from dsmilctl.errors import EmergencyStopActive, InvalidParameter, ReadOnly, Refused
from dsmilctl.times import duration

app = Noun("sim")
LONGEST_PAST = 366
"""Days that simulated devices can look back."""


@app.command(impact="write")
def serve(
    port: Annotated[int, typer.Option(metavar="P", min=0, max=65535, help="0 takes a free one")] = 8899,
    devices: Annotated[int, typer.Option(metavar="N", min=1, max=100_000, help="how many")] = 84,
    layout: Annotated[str, typer.Option(metavar="NAME", help="dense or nibble")] = "dense",
    seed: Annotated[int, typer.Option(metavar="N", help="another one gives other signals")] = 0,
    fault: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND:SEL[:ARG]", help="silent, slow, flapping, wrong, disconnect"),
    ] = None,
    rate_limit: Annotated[bool, typer.Option("--rate-limit/--no-rate-limit", help="as a real server")] = True,
    approvals: Annotated[
        bool, typer.Option("--approvals/--no-approvals", help="ask for a second person, as a real server")
    ] = True,
    host: Annotated[bool, typer.Option("--host", help="this machine's own sensors, too")] = False,
    kind: Annotated[str, typer.Option(metavar="KIND", help="dsmil")] = "dsmil",
    past: Annotated[
        str, typer.Option(metavar="DURATION", help="how far back readings reach, failures among them")
    ] = "30d",
    record: Record = False,
    record_interval: RecordInterval = "1s",
) -> None:
    """Serve simulated devices over the DSMIL API on this machine, with demo accounts, until interrupted.

    A fleet of its own: what happens there does not touch the context `sim`.

    Example: dsmilctl sim serve --port 8899
    Example: dsmilctl sim serve --devices 1000 --fault silent:0x8004 --no-rate-limit
    """
    if kind != "dsmil":
        raise InvalidParameter(f"no simulator of kind {kind!r}", hint="dsmil", target="--kind")
    from dsmilctl.commands.serving import recorded_every, serve_simulator

    options: dict[str, Any] = {
        "devices": devices,
        "layout": layout,
        "seed": seed,
        "faults": list(fault or []),
    }
    options["past_days"] = days_of(past)
    serve_simulator(
        port=port,
        options=options,
        rate_limit=rate_limit,
        approvals=approvals,
        host=host,
        record=recorded_every(record_interval, record=record),
    )


def days_of(text: str) -> float:
    """Days of a past; raises InvalidParameter for one of more than a year."""
    days = duration(text) / 86_400
    if days > LONGEST_PAST:
        raise InvalidParameter(
            f"--past cannot be {text}", hint="366d at the most, 0s for none", target="--past"
        )
    return days


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
