"""A bad network: peers that vanish, frames without end, bombs, receivers that take nothing."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import os
import re
import resource
import socket
import struct
import time
from collections.abc import Iterator
from functools import cache

import pytest

from dsmilctl.config.paths import Paths
from dsmilctl.server import serve as serving
from dsmilctl.server.push import event_stream
from tests.server.doors import CRITICAL, MEDIUM, code, doors
from tests.server.served import PATIENCE, Served

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
