"""A far server for tests of federation: simulated devices behind real sockets, and drivers that reach it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.drivers.contract import DriverContext
from dsmilctl.drivers.dsmil import DsmilDriver, DsmilOptions
from dsmilctl.drivers.registry import EntryPoint, Registry
from dsmilctl.model.device import Device
from dsmilctl.testing.simulator import DeviceSimulator

PASSWORDS = {"admin": "dsmil_admin_2024", "operator": "dsmil_op_2024", "analyst": "dsmil_analyst_2024"}
LOW, OTHER, QUARANTINED = 0x803C, 0x803D, 0x8009
"""Two devices of low risk, which need no second person, and one that is quarantined."""

PATIENCE = 30.0
Reached = tuple[DsmilDriver, dict[Any, Device]]


def far_driver(
    url: str,
    user: str = "admin",
    *,
    clock: Clock = SYSTEM,
    password: str = "",
    state: Path = Path("/dev/null/none"),
    **options: Any,
) -> DsmilDriver:
    """A driver that reaches a server as one of the demo accounts."""
    chosen = {"url": url, "username": user, "secret": "far", "timeout": 10.0, **options}
    context = DriverContext(state, clock, secret=lambda _: password or PASSWORDS[user])
    return DsmilDriver(DsmilOptions(**chosen), context)


@asynccontextmanager
async def reaching(far: DeviceSimulator, **options: Any) -> AsyncIterator[Reached]:
    """A driver on a far server, with its devices by their ids."""
    driver = far_driver(far.url, **options)
    try:
        yield driver, {device.device_id: device for device in await driver.discover()}
    finally:
        await driver.shutdown()


@contextmanager
def far_server() -> Iterator[str]:
    """A far server on a thread of its own, for tests that have no loop to share; its address."""
    ready, over = threading.Event(), threading.Event()
    found: list[str] = []

    async def serve() -> None:
        async with DeviceSimulator() as far:
            found.append(far.url)
            ready.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    try:
        assert ready.wait(PATIENCE), "the far server did not begin"
        yield found[0]
    finally:
        over.set()
        thread.join(PATIENCE)
        assert not thread.is_alive(), "the far server did not end"


def federating() -> Registry:
    """A registry with the driver of federation, also where this tree was not installed since it came."""
    registry = Registry()
    registry.entries()["dsmil"] = EntryPoint("dsmil", "dsmilctl.drivers.dsmil:DsmilDriver", "dsmilctl", "")
    return registry
