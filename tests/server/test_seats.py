"""Places to listen: one account leaves room for the others, and is told when it has had its share."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from dsmilctl.config.paths import Paths
from dsmilctl.server import strangers
from dsmilctl.server.assembly import ServerOptions
from dsmilctl.server.gateway import Limits
from tests.server.doors import CHEAP, Doors, code, doors
from tests.server.served import PATIENCE, hear, say

FEW = ServerOptions(limits=Limits(max_clients=8), password_cost=CHEAP)
"""Eight places, two of them for one account."""


async def opened(server: Doors, user: str) -> connect:
    headers = {"Authorization": f"Bearer {await server.token(user)}"}
    return connect(f"{server.url.replace('http', 'ws', 1)}/api/v2/ws", additional_headers=headers)


async def fate(websocket: ClientConnection) -> tuple[list[dict[str, Any]], int]:
    """What is said before the end, and the code of the end."""
    said: list[dict[str, Any]] = []
    with pytest.raises(ConnectionClosed) as closed:
        async with asyncio.timeout(PATIENCE):
            while True:
                said.append(json.loads(await websocket.recv()))
    assert closed.value.rcvd is not None
    return said, closed.value.rcvd.code


async def beaten(websocket: ClientConnection) -> bool:
    await say(websocket, "CLIENT_HEARTBEAT", client_type="python")
    return bool(await hear(websocket, "HEARTBEAT_CONFIRMED"))


async def test_one_account_takes_its_share_of_the_websockets_and_leaves_the_rest(home: Paths) -> None:
    async with doors(options=FEW) as server, AsyncExitStack() as stack:
        for _ in range(2):
            assert await beaten(await stack.enter_async_context(await opened(server, "analyst")))
        said, ended = await fate(await stack.enter_async_context(await opened(server, "analyst")))
        assert await beaten(await stack.enter_async_context(await opened(server, "ada")))
        stream = await server.ask("analyst", "GET", "/stream?device_ids=0x8000&duration_s=0.1")
        metrics = (await server.ask("ada", "GET", "/monitoring/metrics")).text

    assert ended == 1013
    assert [message["type"] for message in said] == ["CLIENT_RATE_LIMITED"]
    assert said[0]["data"]["retry_after"] > 0
    assert "analyst has 2" in said[0]["data"]["limit"]
    assert code(stream) == (429, "RATE_LIMITED"), "a stream takes the same places"
    assert int(stream.headers["retry-after"]) > 0
    assert 'dsmil_push_refused_total{full="account"} 2' in metrics


async def test_a_place_that_is_given_back_is_had_by_the_next_one(home: Paths) -> None:
    async with doors(options=FEW) as server:
        url = "/stream?device_ids=0x8000&duration_s=0.1"
        for _ in range(5):
            assert (await server.ask("analyst", "GET", url)).status_code == 200
            async with await opened(server, "analyst") as websocket:
                assert await beaten(websocket)


async def test_streams_take_the_share_of_an_account_too(home: Paths) -> None:
    async with doors(options=FEW) as server, AsyncExitStack() as stack:
        headers = {"Authorization": f"Bearer {await server.token('analyst')}"}
        http = await stack.enter_async_context(httpx.AsyncClient(headers=headers, timeout=PATIENCE))
        for _ in range(2):
            answer = http.stream("GET", f"{server.url}/api/v2/devices/0x8000/stream")
            assert (await stack.enter_async_context(answer)).status_code == 200
        refused = await server.ask("analyst", "GET", "/devices/0x8000/stream")
        _, ended = await fate(await stack.enter_async_context(await opened(server, "analyst")))
        others = await server.ask("ada", "GET", "/devices/0x8000/stream?duration_s=0.1")

    assert code(refused) == (429, "RATE_LIMITED")
    assert ended == 1013
    assert others.status_code == 200


async def test_websockets_and_their_subscriptions_are_counted_as_requests(home: Paths) -> None:
    """60 a minute for an analyst: a login costs nothing, everything on the API does."""
    async with doors(limits=True) as server, AsyncExitStack() as stack:
        websocket = await stack.enter_async_context(await opened(server, "analyst"))
        kinds = []
        for _ in range(70):
            await say(websocket, "SUBSCRIBE_ADVANCED", subscription="system_events")
            while (message := await hear(websocket))["type"] not in ("SUBSCRIPTION_CONFIRMED", "ERROR"):
                pass
            kinds.append(message["data"].get("code", message["type"]))
        request = await server.ask("analyst", "GET", "/auth/whoami")
        said, ended = await fate(await stack.enter_async_context(await opened(server, "analyst")))

    assert kinds[0] == "SUBSCRIPTION_CONFIRMED"
    assert kinds[-1] == "RATE_LIMITED"
    assert 55 <= kinds.count("SUBSCRIPTION_CONFIRMED") <= 65
    assert code(request) == (429, "RATE_LIMITED")
    assert (said[-1]["type"], ended) == ("CLIENT_RATE_LIMITED", 1013)


async def test_connections_without_a_login_are_shared_among_addresses(
    home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six from one address, where five are its share; who is logged in is not counted, nor anybody else."""
    monkeypatch.setattr(strangers, "MOST_STRANGERS", 5)
    async with doors(options=FEW) as server, AsyncExitStack() as stack:
        place = httpx.URL(server.url)

        async def connected(source: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            made = await asyncio.open_connection(place.host, place.port, local_addr=(source, 0))
            stack.callback(made[1].close)
            return made

        known = [await stack.enter_async_context(await opened(server, "ada")) for _ in range(2)]
        idle = [await connected("127.0.0.2") for _ in range(5)]
        reader, _ = await connected("127.0.0.2")
        async with asyncio.timeout(PATIENCE):
            said = await reader.read()
        others = await server.ask("ada", "GET", "/auth/whoami")
        assert await beaten(known[0])
        metrics = (await server.ask("ada", "GET", "/monitoring/metrics")).text
        idle[0][1].close()
        await asyncio.sleep(0.2)
        later = httpx.AsyncHTTPTransport(local_address="127.0.0.2")
        async with httpx.AsyncClient(transport=later, timeout=PATIENCE) as http:
            again = await http.get(f"{server.url}/api/v2/monitoring/health")

    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 429 ")
    assert b"retry-after: 5" in head
    assert json.loads(body)["error"]["code"] == "RATE_LIMITED"
    assert (others.status_code, again.status_code) == (200, 200)
    assert 'dsmil_push_refused_total{full="address"} 1' in metrics


async def test_a_connection_on_which_somebody_has_logged_in_is_no_stranger_any_more(
    home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strangers, "MOST_STRANGERS", 2)
    async with doors(options=FEW) as server, AsyncExitStack() as stack:
        headers = {"Authorization": f"Bearer {await server.token('ada')}"}
        for _ in range(6):
            transport = httpx.AsyncHTTPTransport(local_address="127.0.0.2")
            http = httpx.AsyncClient(transport=transport, headers=headers, timeout=PATIENCE)
            await stack.enter_async_context(http)
            for _ in range(2):
                assert (await http.get(f"{server.url}/api/v2/auth/whoami")).status_code == 200
