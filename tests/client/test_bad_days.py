"""What a client makes of servers and networks that misbehave: a typed error, in time, within bounds."""

from __future__ import annotations

import asyncio
import gzip
import resource
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from dsmilctl.client.remote.breaker import CircuitBreakerConfig, CircuitOpen
from dsmilctl.client.remote.client import DSMILClient
from dsmilctl.client.remote.config import ClientConfig
from dsmilctl.client.remote.http import HttpTransport
from dsmilctl.client.remote.plain import PlainTransport
from dsmilctl.errors import NetworkError, OperationTimeout, ProtocolError, RateLimitError
from tests.client.bad_server import BadServer, answer, answering, dripping, in_turn, sending

HEALTH = b'{"status":"healthy"}'
HTML = b"<html><body><h1>503 Service Unavailable</h1></body></html>"
JSON = "application/json"
STOP = b'{"stop_id":"s1","scope":"ALL","target_devices":[],"reason":"r","triggered_by":"a","triggered_at":""}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
LIMITED = b'{"error":{"code":"RATE_LIMITED","message":"too many","retry_after":%s,"request_id":"r"}}'
MEBIBYTE = 1 << 20


@pytest_asyncio.fixture(params=[HttpTransport, PlainTransport])
async def client(bad_server: BadServer, request: pytest.FixtureRequest) -> AsyncIterator[DSMILClient]:
    """A client with little patience, over each of the transports."""
    config = ClientConfig(base_url=bad_server.url, timeout=0.5, max_retries=2)
    async with DSMILClient(config=config, transport=request.param(config)) as made:
        made.configure_retry(max_attempts=3, base_delay=0.01, max_delay=0.02)
        yield made


@pytest.mark.parametrize(
    ("head", "drop"),
    [
        (HEAD + b"Content-Length: 100000\r\n\r\n", b" "),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (b"HTTP/1.1 200 OK\r\n", b"X-Drop: 1\r\n"),
    ],
    ids=["body", "chunks", "headers"],
)
async def test_an_answer_that_drips_for_ever_ends_at_the_total_deadline(
    bad_server: BadServer, client: DSMILClient, head: bytes, drop: bytes
) -> None:
    bad_server.behave = dripping(head, drop, 0.02)
    begun = time.monotonic()

    with pytest.raises(OperationTimeout, match=r"no whole answer of .* within"):
        await client.health_check()

    assert time.monotonic() - begun < 5
    assert len(bad_server.requests) == 1, "the time was over, so nothing was tried again"


async def test_a_server_that_takes_the_request_and_says_nothing_ends_at_the_deadline(
    bad_server: BadServer, client: DSMILClient
) -> None:
    bad_server.behave = sending(b"")

    with pytest.raises(OperationTimeout):
        await client.health_check()


async def test_nobody_at_the_address_is_a_network_error() -> None:
    async with DSMILClient("http://127.0.0.1:9", timeout=2.0, max_retries=0) as client:
        with pytest.raises(NetworkError) as caught:
            await client.health_check()

    assert caught.value.exit_status == 3


@pytest.mark.parametrize(
    ("content", "kind"),
    [(HTML, "text/html"), (b"", JSON), (b"{", JSON), (b"\xff\xfe", JSON), (b"[" * 100_000, JSON),
     (b'{"status": 5}', JSON)],
    ids=["page of a proxy", "empty", "half", "no text", "nested", "wrong type"],
)  # fmt: skip
async def test_an_answer_that_is_none_of_the_api_is_a_protocol_error(
    bad_server: BadServer, client: DSMILClient, content: bytes, kind: str
) -> None:
    bad_server.behave = answering(content, "200 OK", kind)

    with pytest.raises(ProtocolError) as caught:
        await client.health_check()

    assert caught.value.code == "PROTOCOL_ERROR"
    assert "proxy" in caught.value.hint


async def test_a_proxy_in_trouble_is_asked_again_and_then_answered(
    bad_server: BadServer, client: DSMILClient
) -> None:
    page = answering(HTML, "503 Service Unavailable", "text/html")
    bad_server.behave = in_turn(page, page, answering(HEALTH))

    assert (await client.health_check()).is_healthy

    assert len(bad_server.requests) == 3
    assert client.get_performance_metrics().retries == 2


async def test_a_redirect_is_not_followed(bad_server: BadServer, client: DSMILClient) -> None:
    bad_server.behave = answering(b"", "302 Found", "text/html", "Location: http://127.0.0.1:9/")

    with pytest.raises(ProtocolError, match="302"):
        await client.health_check()


async def test_a_gzip_bomb_that_nobody_asked_for_is_refused_unopened(
    bad_server: BadServer, client: DSMILClient
) -> None:
    bad_server.behave = answering(
        gzip.compress(bytes(64 * MEBIBYTE)), "200 OK", "application/json", "Content-Encoding: gzip"
    )

    with pytest.raises(ProtocolError, match="not asked for"):
        await client.health_check()

    assert b"accept-encoding: identity" in bad_server.requests[0].lower()


