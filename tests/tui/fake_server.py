"""A fake world behind a fake server: who one is there, and what others ask for."""

from __future__ import annotations

from typing import Any

from dsmilctl.client.interface import ContextInfo
from dsmilctl.clock import NANOSECONDS
from dsmilctl.errors import AuthenticationError
from dsmilctl.model.approval import Approval, ApprovalStatus, Subject
from dsmilctl.model.device import Device
from dsmilctl.model.identity import Clearance, Identity
from dsmilctl.model.selector import EVERYTHING, Selector
from dsmilctl.tui.app import DashboardApp
from tests.tui.fake_client import START, FakeClient, World

MINUTE = 60 * NANOSECONDS


class ServerWorld(World):
    """A world that a server stands before; it may not know who asks."""

    stranger = False
    asked: tuple[Approval, ...] = ()


class FakeServerClient(FakeClient):
    """A client of the server."""

    def __init__(self, world: ServerWorld, *, name: str, read_only: bool = False) -> None:
        super().__init__(world, name=name, read_only=read_only)
        self.server = world
        self.context = ContextInfo(name, "remote", "https://plant.example:8443", read_only)
        self.identity = Identity("supervisor", "plant.example", Clearance.TOP_SECRET, "server")

    async def devices(self, selector: Selector = EVERYTHING, *, quarantined: bool = False) -> list[Device]:
        if self.server.stranger:
            raise AuthenticationError("the login is over", hint="dsmilctl -C plant auth login")
        return await super().devices(selector, quarantined=quarantined)

    async def approvals(self, status: str = "") -> list[Approval]:
        return [item for item in self.server.asked if status in ("", item.status.value)]


def server_app(world: ServerWorld, **options: Any) -> DashboardApp:
    """The dashboard on the server."""
    return DashboardApp(
        lambda name: FakeServerClient(world, name=name),
        "plant",
        contexts=("local", "plant"),
        clock=world.clock,
        refresh=0.05,
        **options,
    )


def an_approval(number: int, status: ApprovalStatus, **subject: Any) -> Approval:
    """An approval that somebody asked for a few minutes ago."""
    about: dict[str, Any] = {
        "operation_type": "WRITE",
        "device_id": 0x8001,
        "register": "CONFIG",
        "value": 75,
    }
    answered = status in (ApprovalStatus.REJECTED, ApprovalStatus.USED)
    return Approval(
        approval_id=f"appr-{number:08x}",
        status=status,
        subject=Subject(fleet="plant", **(about | subject)),
        digest=f"{number:02x}" * 32,
        level="SECRET",
        requested_by="operator",
        requested_at=START - 3 * MINUTE,
        expires_at=START + 12 * MINUTE,
        justification="the night shift needs a slower line",
        decided_by="admin" if answered else "",
        decision_justification="not while the hall is full" if answered else "",
    )
