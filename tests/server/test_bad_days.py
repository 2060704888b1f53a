"""Bad days of the network: peers that vanish, frames without end, bombs, clocks that jump, hostile names."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import os
import re
import resource
import socket
import ssl
import stat
import struct
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from dsmilctl.config.paths import Paths
from dsmilctl.server import serve as serving
from dsmilctl.server.push import event_stream
from tests.server.doors import CRITICAL, MEDIUM, WHY, Doors, Wall, code, doors, users_file
from tests.server.served import PATIENCE, Served

DAY = 86_400.0
VANISH = getattr(socket, "TCP_REPAIR", 19)
MEBIBYTE = 1 << 20
STREAM = "/api/v2/stream?registers=STATUS,TEMP,CONFIG&interval_ms=100"
TEXT, CONTINUED, CLOSE, PING = 0x81, 0x01, 0x88, 0x89


@pytest.fixture
def quick_pings(home: Paths, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A server that misses a peer within a second."""
    monkeypatch.setattr(serving, "PING_SECONDS", 0.3)
    with Served() as server:
        yield server


def opened(server: Served, extensions: str = "") -> tuple[socket.socket, bytes]:
    """A WebSocket by hand, and the server's answer to the handshake."""
    connection = server.socket()
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        "GET /api/v2/ws HTTP/1.1", "Host: test", "Connection: Upgrade", "Upgrade: websocket",
        f"Authorization: Bearer {server.token()}", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}",
        *([f"Sec-WebSocket-Extensions: {extensions}"] if extensions else []), "", "",
    ]  # fmt: skip
    connection.sendall("\r\n".join(lines).encode())
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(1)
    assert head.startswith(b"HTTP/1.1 101"), head
    deadline = time.monotonic() + PATIENCE
    while not receivers(server) and time.monotonic() < deadline:
        time.sleep(0.005)
    assert receivers(server) == 1
    return connection, head


def frame(first: int, payload: bytes) -> bytes:
    """A masked frame of a client.  Source: RFC 6455, section 5.2; the mask is of zeros."""
    size = len(payload)
    if size < 126:
        return bytes([first, 0x80 | size]) + bytes(4) + payload
    if size < 1 << 16:
        return bytes([first, 0x80 | 126]) + struct.pack(">H", size) + bytes(4) + payload
    return bytes([first, 0x80 | 127]) + struct.pack(">Q", size) + bytes(4) + payload


def until_gone(connection: socket.socket) -> bytes:
    """What is heard until the server ends the connection."""
    heard = b""
    while True:
        try:
            part = connection.recv(65536)
        except ConnectionError:
            return heard
        if not part:
            return heard
        heard += part


@cache
def bomb() -> bytes:
    """64 MiB in a few hundred bytes, packed twice."""
    return gzip.compress(gzip.compress(b"0" * (64 * MEBIBYTE)))


def receivers(server: Served) -> int:
    return len(server.gateway.push.receivers)


async def everybody_is_gone(server: Served) -> None:
    async with asyncio.timeout(PATIENCE):
        while receivers(server):
            await asyncio.sleep(0.02)


# Peers that vanish


async def test_a_peer_that_answers_no_ping_is_let_go(quick_pings: Served) -> None:
    connection, _ = opened(quick_pings)
    with connection:
        heard = await asyncio.to_thread(until_gone, connection)
        await everybody_is_gone(quick_pings)

    assert bytes([PING]) in heard


async def test_a_peer_that_vanished_without_a_word_is_let_go(quick_pings: Served) -> None:
    connection, _ = opened(quick_pings)
    try:
        connection.setsockopt(socket.IPPROTO_TCP, VANISH, 1)
    except OSError:
        connection.close()
        pytest.skip("this kernel does not let a socket vanish without a FIN")
    connection.close()

    await everybody_is_gone(quick_pings)


def test_every_connection_has_the_system_look_after_peers_that_are_gone() -> None:
    listener = serving.bind(serving.Listening())
    listener.setblocking(True)
    with listener, socket.create_connection(listener.getsockname()), listener.accept()[0] as accepted:
        assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        idle = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
        between = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL)
        times = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT)

    assert idle + between * times <= 30, "half open for no longer than half a minute"


@pytest.mark.parametrize("how", ["fin", "reset", "close"])
async def test_a_peer_that_goes_in_the_middle_of_a_frame_leaves_nothing_behind(
    quick_pings: Served, how: str
) -> None:
    connection, _ = opened(quick_pings)
    connection.sendall(frame(TEXT, b"x" * 1000)[:200])
    if how == "reset":
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if how == "close":
        connection.sendall(frame(CLOSE, b""))
    connection.close()

    await everybody_is_gone(quick_pings)


