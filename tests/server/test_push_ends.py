"""How what is pushed ends: hearts that stop, sessions that end, servers that go."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import httpx
import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from dsmilctl.config.paths import Paths
from dsmilctl.server.gateway import Limits
from tests.server.served import PASSWORDS, PATIENCE, TLS, UNLIMITED, Served, hear, say, subscribe


@pytest.fixture
def impatient(home: Paths) -> Iterator[Served]:
    """A server that gives a heart up after a fraction of a second."""
    limits = Limits(rate_limiting=False, heartbeat=0.2)
    with Served(msgspec.structs.replace(UNLIMITED, limits=limits)) as server:
        yield server


async def test_who_sent_a_heartbeat_once_and_then_no_more_is_closed_with_4408(impatient: Served) -> None:
    async with impatient.websocket() as beating, impatient.websocket() as silent:
        await say(beating, "CLIENT_HEARTBEAT", client_type="python")
        confirmed = await hear(beating)
        with pytest.raises(ConnectionClosed):
            async with asyncio.timeout(PATIENCE):
                await beating.recv()
        await subscribe(silent, "system_events")

    assert confirmed["data"]["timeout_s"] == 0.2
    assert beating.close_code == 4408


async def test_the_end_of_a_session_ends_what_is_pushed_to_it(impatient: Served) -> None:
    async with httpx.AsyncClient(base_url=f"{impatient.url}/api/v2", timeout=PATIENCE, verify=TLS) as http:
        body = {"username": "analyst", "password": PASSWORDS["analyst"]}
        token = (await http.post("/auth/login", json=body)).json()["access_token"]
        http.headers["Authorization"] = f"Bearer {token}"
        async with (
            connect(impatient.ws_url, additional_headers={"Authorization": f"Bearer {token}"}) as websocket,
            http.stream("GET", "/stream?interval_ms=3600000") as stream,
        ):
            await subscribe(websocket, "system_events")
            await http.post("/auth/logout", json={})
            async with asyncio.timeout(PATIENCE):
                await websocket.wait_closed()
                text = "".join([part async for part in stream.aiter_text()])

    assert websocket.close_code == 4401
    last = text.strip().split("\n\n")[-1].splitlines()
    assert last[0] == "event: end"
    assert json.loads(last[-1].removeprefix("data: "))["reason"] == "session_ended"


async def test_a_server_that_ends_says_so_and_waits_for_no_stream(home: Paths) -> None:
    with Served() as server:
        async with server.websocket() as websocket, server.http() as http:
            await subscribe(websocket, "system_events")
            async with http.stream("GET", "/stream?interval_ms=3600000") as stream:
                server.loop.call_soon_threadsafe(server._task.cancel)
                told = await hear(websocket, "SYSTEM_MAINTENANCE")
                async with asyncio.timeout(PATIENCE):
                    await websocket.wait_closed()
                    text = "".join([part async for part in stream.aiter_text()])

    assert told["data"]["message"] == "the server ends"
    assert websocket.close_code == 1001
    assert '"reason":"server_ends"' in text
