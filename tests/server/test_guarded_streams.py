"""What is told or waited for without an operation of its own is limited and guarded like one."""

from __future__ import annotations

import socket

import pytest
from websockets.asyncio.client import connect

from dsmilctl.config.paths import Paths
from dsmilctl.server import protocol
from tests.server.doors import CRITICAL, QUARANTINED, WHY, Doors, code, doors
from tests.server.served import Served, hear, say

REQUEST = b"GET /api/v2/monitoring/health HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize("before", [b"", REQUEST], ids=["at the beginning", "after a request"])
def test_empty_lines_keep_no_connection_open(
    served: Served, monkeypatch: pytest.MonkeyPatch, before: bytes
) -> None:
    monkeypatch.setattr(protocol, "HEAD_DEADLINE", 0.5)
    with served.socket() as connection:
        connection.sendall(before)
        answered = connection.recv(65536) if before else b""
        connection.sendall(b"\r\n")
        with_rest = answered + until_closed(connection)

    assert with_rest.count(b"HTTP/1.1 200") == bool(before)


def until_closed(connection: socket.socket) -> bytes:
    """What the server says until it closes the connection, however it does; fails if it never does."""
    found = b""
    try:
        while part := connection.recv(65536):
            found += part
    except ConnectionError:
        pass  # cut off
    return found


def with_policy(home: Paths, text: str) -> None:
    """The user's policy, before a server begins."""
    home.policy_file.parent.mkdir(parents=True, exist_ok=True)
    home.policy_file.write_text(f"version: 1\n{text}\n")


async def test_no_stream_gives_what_the_policy_lets_nobody_of_that_clearance_read(home: Paths) -> None:
    with_policy(home, "clearance: {READ: SECRET}")
    async with doors() as server:
        for path in ("/stream?", f"/devices/{CRITICAL}/stream?", f"/stream?device_ids={CRITICAL}&"):
            assert code(await server.ask("analyst", "GET", path + "duration_s=0.1")) == (
                403,
                "PERMISSION_DENIED",
            )
        assert (await server.ask("operator", "GET", "/stream?duration_s=0.1")).status_code == 200
        denied = [item for item in await server.journal() if item["outcome"] == "DENIED"]

        assert await first_answer(server, "analyst") == ("ERROR", "PERMISSION_DENIED")
        assert (await first_answer(server, "operator"))[0] == "SUBSCRIPTION_CONFIRMED"

    assert ("device.read", "analyst", "0x8001") in {
        (item["action"], item["user"], item["target"]) for item in denied
    }


async def first_answer(server: Doors, user: str) -> tuple[str, str]:
    """The type, and the code if any, of what is answered to a subscription to readings."""
    url = f"{server.url.replace('http', 'ws', 1)}/api/v2/ws?token={await server.token(user)}"
    async with connect(url) as websocket:
        await say(websocket, "SUBSCRIBE_ADVANCED", subscription="device_updates")
        while True:
            heard = await hear(websocket)
            if heard["id"] == "q":
                return heard["type"], heard["data"].get("code", "")


async def test_the_history_shows_reads_to_those_alone_who_may_read(home: Paths) -> None:
    with_policy(home, "clearance: {READ: SECRET}")
    async with doors() as server:
        assert (await server.read("operator")).status_code == 200

        assert await reads_seen(server, "operator") == 1
        assert await reads_seen(server, "analyst") == 0


async def test_what_an_approval_let_one_person_read_is_in_nobody_s_history(home: Paths) -> None:
    async with doors() as server:
        read = {"operation_type": "READ", "operation_data": {"register": "TEMP"}}
        approval = await server.approved("ada", "grace", QUARANTINED, **read)
        opened = await server.read("ada", QUARANTINED, approval_id=approval, justification=WHY)
        assert opened.status_code == 200

        assert server.gateway.reads.of(QUARANTINED) == []
        shown = await server.ask("analyst", "GET", f"/devices/{QUARANTINED}/history")
        assert not any((item["result"] or {}).get("value") for item in shown.json()["operations"])


async def reads_seen(server: Doors, user: str) -> int:
    """How many reads the history of the device shows to somebody."""
    answer = await server.ask(user, "GET", f"/devices/{CRITICAL}/history?operation_type=READ")
    assert answer.status_code == 200
    return len(answer.json()["operations"])
