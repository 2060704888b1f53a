"""The dashboard's link to a context on this machine, over a conversation that breaks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from dsmilctl.client.local import LocalClient
from dsmilctl.clock import SYSTEM
from dsmilctl.config.paths import Paths
from dsmilctl.model.device import DeviceState
from dsmilctl.model.reading import Batch
from dsmilctl.tui.link import Link, LinkState
from tests.fixtures import home
from tests.rack import Lab, Rack

__all__ = ["home"]


def wait_until(true: Callable[[], bool]) -> None:
    """Look again and again while the link's thread works; AssertionError when it takes far too long."""
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end, "the link does not get there"
        time.sleep(0.005)


def state_of(client: LocalClient) -> DeviceState:
    """The state of the first device of a rack, as a client has it."""
    return client._fleet._found["rack"][0].state


async def breaks(**options: Any) -> Any:
    raise RuntimeError("a fault in one follower")


def test_a_followed_device_is_the_new_clients_alone_when_the_conversation_broke(
    home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FIRST_DELAY", "STOPS_EVERY"):
        monkeypatch.setattr(f"dsmilctl.tui.link.{name}", 0.05)
    lab = Lab(home, rack := Rack(1))
    made: list[LocalClient] = []
    batches: list[Batch] = []

    def open_client() -> LocalClient:
        made.append(lab.client())
        return made[-1]

    link = Link(open_client, lambda: None, SYSTEM, interval=60)
    link.start()
    try:
        wait_until(lambda: link.state is LinkState.LIVE)
        link.follow(rack.devices[0], ["LEVEL"], 0.05, batches.append)
        wait_until(lambda: len(batches) > 2)
        monkeypatch.setattr(made[0], "stops", breaks)
        wait_until(lambda: len(made) > 1 and link.state is LinkState.LIVE)
        seen = len(batches)
        wait_until(lambda: len(batches) > seen + 5)

        assert state_of(made[0]) is DeviceState.DISCONNECTED
        assert state_of(made[1]) is DeviceState.CONNECTED
    finally:
        link.close()
