"""The dashboard on a real server: simulated devices on a free port, and a context `plant` that names it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Input

from dsmilctl.client.connecting import connect
from dsmilctl.client.interface import Client
from dsmilctl.client.remote.client import DSMILClient
from dsmilctl.config.contexts import Context, Server, add_context
from dsmilctl.testing.simulator import DeviceSimulator
from dsmilctl.tui.app import DashboardApp
from dsmilctl.tui.link import LinkState
from dsmilctl.tui.screens.login import LoginDialog
from tests.tui.dashboard import app_of, until

PLANT = "plant"
PASSWORDS = {
    "admin": "dsmil_admin_2024",
    "operator": "dsmil_op_2024",
    "supervisor": "dsmil_super_2024",
}
DEVICES = (0x8000, 0x8030, 0x8031)


class Plant(DeviceSimulator):
    """A simulator with a policy of its own."""

    policy = ""

    def _assemble(self, folder: Path) -> Any:
        if self.policy:
            (folder / "config").mkdir()
            (folder / "config" / "policy.yaml").write_text(self.policy)
        return super()._assemble(folder)


@asynccontextmanager
async def plant(policy: str = "", **options: Any) -> AsyncIterator[DeviceSimulator]:
    """A server with three devices, and the context that names it."""
    far = Plant(**options)
    far.policy = policy
    for device_id in DEVICES:
        far.add_device(device_id)
    await far.start_server()
    try:
        add_context(Context(name=PLANT, kind="remote", server=Server(url=far.url), target=far.url))
        yield far
    finally:
        await far.stop()


@asynccontextmanager
async def remote_dashboard(
    *, user: str = "", read_only: bool = False, size: tuple[int, int] = (120, 30), **options: Any
) -> AsyncIterator[Pilot[int]]:
    """The dashboard on the server, logged in as a demo account, or before anybody has."""

    def open_client(name: str) -> Client:
        return connect(name, read_only=read_only)

    app = DashboardApp(
        open_client, PLANT, contexts=(PLANT, "local"), read_only=read_only, refresh=0.1, **options
    )
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: isinstance(app.screen, LoginDialog))
        if user:
            await log_in(pilot, user)
        yield pilot


async def log_in(pilot: Pilot[int], user: str, password: str = "") -> None:
    """Fill in the login, press enter, and wait until the fleet is live."""
    await fill_in(pilot, user, password or PASSWORDS[user])
    await until(pilot, lambda: is_live(pilot, user))


async def fill_in(pilot: Pilot[int], user: str, password: str) -> None:
    """A user and a password in their fields, and enter."""
    dialog = pilot.app.screen
    assert isinstance(dialog, LoginDialog)
    dialog.part(Input, "login-user").value = user
    dialog.part(Input, "login-password").value = password
    dialog.part(Input, "login-password").focus()
    await pilot.press("enter")


def is_live(pilot: Pilot[int], user: str) -> bool:
    """Whether readings come, as this user, with no dialog in front."""
    app = app_of(pilot)
    store, shown = app.store, app.snapshot
    reached = store is not None and store.reached_at is not None
    return (
        reached
        and shown.link is LinkState.LIVE
        and shown.user == user
        and not isinstance(app.screen, LoginDialog)
    )


@asynccontextmanager
async def person(far: DeviceSimulator, user: str) -> AsyncIterator[DSMILClient]:
    """Somebody else at the same server."""
    async with DSMILClient(far.url, username=user, password=PASSWORDS[user]) as client:
        yield client
