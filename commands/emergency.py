"""`dsmilctl emergency`: stop everything, see what is stopped, release it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer

from dsmilctl.client.interface import Client
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.questions import confirm_by_name, require_person
from dsmilctl.commands.rows import STOP_COLUMNS, stop_row
from dsmilctl.commands.runner import Result, run
from dsmilctl.commands.stopping import order_stop
from dsmilctl.commands.targets import Approval, OptionalTargets, selector_of
from dsmilctl.config.contexts import contexts
from dsmilctl.diagnostics import warn
from dsmilctl.errors import ConfirmationRequired, NotFound, Refused
from dsmilctl.model.emergency import Stop

app = Noun("emergency")


@app.command(impact="danger", never_refused=True)
def stop(
    targets: OptionalTargets = "",
    reason: Annotated[str, typer.Option(metavar="TEXT", help="why")] = "",
    deadline: Annotated[str, typer.Option(metavar="DURATION", help="how long to try: 2s, 500ms")] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", hidden=True, help="nothing is asked anyway")] = False,
) -> None:
    """Stop everything, or the devices named.  Never asks.

    The stop is latched on disk first; then every device is driven to its safe state at once, again and again
    until it confirms or the deadline is over.  Exit status 8 when not all confirmed, and when the stop could
    be latched nowhere: it is over with this command then, whatever the devices said.

    Example: dsmilctl -C sim emergency stop --reason 'smoke in the hall'
    Example: dsmilctl -C sim emergency stop 0x8030-0x803B
    """
    del yes  # a stop never asks
    order_stop(selector_of(targets), reason, deadline)


@app.command(impact="read")
def status() -> None:
    """Show the emergency stops in force.

    Example: dsmilctl -C sim emergency status -o json
    """
    run(
        show_status,
        None,
        schema="emergency.status/1",
        columns=STOP_COLUMNS,
        empty="no emergency stop",
        despite_errors=True,
    )


async def show_status(client: Client, options: None) -> Result:
    """Every stop in force."""
    del options
    stops = await client.stops()
    tell_elsewhere(stops, "stopped its devices itself")
    return Result([stop_row(stop) for stop in stops])


@app.command(impact="read")
def history(
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="at most so many")] = 50,
) -> None:
    """Show the emergency stops there were, newest first.

    Example: dsmilctl -C sim emergency history -o wide
    """
    run(
        show_history,
        limit,
        schema="emergency.history/1",
        columns=STOP_COLUMNS,
        empty="no emergency stops",
        despite_errors=True,
    )


async def show_history(client: Client, limit: int) -> Result:
    """Stops, newest first."""
    return Result([stop_row(stop) for stop in await client.stop_history(limit)])


class ReleaseOptions(msgspec.Struct, frozen=True):
    """Which stop is to be ended, why, and the typed name that confirms it."""

    stop_id: str
    justification: str
    confirm: str
    approval: str


@app.command(impact="danger")
def release(
    stop_id: Annotated[str, typer.Argument(metavar="[STOP_ID]", help="without it every stop")] = "",
    justification: Annotated[
        str, typer.Option(metavar="TEXT", help="why it is safe again; the policy may ask for it")
    ] = "",
    confirm: Annotated[
        str, typer.Option(metavar="NAME", help="the context's name, instead of typing it")
    ] = "",
    approval: Approval = "",
) -> None:
    """End an emergency stop.  Devices stay in their safe state until they are told otherwise.

    Example: dsmilctl -C sim emergency release --justification 'smoke was a drill' --confirm sim
    """
    options = ReleaseOptions(stop_id, justification, confirm, approval)
    if not confirm:
        require_person("this releases an emergency stop", "--confirm CONTEXT")
    run(release_stops, options, schema="emergency.release/1", columns=STOP_COLUMNS)


async def release_stops(client: Client, options: ReleaseOptions) -> Result:
    """The stops that were released."""
    name = client.context.name
    standing = await client.stops()
    if not standing:
        raise NotFound("no emergency stop is in force", hint=f"dsmilctl -C {name} emergency history")
    if options.confirm and options.confirm != name:
        message = f"--confirm {options.confirm} is not the name of the context"
        raise ConfirmationRequired(message, hint=f"--confirm {name}", target="--confirm")
    await client.require_release(
        options.stop_id, justification=options.justification, approval=options.approval
    )
    what = options.stop_id or f"{len(standing)} stop{'s' if len(standing) > 1 else ''}"
    if not options.confirm and not await confirm_by_name(f"release {what} of {name}", name):
        raise Refused("nothing was released", hint=f"it takes the name of the context: {name}", target=name)
    released = await client.release(
        options.stop_id,
        justification=options.justification,
        approval=options.approval,
        standing=[stop.stop_id for stop in standing],
    )
    tell_elsewhere(released, "keeps its devices stopped")
    return Result([stop_row(stop) for stop in released])


def context_names() -> dict[str, str]:
    """The contexts of servers, by their URLs."""
    return {item.server.url.rstrip("/"): item.name for item in contexts() if item.server}


def tell_elsewhere(stops: Sequence[Stop], what: str) -> None:
    """Say of other servers that latched a stop of their own that it has to be released there, too."""
    elsewhere = sorted({name for stop in stops for name in stop.elsewhere})
    known = context_names() if elsewhere else {}
    for server in elsewhere:
        name = known.get(server, "NAME")
        add = "" if server in known else f", after: dsmilctl context add NAME --url {server}"
        warn(f"{server} {what} until it is released there, too: dsmilctl -C {name} emergency release{add}")