async def test_an_event_stream_that_nobody_reads_is_let_go_and_the_others_go_on(
    quick_pings: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "SEND_DEADLINE", 0.3)
    idle = socket.socket()
    idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    idle.connect(quick_pings.address)
    request = f"GET {STREAM} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {quick_pings.token()}\r\n\r\n"
    idle.sendall(request.encode())

    async def flood() -> None:
        while not receivers(quick_pings):
            await asyncio.sleep(0.01)
        feed = next(iter(quick_pings.gateway.push.feeds._feeds.values()))
        while (whole := feed.snapshot()) is None:
            await asyncio.sleep(0.01)
        while receivers(quick_pings) == 2 or not feed.hearers:
            feed.tell(whole.batch)
            await asyncio.sleep(0.002)

    with idle:
        async with quick_pings.http() as http, http.stream("GET", STREAM.removeprefix("/api/v2")) as other:
            lines = other.aiter_lines()
            while receivers(quick_pings) < 2:
                await anext(lines)
            flooding = asyncio.create_task(asyncio.to_thread(quick_pings.on_loop, flood()))
            heard = 0
            async with asyncio.timeout(PATIENCE):
                while not flooding.done() or receivers(quick_pings) > 1:
                    heard += (await anext(lines)).startswith("data:")
            await flooding

    assert heard > 0


# Frames that never end, and bombs


async def test_a_frame_that_drips_for_ever_ends_when_no_ping_is_answered(quick_pings: Served) -> None:
    connection, _ = opened(quick_pings)
    whole = frame(TEXT, b" " * 100_000)

    def drip() -> None:
        for byte in whole:
            try:
                connection.sendall(bytes([byte]))
                connection.settimeout(0.02)
                if not connection.recv(4096):
                    return
            except TimeoutError:
                continue
            except ConnectionError:
                return
        pytest.fail("the server took every byte")

    with connection:
        await asyncio.to_thread(drip)
        await everybody_is_gone(quick_pings)