async def test_a_gzip_bomb_is_opened_no_further_than_the_limit(bad_server: BadServer) -> None:
    bomb = gzip.compress(bytes(128 * MEBIBYTE), 1)
    bad_server.behave = answering(bomb, "200 OK", "application/json", "Content-Encoding: gzip")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    async with DSMILClient(
        bad_server.url, enable_compression=True, max_response_bytes=MEBIBYTE, max_retries=0
    ) as client:
        with pytest.raises(ProtocolError, match="larger than 1,048,576 bytes"):
            await client.health_check()

    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < 17 * MEBIBYTE


async def test_a_compressed_answer_that_was_asked_for_is_read(bad_server: BadServer) -> None:
    bad_server.behave = answering(
        gzip.compress(HEALTH), "200 OK", "application/json", "Content-Encoding: gzip"
    )

    async with DSMILClient(bad_server.url, enable_compression=True) as client:
        assert (await client.health_check()).is_healthy


async def test_a_body_beyond_the_limit_is_not_read_to_its_end(bad_server: BadServer) -> None:
    bad_server.behave = answering(b" " * (4 * MEBIBYTE))

    async with DSMILClient(bad_server.url, max_response_bytes=MEBIBYTE, max_retries=0) as client:
        with pytest.raises(ProtocolError, match="larger"):
            await client.health_check()


async def test_an_answer_shorter_than_it_said_is_a_network_error(
    bad_server: BadServer, client: DSMILClient
) -> None:
    bad_server.behave = sending(HEAD + b"Content-Length: 500\r\n\r\n" + HEALTH, close=True)

    with pytest.raises(NetworkError):
        await client.health_check()

    assert len(bad_server.requests) == 3, "a question may be asked again"


async def test_a_connection_that_is_reset_is_tried_again(bad_server: BadServer, client: DSMILClient) -> None:
    bad_server.behave = in_turn(sending(b"HTTP/1.1 200", reset=True), answering(HEALTH))

    assert (await client.health_check()).is_healthy


async def test_bytes_that_are_no_http_are_a_protocol_error(
    bad_server: BadServer, client: DSMILClient
) -> None:
    bad_server.behave = sending(b"SSH-2.0-OpenSSH_9.9\r\n\r\n", close=True)

    with pytest.raises(ProtocolError):
        await client.health_check()


async def test_the_time_that_a_server_names_is_waited_for(bad_server: BadServer) -> None:
    bad_server.behave = in_turn(answering(LIMITED % b"0.3", "429 Too Many Requests"), answering(HEALTH))

    async with DSMILClient(bad_server.url, timeout=5.0) as client:
        begun = time.monotonic()
        assert (await client.health_check()).is_healthy

    assert time.monotonic() - begun >= 0.3


async def test_a_storm_of_429_ends_with_the_error_and_the_time_to_wait(
    bad_server: BadServer, client: DSMILClient
) -> None:
    bad_server.behave = answering(
        LIMITED % b"60.0", "429 Too Many Requests", "application/json", "Retry-After: 60"
    )

    with pytest.raises(RateLimitError) as caught:
        await client.health_check()

    assert caught.value.retry_after == 60.0
    assert len(bad_server.requests) == 1, "a minute is longer than the call may take"


async def test_a_server_without_an_envelope_names_the_time_in_its_header(
    bad_server: BadServer, client: DSMILClient
) -> None:
    bad_server.behave = answering(HTML, "503 Service Unavailable", "text/html", "Retry-After: 120")

    with pytest.raises(ProtocolError):
        await client.health_check()

    assert len(bad_server.requests) == 1


async def test_the_circuit_opens_after_failures_in_a_row_and_closes_after_a_success(
    bad_server: BadServer, client: DSMILClient
) -> None:
    client.configure_retry(max_attempts=1)
    client.configure_circuit_breaker(CircuitBreakerConfig(failure_threshold=2, recovery_timeout=0.2))
    bad_server.behave = in_turn(
        answering(HTML, "502 Bad Gateway", "text/html"),
        answering(HTML, "502 Bad Gateway", "text/html"),
        answering(HEALTH),
    )
    for _ in range(2):
        with pytest.raises(ProtocolError):
            await client.health_check()

    with pytest.raises(CircuitOpen):
        await client.health_check()
    assert len(bad_server.requests) == 2, "an open circuit sends nothing"
    assert client.get_debug_info().circuit_state == "open"

    await asyncio.sleep(0.25)
    assert (await client.health_check()).is_healthy
    assert client.get_debug_info().circuit_state == "closed"


async def test_an_emergency_stop_passes_an_open_circuit(bad_server: BadServer, client: DSMILClient) -> None:
    client.configure_retry(max_attempts=1)
    client.configure_circuit_breaker(CircuitBreakerConfig(failure_threshold=1, recovery_timeout=60))
    bad_server.behave = in_turn(answering(HTML, "502 Bad Gateway", "text/html"), answering(STOP))
    with pytest.raises(ProtocolError):
        await client.health_check()

    result = await client.trigger_emergency_stop("the circuit must not matter")

    assert result.success
    assert result.stop_id == "s1"


async def test_an_answer_in_two_pieces_is_one_answer(bad_server: BadServer, client: DSMILClient) -> None:
    whole = answer(HEALTH)
    bad_server.behave = sending(whole[:30] + whole[30:], close=True)

    assert (await client.health_check()).is_healthy
