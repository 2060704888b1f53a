"""The dashboard in a process of its own, with one thing that a test wants: `python -m tests.tui.child KIND`.

`blocked`: the help key blocks the event loop for BLOCKED seconds; `faulty`: it raises; `hostile`: devices
whose names attack the terminal; `slow-stop`: a stop that takes a second; `chatty`: the log speaks meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Callable, Sequence

import msgspec

from dsmilctl.client.interface import Client
from dsmilctl.clock import SYSTEM
from dsmilctl.errors import DSMILError
from dsmilctl.model.device import Device
from dsmilctl.model.emergency import Confirmation, Stop
from dsmilctl.tui.app import DashboardApp
from dsmilctl.tui.run import run_dashboard
from tests.tui.fake_client import FakeClient, FakeClock, World, some_devices

BLOCKED = 10.0
HOSTILE_NAMES = (
    "[red]markup[/red] [@click=app.quit]x[/]",
    "\x1b]0;owned title\x07\x1b[2Jcleared\x1b[31m",
    "\x00nul\x7fdel\x9b31mcsi",
    "\u202eesrever\u202c \u2066isolate\u2069",
    "=cmd|' /C calc'!A0",
    "../../etc/passwd",
    "'; DROP TABLE devices; --",
    "line\nbreak\r\ttab",
    "漢字 wide 漢字 wide 漢字 wide 漢字",
    "e\u0301" * 60,
    "x" * 65_536,
)


class RealClock(FakeClock):
    """The machine's clock where a fake world wants one."""

    def now(self) -> int:
        """Nanoseconds since the epoch."""
        return SYSTEM.now()

    def monotonic(self) -> float:
        """Seconds."""
        self.elapsed = SYSTEM.monotonic()
        return self.elapsed


class SlowStopClient(FakeClient):
    """Its stop takes a second after the latch, and leaves a file behind when it is over."""

    async def stop(
        self,
        devices: Sequence[Device] | None = None,
        *,
        reason: str = "",
        deadline: float = 2.0,
        scope: str = "@all",
        report: Callable[[Confirmation], None] | None = None,
    ) -> Stop:
        await asyncio.sleep(1.0)
        stop = await super().stop(devices, reason=reason, scope=scope, report=report)
        with open(sys.argv[2], "w", encoding="utf-8") as file:  # noqa: PTH123 - a child of a test
            file.write(f"{len(stop.confirmed)} confirmed")
        return stop


def hostile_devices() -> list[Device]:
    """Devices that a stranger named."""
    devices = some_devices(len(HOSTILE_NAMES))
    return [
        msgspec.structs.replace(device, name=name, facts=(("firmware", name[:200]),))
        for device, name in zip(devices, HOSTILE_NAMES, strict=True)
    ]


def main(kind: str) -> int:
    """Run the dashboard."""
    world = World(hostile_devices() if kind == "hostile" else None, RealClock())
    make: type[FakeClient] = SlowStopClient if kind == "slow-stop" else FakeClient

    def open_client(context: str) -> Client:
        if kind != "blocked":
            return make(world, name=context)
        from dsmilctl.client.opening import connect

        return connect(context)

    def misbehave(app: DashboardApp) -> None:
        if kind == "faulty":
            raise RuntimeError("a fault with the password hunter2 in a local variable")
        time.sleep(BLOCKED)

    if kind == "chatty":
        logging.basicConfig(level=logging.INFO, stream=sys.stderr)
        threading.Timer(1.0, logging.getLogger("dsmilctl").info, ["a line of the log"]).start()
    if kind in ("blocked", "faulty"):
        setattr(DashboardApp, "action_help", misbehave)  # noqa: B010 - this child's one difference
    try:
        return run_dashboard("sim" if kind == "blocked" else "plant", False, False, open_client)
    except DSMILError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a child of a test
        return error.exit_status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
