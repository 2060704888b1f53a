"""Serving: a server over an open client, from the first connection to the signal that ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from dsmilctl import diagnostics
from dsmilctl.client.local import LocalClient
from dsmilctl.client.opening import Serving, connect_context
from dsmilctl.commands.execution import execute
from dsmilctl.commands.invocation import invocation
from dsmilctl.commands.runner import end_with
from dsmilctl.config.contexts import Context, DriverUse, simulated
from dsmilctl.config.paths import Paths, file_name, paths
from dsmilctl.errors import ConfigError, InvalidParameter, MissingExtraError
from dsmilctl.times import duration

if TYPE_CHECKING:
    from dsmilctl.server.identity.users import Users

SHORTEST = 0.1
"""Seconds between two readings of a device that a server keeps, at the least."""

EXTRA = "pip install 'dsmilctl[server]'"
ACCOUNTS = (
    "demo accounts: operator / dsmil_op_2024, analyst / dsmil_analyst_2024, admin / dsmil_admin_2024; "
    "supervisor / dsmil_super_2024 is the second person"
)
"""What a new user of the simulator has to know.  Source: the DSMIL API, version 2, demo accounts."""


def serve_simulator(
    *,
    port: int,
    options: dict[str, Any],
    rate_limit: bool,
    approvals: bool,
    host: bool,
    record: float | None = None,
) -> None:
    """Serve simulated devices with the demo accounts on loopback, until interrupted."""
    require_server()
    from dsmilctl.server.assembly import ServerOptions
    from dsmilctl.server.demo_accounts import COST, demo_users
    from dsmilctl.server.fleet_lock import FleetLock
    from dsmilctl.server.gateway import Limits
    from dsmilctl.server.serve import Listening

    drivers = [DriverUse("sim", options)] + ([DriverUse("host", {})] if host else [])
    context = simulated(
        Context(name="sim-serve", drivers=tuple(drivers), target="simulated devices", fleet="sim-serve")
    )
    folders = apart("sim-serve")
    chosen = ServerOptions(limits=Limits(rate_limiting=rate_limit), password_cost=COST)
    with FleetLock(paths(), "sim-serve", target=context.target):
        serving = Serving(rate_limits=rate_limit, approvals=approvals)
        client = connect_context(context, folders=folders, serving=serving)
        serve_client(client, demo_users(), Listening(port=port), chosen, greeting=ACCOUNTS, record=record)


def serve_fleet(
    fleet: Path, users: str, listening: Any, settings: str = "", record: float | None = None
) -> None:
    """Serve a fleet file with its own users, those of this user's server without a file of them."""
    from dsmilctl.client.fleets import fleet_context
    from dsmilctl.server.fleet_lock import FleetLock
    from dsmilctl.server.settings import ServerSettings, read_settings

    context = fleet_context(fleet)
    said = read_settings(Path(settings)) if settings else ServerSettings()
    chosen = said.options(Path(settings).parent)
    known = known_users(users)
    folders = apart(context.fleet)
    with FleetLock(paths(), context.fleet, context.aliases, str(fleet.resolve())):
        serving = Serving(approval_seconds=said.approval_seconds)
        read_only = invocation().read_only
        client = connect_context(
            context, folders=folders, common=paths(), read_only=read_only, serving=serving
        )
        serve_client(client, known, listening, chosen, record=record)


def known_users(file: str) -> Users:
    """Who may come in, from a file of users or that of this user; raises ConfigError where nobody may."""
    from dsmilctl.server.identity.users import Users

    path = Path(file) if file else paths().users_file
    known = Users(path)
    if not len(known):
        import shlex

        hint = "dsmilctl user add NAME" + (f" --users {shlex.quote(file)}" if file else "")
        raise ConfigError(f"{path}: nobody may come in", hint=hint, target=str(path))
    return known


def recording_of(client: LocalClient, interval: float) -> AbstractAsyncContextManager[None]:
    """A recording of the devices for as long as they are served; raises MissingExtraError."""
    from dsmilctl.archive.extra import require_archive

    require_archive()
    from dsmilctl.archive.places import Places
    from dsmilctl.archive.store import Store
    from dsmilctl.server.recording import recording

    settings = invocation().settings.archive
    store = Store(
        Places(client.archive),
        interval=settings.commit_interval,
        least=settings.segment_readings,
        waiting=settings.waiting_readings,
        window=settings.correlation_window,
    )
    return recording(client, store, interval)


def recorded_every(text: str, *, record: bool) -> float | None:
    """Seconds between two readings that a server keeps, None where it keeps none; raises InvalidParameter."""
    seconds = duration(text)
    if seconds < SHORTEST:
        message = f"--record-interval cannot be {text}"
        raise InvalidParameter(message, hint="100ms is the shortest", target="--record-interval")
    return seconds if record else None


def apart(name: str) -> Paths:
    """The folders of a server: its journal, approvals and buckets lie apart from those of the user."""
    folders = paths()
    below: dict[str, Path] = {
        field: getattr(folders, field) / "servers" / file_name(name) for field in ("state", "data", "runtime")
    }
    return msgspec.structs.replace(folders, **below)


def require_server() -> None:
    """Raise MissingExtraError unless the packages of the server are installed."""
    from importlib.util import find_spec

    for package in ("argon2", "jwt", "starlette", "uvicorn"):
        if find_spec(package) is None:
            raise MissingExtraError(f"a server needs the package {package}", hint=EXTRA, target="server")


def fast_loop() -> Callable[[], asyncio.AbstractEventLoop]:
    """What makes the loop of a server: uvloop, which does three times the work, where there is one."""
    try:
        import uvloop
    except ImportError:  # it does not come for every platform
        return asyncio.new_event_loop
    made: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return made


def serve_client(
    client: LocalClient,
    users: Any,
    listening: Any,
    options: Any,
    *,
    greeting: str = "",
    record: float | None = None,
) -> None:
    """Serve a client until SIGINT or SIGTERM; the ready line goes to stderr, with JSON output to stdout.

    With `record` the server keeps readings in an archive of its own, one every so many seconds.
    """
    from dsmilctl.server.assembly import assemble
    from dsmilctl.server.serve import serve

    output = invocation().make_output()

    def ready(url: str) -> None:
        if output.as_json:
            output.mark({"url": url})
        else:
            diagnostics.say(f"listening on {url}, API at {url}/api/v2, Ctrl+C ends it")
            if greeting:
                diagnostics.say(greeting)

    app, _ = assemble(client, users, options)
    beside = None if record is None else recording_of(client, record)
    execute(serve(app, listening, ready, beside), make_loop=fast_loop())
    end_with(0)
