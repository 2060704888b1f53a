"""What a server pushes: over a WebSocket, Server-Sent Events, or by asking; with gaps told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from websockets.asyncio.server import ServerConnection, serve

from dsmilctl import Register
from dsmilctl.client.remote.client import DSMILClient
from dsmilctl.client.remote.inbox import Inbox
from dsmilctl.client.remote.results import SystemEvent, Update
from dsmilctl.client.remote.sse import events_of
from dsmilctl.errors import AuthenticationError, InvalidParameter, NetworkError, ProtocolError
from dsmilctl.model.reading import Gap
from dsmilctl.testing.simulator import DeviceSimulator


@pytest.mark.parametrize("way", ["websocket", "sse", "polling", "auto"])
async def test_a_stream_brings_every_register_of_every_device(
    simulator: DeviceSimulator, client: DSMILClient, way: str
) -> None:
    simulator.set_register(0x8000, "STATUS", 0x80000001)
    seen: dict[tuple[int | str, str], Any] = {}

    async for update in client.stream_devices(
        [0x8000, 0x8001], [Register.STATUS, Register.TEMP], interval_seconds=0.1, transport=way
    ):
        seen[update.device_id, update.register.name] = update.data
        if len(seen) == 4:
            break

    assert seen[0x8000, "STATUS"] == 0x80000001


async def test_a_stream_of_batches_ends_when_its_time_is_over(client: DSMILClient) -> None:
    stream = await client.create_device_stream([0x8000, 0x8001], interval_ms=100, duration_seconds=0.5)

    batches = [batch async for batch in stream]

    assert 2 <= len(batches) <= 10
    assert {device.device_id for batch in batches for device in batch.devices} == {0x8000, 0x8001}
    assert all("STATUS" in device.data for device in batches[0].devices)


async def test_a_way_that_is_none_is_refused(client: DSMILClient) -> None:
    with pytest.raises(InvalidParameter, match="no way"):
        await anext(client.stream_devices([0x8000], transport="pigeon"))


async def test_callbacks_hear_updates_and_events_also_when_one_of_them_fails(
    simulator: DeviceSimulator, client: DSMILClient
) -> None:
    updates: list[Update] = []
    events: list[SystemEvent] = []
    stopped = asyncio.Event()

    async def on_event(event: SystemEvent) -> None:
        events.append(event)
        if event.type == "EMERGENCY_STOP":
            stopped.set()

    def on_update(update: Update) -> None:
        updates.append(update)
        raise ValueError("a program's callback may fail")

    ws = await client.create_websocket()
    await ws.subscribe_device_updates([0x8000, 0x8001], callback=on_update, interval_ms=100)
    await ws.subscribe_system_events(callback=on_event)
    running = asyncio.create_task(ws.run_forever())
    await client.trigger_emergency_stop("smoke")
    await asyncio.wait_for(stopped.wait(), 10)
    while len(updates) < 3:
        await asyncio.sleep(0.02)
    await ws.close()
    await running

    assert {update.device_id for update in updates} <= {0x8000, 0x8001}
    assert isinstance(updates[0].data, int)
    stop = next(event for event in events if event.type == "EMERGENCY_STOP")
    assert (stop.severity, "smoke" in stop.message) == ("CRITICAL", True)


async def test_a_subscription_can_be_filtered_and_ended(client: DSMILClient) -> None:
    updates: list[Update] = []
    ws = await client.create_websocket()
    name = await ws.subscribe_advanced(
        "device_updates",
        filters={"device_ids": [0x8000, 0x8024], "risk_levels": ["CRITICAL"]},
        rate_limit="MAX_1_PER_SECOND",
        callback=updates.append,
        interval_ms=100,
    )
    running = asyncio.create_task(ws.run_forever())
    while not updates:
        await asyncio.sleep(0.02)
    await ws.unsubscribe(name)
    count = len(updates)
    await asyncio.sleep(0.5)
    await ws.close()
    await running

    assert {update.device_id for update in updates} == {0x8000}
    assert len(updates) == count
    with pytest.raises(InvalidParameter):
        await ws.subscribe_advanced("device_update")


async def test_a_websocket_without_a_login_is_refused(simulator: DeviceSimulator) -> None:
    async with DSMILClient(simulator.url) as client:
        ws = await client.create_websocket()
        with pytest.raises((AuthenticationError, NetworkError)):
            await ws.subscribe_system_events()
        with pytest.raises(AuthenticationError):
            await asyncio.wait_for(ws.run_forever(), 10)
        await ws.close()


class ScriptedServer:
    """A WebSocket server that says what a test wants."""

    def __init__(self) -> None:
        self.url = ""
        self.connections: list[ServerConnection] = []
        self.subscribed = 0
        self.sequence = 0

    async def serve(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        self.sequence = 0
        async for message in connection:
            told = msgspec.json.decode(message)
            if told["type"] == "SUBSCRIBE_ADVANCED":
                self.subscribed += 1
                await self.say(connection, "SUBSCRIPTION_CONFIRMED", {"subscription_id": "s"}, told["id"])
            elif told["type"] == "CLIENT_HEARTBEAT":
                await self.say(connection, "HEARTBEAT_CONFIRMED", {"timeout_s": 30}, told["id"])

    async def say(
        self, connection: ServerConnection, kind: str, data: dict[str, Any], message_id: str = ""
    ) -> None:
        self.sequence += 1
        message = {"type": kind, "id": message_id, "data": data, "seq": self.sequence}
        await connection.send(msgspec.json.encode(message).decode())

    async def reading(self, value: int) -> None:
        data = {"device_id": 0x8000, "register": "TEMP", "value": f"0x{value:08X}", "timestamp": ""}
        await self.say(self.connections[-1], "DEVICE_STATE_UPDATE", data)


@pytest_asyncio.fixture
async def scripted() -> AsyncIterator[ScriptedServer]:
    script = ScriptedServer()
    async with serve(script.serve, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        script.url = f"http://127.0.0.1:{port}"
        yield script


async def test_a_hole_in_the_sequence_is_told(scripted: ScriptedServer) -> None:
    gaps: list[Gap] = []
    async with DSMILClient(scripted.url) as client:
        stream = client.stream_devices([0x8000], ["TEMP"], on_gap=gaps.append, transport="websocket")
        first = asyncio.create_task(anext(stream))
        while not scripted.subscribed:
            await asyncio.sleep(0.01)
        await scripted.reading(1)
        assert (await first).data == 1
        scripted.sequence += 5
        await scripted.reading(2)
        assert (await anext(stream)).data == 2
        await stream.aclose()

        assert gaps == [Gap(5)]
        assert client.get_debug_info().gaps == 5


async def test_a_connection_that_breaks_comes_back_subscribes_again_and_tells_the_gap(
    scripted: ScriptedServer,
) -> None:
    gaps: list[Gap] = []
    async with DSMILClient(scripted.url) as client:
        stream = client.stream_devices([0x8000], ["TEMP"], on_gap=gaps.append, transport="websocket")
        first = asyncio.create_task(anext(stream))
        while not scripted.subscribed:
            await asyncio.sleep(0.01)
        await scripted.reading(1)
        await first
        scripted.connections[0].transport.abort()
        second = asyncio.create_task(anext(stream))
        while scripted.subscribed < 2:
            await asyncio.sleep(0.01)
        await scripted.reading(2)

        assert (await asyncio.wait_for(second, 20)).data == 2
        await stream.aclose()

    assert len(gaps) == 1
    assert gaps[0].missed >= 1


async def test_a_message_that_is_none_ends_the_stream_with_a_protocol_error(scripted: ScriptedServer) -> None:
    async with DSMILClient(scripted.url) as client:
        stream = client.stream_devices([0x8000], ["TEMP"], transport="websocket")
        first = asyncio.create_task(anext(stream))
        while not scripted.subscribed:
            await asyncio.sleep(0.01)
        await scripted.connections[0].send("[1, 2")

        with pytest.raises(ProtocolError):
            await asyncio.wait_for(first, 10)


async def test_a_slow_reader_gets_a_gap_and_the_newest() -> None:
    inbox: Inbox[int] = Inbox(most=3)
    for number in range(10):
        inbox.put(number, weight=2)
    inbox.end()

    assert [await inbox.next() for _ in range(5)] == [Gap(14), 7, 8, 9, None]


async def test_events_are_read_as_the_standard_says() -> None:
    async def lines() -> AsyncIterator[str]:
        for line in (
            ": hello",
            "retry: 100",
            "event: a",
            "id: 7",
            "data: one",
            "data: two",
            "",
            "data:x",
            "",
            "data: cut",
        ):
            yield line

    found = [(event.type, event.data, event.id) async for event in events_of(lines())]

    assert found == [("a", "one\ntwo", "7"), ("message", "x", "7")]


async def test_an_event_stream_that_breaks_is_resumed_behind_the_last_event(
    simulator: DeviceSimulator, client: DSMILClient
) -> None:
    stream = client.stream_devices([0x8000], ["TEMP"], interval_seconds=0.1, transport="sse")
    await anext(stream)
    before = simulator.requests.count(("GET", "/api/v2/stream"))
    for connection in client.transport._client._transport._pool.connections:  # type: ignore[attr-defined] # cut from outside
        network = connection._connection._network_stream.get_extra_info("socket")
        with contextlib.suppress(OSError):
            network.shutdown(2)

    for _ in range(3):
        await asyncio.wait_for(anext(stream), 20)
    await stream.aclose()

    assert simulator.requests.count(("GET", "/api/v2/stream")) == before + 1