@pytest.mark.parametrize("fragments", [1, 40])
async def test_a_message_beyond_the_limit_closes_the_connection(quick_pings: Served, fragments: int) -> None:
    connection, _ = opened(quick_pings)
    piece = b" " * (2 * MEBIBYTE // fragments)

    def send() -> bytes:
        try:
            for number in range(fragments):
                last = number == fragments - 1
                connection.sendall(frame((0x80 if last else 0) | (0 if number else 1), piece))
        except ConnectionError:
            pass
        return until_gone(connection)

    with connection:
        said = await asyncio.to_thread(send)
        await everybody_is_gone(quick_pings)

    assert said == b"" or struct.pack(">H", 1009) in said, "too big, where it could still be said"


def test_compressed_messages_are_not_agreed_to_and_not_unpacked(quick_pings: Served) -> None:
    connection, head = opened(quick_pings, "permessage-deflate; client_max_window_bits")
    with connection:
        connection.sendall(frame(TEXT | 0x40, gzip.compress(b"x" * 1000)))
        said = until_gone(connection)

    assert b"sec-websocket-extensions" not in head.lower()
    assert struct.pack(">H", 1002) in said, "a protocol error"


@pytest.mark.parametrize(
    "encoding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "GZIP", "identity, gzip"]
)
async def test_a_bomb_in_a_body_is_refused_unopened(home: Paths, encoding: str) -> None:
    packed = bomb()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with doors() as server:
        token = await server.token("operator")
        answer = await server._http.post(
            f"/devices/{MEDIUM}/operations", content=packed,
            headers={"Authorization": f"Bearer {token}", "Content-Encoding": encoding},
        )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    assert code(answer) == (422, "INVALID_PARAMETER")
    assert (after - before) * 1024 < 64 * MEBIBYTE


# Clocks, tokens and patience


@pytest.mark.parametrize("jump", [DAY, -DAY])
async def test_a_clock_that_jumps_by_a_day_costs_at_most_one_refresh(home: Paths, jump: float) -> None:
    clock = Wall()
    async with doors(clock=clock) as server:
        tokens = (await server.login("operator")).json()
        clock.ahead = jump
        answer = await server.ask("", "GET", "/auth/whoami", token=tokens["access_token"])
        renewed = await server.ask("", "POST", "/auth/refresh", {"refresh_token": tokens["refresh_token"]})
        fresh = await server.ask("", "GET", "/auth/whoami", token=renewed.json()["access_token"])
        again = await server.login("operator")

    assert answer.status_code == 200 or code(answer) == (401, "TOKEN_EXPIRED")
    assert renewed.status_code == 200, renewed.text
    assert fresh.status_code == 200, fresh.text
    assert again.status_code == 200


async def test_a_loop_of_bad_tokens_locks_nobody_out_and_costs_no_hash(home: Paths) -> None:
    async with doors(limits=True) as server:
        token = await server.token("operator")
        forged = token[:-4] + ("AAAA" if not token.endswith("AAAA") else "BBBB")
        answers = [await server.ask("", "GET", "/auth/whoami", token=forged) for _ in range(50)]
        refreshed = [
            await server.ask("", "POST", "/auth/refresh", {"refresh_token": f"guess-{number}"})
            for number in range(20)
        ]
        login = await server.login("operator")
        still = await server.ask("operator", "GET", "/auth/whoami")

    assert {code(answer) for answer in answers} == {(401, "AUTHENTICATION_FAILED")}
    assert {answer.status_code for answer in refreshed} == {401}
    assert login.status_code == still.status_code == 200


async def test_an_expired_token_stops_nothing_but_its_refresh_does_at_once(home: Paths) -> None:
    clock = Wall()
    async with doors(clock=clock) as server:
        tokens = (await server.login("analyst")).json()
        clock.advance(3601 - 1800)
        await server.ask("", "GET", "/auth/whoami", token=tokens["access_token"])
        clock.advance(1801)
        refused = await server.ask(
            "", "POST", "/emergency/stop", {"justification": "smoke"}, token=tokens["access_token"]
        )
        renewed = await server.ask("", "POST", "/auth/refresh", {"refresh_token": tokens["refresh_token"]})
        stopped = await server.ask(
            "", "POST", "/emergency/stop", {"justification": "smoke"}, token=renewed.json()["access_token"]
        )

    assert code(refused) == (401, "TOKEN_EXPIRED")
    assert stopped.status_code == 200


# Two clients and one stop


async def test_the_stop_of_one_client_breaks_off_the_bulk_of_another(home: Paths) -> None:
    slow = [f"slow:0x{0x8024 + index:04X}:0.3" for index in range(5)]
    writes = [
        {"device_id": 0x8024 + index, "operation_type": "WRITE",
         "operation_data": {"register": "CONFIG", "value": 77}}
        for index in range(5)
    ]  # fmt: skip
    async with doors(driver={"faults": slow}) as server:
        await server.token("analyst")
        request = {"operations": writes, "justification": WHY, "execution_mode": "SEQUENTIAL"}
        bulk = asyncio.create_task(server.ask("operator", "POST", "/operations/bulk", request))
        async with asyncio.timeout(PATIENCE):
            while not any(item["outcome"] == "SUCCESS" for item in await writes_of(server)):
                await asyncio.sleep(0.02)
        stop = await server.ask("analyst", "POST", "/emergency/stop", {"justification": "smoke"})
        found = (await bulk).json()
        late = await server.write("ada", MEDIUM)
        status = (await server.ask("operator", "GET", "/emergency/status")).json()
        records = await writes_of(server)

    codes = [result["error_code"] for result in found["results"]]
    assert codes[0] == ""
    assert codes[-1] == "EMERGENCY_STOP"
    assert "" not in codes[codes.index("EMERGENCY_STOP") :], "nothing was written once it was stopped"
    assert code(late) == (503, "EMERGENCY_STOP")
    assert status["stops"][0]["stop_id"] == stop.json()["stop_id"]
    begun, ended = (
        {item["operation_id"] for item in records if (item["outcome"] == "INTENT") is begun}
        for begun in (True, False)
    )
    assert begun <= ended, "every change that was begun has an end in the journal"


async def writes_of(server: Doors) -> list[dict[str, Any]]:
    return [item for item in await server.journal() if item["action"] == "device.write"]


async def test_a_stop_of_one_client_is_released_by_another_with_the_rank_and_a_reason(home: Paths) -> None:
    async with doors() as server:
        stop = (await server.ask("analyst", "POST", "/emergency/stop", {"justification": "x"})).json()
        tries = [
            await server.ask(user, "POST", "/emergency/release", {"stop_id": stop["stop_id"], **body})
            for user, body in (
                ("operator", {"justification": WHY}), ("ada", {}), ("ada", {"justification": " " * 40}),
            )
        ]  # fmt: skip
        seen = (await server.ask("operator", "GET", "/emergency/status")).json()
        released = await server.ask("ada", "POST", "/emergency/release", {"justification": WHY})
        after = (await server.ask("operator", "GET", "/emergency/status")).json()

    assert [code(answer) for answer in tries] == [
        (403, "PERMISSION_DENIED"), (422, "JUSTIFICATION_REQUIRED"), (422, "JUSTIFICATION_REQUIRED"),
    ]  # fmt: skip
    assert seen["is_active"]
    assert released.json()["released_by"].startswith("ada")
    assert not after["is_active"]


# What is kept, and who may read it


async def test_whatever_a_server_keeps_is_for_its_user_alone(home: Paths, tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        users = users_file(tmp_path / "kept")
        async with doors(users=users) as server:
            await server.approved()
            await server.write("ada", MEDIUM)
            await server.ask("ada", "POST", "/emergency/stop", {})
    finally:
        os.umask(mask)

    folders = [home.state, home.data, tmp_path / "kept"]
    kept = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert len(kept) > 3
    open_to_others = [str(path) for path in kept if stat.S_IMODE(path.stat().st_mode) & 0o077]
    assert open_to_others == []


async def test_users_that_others_can_read_let_nobody_in(home: Paths, tmp_path: Path) -> None:
    users = users_file(tmp_path)
    async with doors(users=users) as server:
        assert (await server.login("ada")).status_code == 200
        (tmp_path / "users.json").chmod(0o644)
        refused = await server.login("ada")

    assert code(refused) == (503, "STATE_UNAVAILABLE")
    assert "$argon2" not in refused.text


async def test_users_that_cannot_be_read_keep_nobody_from_a_stop(home: Paths, tmp_path: Path) -> None:
    users = users_file(tmp_path)
    async with doors(users=users) as server:
        await server.token("analyst")
        gone = await server.token("visitor")
        users.change("visitor", disabled=True)
        (tmp_path / "users.json").write_text("[{")
        status = await server.ask("analyst", "GET", "/emergency/status")
        disabled = await server.ask("", "POST", "/emergency/stop", {}, token=gone)
        stop = await server.ask("analyst", "POST", "/emergency/stop", {"justification": "smoke"})

    assert code(status) == (503, "STATE_UNAVAILABLE")
    assert disabled.status_code == 401, "who was put out before stays out"
    assert stop.status_code == 200
    assert stop.json()["unconfirmed"] == []


# Hostile names

HOSTILE = [
    "\x1b[31mroot\x1b[0m", "[bold red]root[/]", "\u202egnol si siht", "line\n2026-01-01 error forged",
    "nul\x00", "=cmd|' /C calc'!A1", "../../../etc/passwd", "'; DROP TABLE users; --", "x" * 65_536,
    "{0.__class__}", "%s%n",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_text_is_inert_wherever_it_comes_in(
    home: Paths, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    caplog.set_level("DEBUG")
    async with doors() as server:
        login = await server.login(text, text, client_version=text)
        write = await server.write("operator", MEDIUM, justification=f"why: {text}")
        stop = await server.ask("ada", "POST", "/emergency/stop", {"justification": text})
        wish = await server.wish("ada", command=text)
        path = await server.ask("ada", "GET", f"/devices/{base64.b16encode(text.encode())[:100].decode()}")
        journal = await server.journal()
        status = await server.ask("ada", "GET", "/emergency/status")

    assert login.status_code in (401, 422), login.text
    assert write.status_code in (200, 422)
    assert stop.status_code == 200, "any reason is accepted"
    assert wish.status_code in (201, 422)
    assert path.status_code in (404, 422)
    assert status.json()["is_active"]
    assert all(isinstance(record, dict) for record in journal)
    logged = "".join(record.getMessage() for record in caplog.records if record.name.startswith("dsmilctl"))
    assert "\x1b" not in logged
    assert not re.search(r"[\u202a-\u202e\u2066-\u2069]", logged)
    assert "forged" not in logged.replace(repr(text), "")


def test_the_server_leaves_no_certificate_unverified() -> None:
    root = Path(serving.__file__).parents[1]
    sources = {path: path.read_text() for path in root.rglob("*.py")}
    lax = [str(path) for path, text in sources.items() if re.search(r"verify=False|_create_unverified", text)]

    assert lax == []
    assert ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).minimum_version <= ssl.TLSVersion.TLSv1_2


async def test_nonsense_after_a_login_is_answered_in_order_on_one_connection(home: Paths) -> None:
    async with doors() as server:
        token = await server.token("operator")
        host, _, port = server.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        one = f"GET /api/v2/devices/{CRITICAL} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
        two = one.replace("devices", "nothing")
        writer.write((one + two + one).encode())
        heard = []
        async with asyncio.timeout(PATIENCE):
            for _ in range(3):
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                found = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
                assert found is not None
                heard.append((head.split()[1], json.loads(await reader.readexactly(int(found[1])))))
        writer.close()
        await writer.wait_closed()

    assert [status for status, _ in heard] == ["200", "404", "200"]
    assert heard[0][1]["device_id"] == heard[2][1]["device_id"] == CRITICAL
