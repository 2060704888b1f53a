"""Polls end with the client that began them: no device is asked, or opened again, behind its close."""

from __future__ import annotations

import asyncio

import pytest

from dsmilctl.client.local import LocalClient
from dsmilctl.config.paths import Paths
from dsmilctl.model.device import DeviceState
from dsmilctl.model.identity import Identity
from dsmilctl.model.reading import Batch
from tests.rack import Lab, Rack


async def follow(client: LocalClient, rack: Rack, heard: asyncio.Event) -> int:
    """Follow a rack until its stream ends; how many batches came."""
    count = 0
    async for item in client.stream(rack.devices, ["LEVEL"], interval=0.01):
        assert isinstance(item, Batch)
        count += 1
        heard.set()
    return count


@pytest.mark.parametrize("batch", [True, False])
@pytest.mark.parametrize("somebody_else", [True, False])
async def test_a_stream_ends_when_its_client_is_closed_and_opens_no_device_again(
    home: Paths, batch: bool, somebody_else: bool
) -> None:
    rack, heard = Rack(2), asyncio.Event()
    client = Lab(home, rack, batch=batch).client()
    await client.open()
    reader = client.for_identity(Identity("bob", "bench")) if somebody_else else client
    following = asyncio.create_task(follow(reader, rack, heard))
    await heard.wait()

    await client.close()
    asked = list(rack.asked)
    count = await asyncio.wait_for(following, 8)
    devices = (await client._fleet.all()).values()

    assert count > 0
    assert rack.asked == asked
    assert batch or {managed.state for managed in devices} == {DeviceState.DISCONNECTED}


async def test_a_stream_that_is_begun_with_a_closed_client_ends_at_once(home: Paths) -> None:
    rack, heard = Rack(1), asyncio.Event()
    client = Lab(home, rack).client()
    async with client:
        await client.devices()

    count = await asyncio.wait_for(follow(client, rack, heard), 8)

    assert (count, rack.asked) == (0, [])


async def test_a_client_that_is_opened_again_streams_again(home: Paths) -> None:
    rack, heard = Rack(1), asyncio.Event()
    client = Lab(home, rack).client()
    async with client:
        await client.devices()

    async with client:
        following = asyncio.create_task(follow(client, rack, heard))
        await asyncio.wait_for(heard.wait(), 8)

    assert await asyncio.wait_for(following, 8) > 0


async def test_a_driver_that_does_not_let_go_of_a_question_holds_no_close_up(home: Paths) -> None:
    rack, asked, let_go = Rack(1), asyncio.Event(), asyncio.Event()

    async def cling(device: object, verb: str) -> str:
        asked.set()
        while not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue
        return ""

    rack.suffer = cling  # type: ignore[method-assign]  # a device that clings to whoever asks
    client = Lab(home, rack).client(timeout=0.1)
    await client.open()
    following = asyncio.create_task(follow(client, rack, asyncio.Event()))
    await asked.wait()

    await asyncio.wait_for(client.close(), 8)
    let_go.set()

    await asyncio.wait_for(following, 8)
