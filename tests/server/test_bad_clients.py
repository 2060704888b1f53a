"""Clients that drip, vanish, take nothing or come in crowds: nobody else notices."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from websockets.asyncio.client import ClientConnection

from dsmilctl.server import intake, protocol
from dsmilctl.server.push.outbox import Letter, Missed, Outbox
from tests.server.served import PATIENCE, Served, hear, subscribe
from tests.watchdog import LIMIT


@pytest.fixture(autouse=True)
def everybody_else_is_served(served: Served) -> Iterator[None]:
    """Whatever one client does, the next one is answered."""
    yield
    answer = httpx.get(f"{served.url}/api/v2/monitoring/health", timeout=PATIENCE, trust_env=False)
    assert answer.json() == {"status": "healthy"}, "without a login only the status"


def until_closed(connection: socket.socket) -> bytes:
    """What the server says until it closes the connection, however it does."""
    found = b""
    while True:
        try:
            part = connection.recv(65536)
        except ConnectionError:
            return found
        if not part:
            return found
        found += part


def head(served: Served, length: int | str, path: str = "/devices/0x8001/operations") -> bytes:
    lines = [
        f"POST /api/v2{path} HTTP/1.1", "Host: test", f"Authorization: Bearer {served.token()}",
        f"Content-Length: {length}", "", "",
    ]  # fmt: skip
    return "\r\n".join(lines).encode()


def test_a_head_that_drips_is_cut_off_at_a_total_deadline(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_DEADLINE", 0.5)
    begun = time.monotonic()
    with served.socket() as connection:
        connection.settimeout(0.05)
        connection.sendall(b"GET /api/v2/devices HTTP/1.1\r\n")
        while time.monotonic() - begun < PATIENCE:
            try:
                connection.sendall(b"X")
                if connection.recv(1) == b"":
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break

    assert 0.4 <= time.monotonic() - begun < PATIENCE


def test_a_second_request_that_drips_is_cut_off_as_well(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_DEADLINE", 0.5)
    with served.socket() as connection:
        connection.sendall(b"GET /api/v2/monitoring/health HTTP/1.1\r\nHost: a\r\n\r\n")
        said = connection.recv(1)
        connection.sendall(b"GET /api")
        said += until_closed(connection)

    assert said.startswith(b"HTTP/1.1 200")
    assert said.count(b"HTTP/1.1") == 1


def test_a_client_that_says_nothing_is_cut_off(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_DEADLINE", 0.3)
    with served.socket() as connection:
        assert until_closed(connection) == b""


def test_a_body_that_drips_for_ever_is_answered_with_timeout_and_cut_off(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "DEADLINE", 0.5)
    begun = time.monotonic()
    with served.socket() as connection:
        connection.sendall(head(served, 1000))
        connection.settimeout(0.05)
        said = b""
        while time.monotonic() - begun < PATIENCE:
            try:
                connection.sendall(b" ")
                part = connection.recv(4096)
                if not part:
                    break
                said += part
            except TimeoutError:
                continue
            except ConnectionError:
                break

    assert said.startswith(b"HTTP/1.1 504")
    assert b'"TIMEOUT"' in said
    assert time.monotonic() - begun < PATIENCE


def test_a_body_of_a_hundred_megabytes_is_refused_before_it_is_sent(served: Served) -> None:
    with served.socket() as connection:
        connection.sendall(head(served, 100 << 20))
        said = until_closed(connection)

    assert said.startswith(b"HTTP/1.1 422")
    assert b"1,048,576 bytes" in said


def test_a_body_without_end_is_refused_at_the_limit(served: Served) -> None:
    first = head(served, 0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    sent = 0
    with served.socket() as connection:
        connection.sendall(first)
        try:
            while sent < 1000:
                connection.sendall(chunk)
                sent += 1
        except ConnectionError:
            pass
        assert sent < 1000, "the server took 64 MB"


@pytest.mark.parametrize("size", [64 << 10, 200 << 10])
def test_headers_of_64_kilobytes_are_refused_in_the_envelope(served: Served, size: int) -> None:
    with served.socket() as connection:
        request = (
            b"GET /api/v2/devices HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Big: "
            + b"x" * size
            + b"\r\n\r\n"
        )
        try:
            connection.sendall(request)
        except ConnectionError:
            return
        said = until_closed(connection)

    refusals = (b"HTTP/1.1 400", b"HTTP/1.1 401")
    assert said == b"" or (said.startswith(refusals) and b'{"error":' in said)


@pytest.mark.parametrize(
    "noise",
    [
        b"\x16\x03\x01\x02\x00\x01", b"GET\r\n\r\n", b"\x00" * 100, b"GET / HTTP/9.9\r\n\r\n",
        b"POST /api/v2/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
        b"POST /api/v2/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST /api/v2/auth/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    ],
    ids=range(7),
)  # fmt: skip
def test_noise_is_answered_with_the_envelope_or_closed(served: Served, noise: bytes) -> None:
    with served.socket() as connection:
        connection.sendall(noise + b"\r\n\r\n")
        said = until_closed(connection)

    if said:
        status, body = said.split(b" ")[1], said.partition(b"\r\n\r\n")[2]
        assert status.startswith(b"4")
        assert json.JSONDecoder().raw_decode(body.decode())[0]["error"]["code"]


def test_who_resets_the_connection_in_mid_body_leaves_nothing_behind(served: Served) -> None:
    for _ in range(20):
        connection = served.socket()
        connection.sendall(head(served, 500) + b'{"operation_type"')
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()


async def test_a_thousand_idle_websockets_leave_the_others_quick(served: Served) -> None:
    async def opened() -> ClientConnection:
        async with places:
            return await served.websocket(open_timeout=60, ping_interval=None)

    places = asyncio.Semaphore(50)
    before = len(served.gateway.push.receivers)
    crowd = await asyncio.gather(*(opened() for _ in range(1000 - before)))
    try:
        async with asyncio.timeout(PATIENCE):
            while len(served.gateway.push.receivers) < 1000:
                await asyncio.sleep(0.05)
        async with served.http() as http:
            assert (await http.get("/devices?limit=1")).status_code == 200
        async with await opened() as one_more:
            await one_more.wait_closed()
        assert one_more.close_code == 1013, "beyond the limit: try again later"
    finally:
        await asyncio.gather(*(item.close() for item in crowd))


async def test_a_receiver_that_never_reads_loses_counted_readings_and_costs_bounded_memory(
    served: Served,
) -> None:
    options = {"max_queue": 1, "open_timeout": PATIENCE}
    async with served.websocket("admin", **options) as websocket:
        await subscribe(
            websocket, "device_updates", registers=["STATUS", "TEMP", "CONFIG"], interval_ms=100, batch=True
        )
        websocket.transport.pause_reading()

        async def flood() -> None:
            from dsmilctl.server.push.feeds import Feed

            feed: Feed = next(iter(served.gateway.push.feeds._feeds.values()))
            while feed.snapshot() is None:
                await asyncio.sleep(0.05)
            whole = feed.snapshot()
            assert whole is not None
            for _ in range(400):
                feed.tell(whole.batch)
                await asyncio.sleep(0)

        await asyncio.to_thread(served.on_loop, flood())
        websocket.transport.resume_reading()
        gap = await hear(websocket, "GAP")
        after = await hear(websocket, "DEVICE_STATE_BATCH")

    assert gap["data"]["missed"] > 1000
    assert after["data"]["readings"], "what comes after the gap is whole"
    assert served.gateway.metrics.missed >= gap["data"]["missed"]


async def test_an_outbox_is_bounded_counts_what_it_drops_and_lets_an_emergency_pass() -> None:
    box = Outbox(messages=10, size=10_000)
    for number in range(100):
        box.news(Letter("DEVICE_STATE_UPDATE", b"%d" % number, 2))
    box.urgent(Letter("EMERGENCY_BROADCAST", b"{}"))
    await box.answer(Letter("ERROR", b"{}"))

    first, second, third, fourth = [await box.next() for _ in range(4)]

    assert isinstance(first, Letter)
    assert first.type == "EMERGENCY_BROADCAST"
    assert isinstance(second, Letter)
    assert second.type == "ERROR"
    assert third == Missed(180)
    assert isinstance(fourth, Letter)
    assert fourth.data == b"90", "the newest are kept"
    assert len(box) == 9


async def test_after_a_gap_news_come_before_the_next_gap() -> None:
    box = Outbox(messages=2)
    for number in range(5):
        box.news(Letter("DEVICE_STATE_UPDATE", b"%d" % number))
    gap = await box.next()
    box.news(Letter("DEVICE_STATE_UPDATE", b"5"))

    assert gap == Missed(3)
    assert isinstance(await box.next(), Letter)
    assert await box.next() == Missed(1)


async def test_what_waits_of_an_ended_subscription_is_not_said_and_makes_room() -> None:
    box = Outbox(size=1000)
    for subscription in ("sub-a", "sub-b", "sub-a"):
        box.news(Letter("DEVICE_STATE_UPDATE", b"{}", subscription=subscription))
    box.forget_subscription("sub-a")
    box.news(Letter("DEVICE_STATE_UPDATE", b"x" * 550, subscription="sub-c"))

    said = [await box.next() for _ in range(2)]

    assert [getattr(item, "subscription", "") for item in said] == ["sub-b", "sub-c"]
    assert len(box) == 0


async def test_who_asks_without_reading_is_not_heard_any_more() -> None:
    box = Outbox()
    for _ in range(64):
        await box.answer(Letter("ERROR", b"{}"))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await box.answer(Letter("ERROR", b"{}"))


async def test_nothing_keeps_the_loop_busy_while_a_hundred_clients_work(served: Served) -> None:
    async def work(number: int) -> None:
        async with served.http() as http:
            body = {"operation_type": "READ", "operation_data": {"register": "TEMP"}}
            for _ in range(3):
                answer = await http.post(f"/devices/{0x8000 + number % 8}/operations", json=body)
                assert answer.status_code == 200, answer.text

    with busiest(served) as longest:
        await asyncio.gather(*(work(number) for number in range(100)))

    assert longest[0] <= LIMIT


@contextmanager
def busiest(served: Served) -> Iterator[list[float]]:
    """The longest work of one callback of the server's loop, in seconds of the processor.

    Not of the clock: how long other programs of the machine have their turn meanwhile says nothing of ours.
    """
    longest, run = [0.0], asyncio.Handle._run

    def measured(handle: asyncio.Handle) -> None:
        begun = time.thread_time()
        run(handle)
        if handle._loop is served.loop:  # type: ignore[attr-defined]  # it is there, and not in the stubs
            longest[0] = max(longest[0], time.thread_time() - begun)

    asyncio.Handle._run = measured  # type: ignore[method-assign, assignment]  # every handle runs through it
    try:
        yield longest
    finally:
        asyncio.Handle._run = run  # type: ignore[method-assign]  # as it was
