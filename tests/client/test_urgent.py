"""Stops that must go out at once: with a login that is due, a server that failed, a network that cuts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio

from dsmilctl.client.remote.breaker import CircuitBreakerConfig, CircuitState
from dsmilctl.client.remote.client import DSMILClient
from dsmilctl.client.remote.config import ClientConfig
from dsmilctl.client.remote.fast_stop import stop_by_thread
from dsmilctl.client.remote.keeping import LoginStore
from dsmilctl.clock import SYSTEM
from dsmilctl.config.paths import Paths
from dsmilctl.errors import NetworkError, OperationTimeout, ProtocolError
from dsmilctl.wire.auth import ApiCapabilities, Tokens, UserContext
from dsmilctl.wire.emergency import StopRequest
from tests.client.bad_server import BadServer, answering, dripping, in_turn, sending
from tests.fixtures import home

__all__ = ["home"]

STOP = answering(
    b'{"stop_id":"s1","scope":"ALL","target_devices":[],"reason":"r","triggered_by":"a","triggered_at":""}'
)
EXPIRED = answering(
    b'{"error":{"code":"TOKEN_EXPIRED","message":"over","request_id":"r"}}', "401 Unauthorized"
)
FAILURE = answering(b"<html>", "502 Bad Gateway", "text/html")


def tokens(name: str, expires_in: int = 3600) -> Tokens:
    """A pair of tokens."""
    return Tokens(
        access_token=f"access-{name}",
        refresh_token=f"refresh-{name}",
        expires_in=expires_in,
        user_context=UserContext(
            user_id="u1", username="ada", clearance_level="SECRET", authorized_devices=[]
        ),
        api_capabilities=ApiCapabilities(max_requests_per_minute=None, max_concurrent_operations=None),
    )


@pytest_asyncio.fixture
async def due(bad_server: BadServer) -> AsyncIterator[DSMILClient]:
    """A client whose token is due to be renewed, of a server that has failed once too often."""
    async with DSMILClient(bad_server.url, timeout=5.0) as client:
        client.configure_retry(max_attempts=1)
        client.configure_circuit_breaker(CircuitBreakerConfig(failure_threshold=1, recovery_timeout=60))
        client._api.session.adopt(tokens("old", expires_in=0))
        assert client._api.session.due
        bad_server.behave = FAILURE
        with pytest.raises(ProtocolError):
            await client.health_check()
        assert client._api.breaker.state is CircuitState.OPEN
        bad_server.requests.clear()
        yield client


async def test_a_stop_goes_out_with_a_token_that_is_due_instead_of_waiting_for_a_renewal(
    bad_server: BadServer, due: DSMILClient
) -> None:
    bad_server.behave = STOP

    assert (await due.trigger_emergency_stop("smoke")).success

    [request] = bad_server.requests
    assert b"/emergency/stop" in request.partition(b"\r\n")[0]
    assert b"Bearer access-old" in request


async def test_a_stop_whose_token_is_over_is_renewed_past_the_circuit_and_beside_a_process_that_hangs(
    bad_server: BadServer, due: DSMILClient, home: Paths
) -> None:
    bad_server.behave = in_turn(EXPIRED, answering(msgspec.json.encode(tokens("new"))), STOP)
    due._api.session.store = LoginStore(home, "plant", bad_server.url, SYSTEM)
    another_process = LoginStore(home, "plant", bad_server.url, SYSTEM)

    async with another_process.alone(SYSTEM.monotonic()), asyncio.timeout(4.0):
        assert (await due.trigger_emergency_stop("smoke")).success

    asked = [request.split(b" ", 2)[1].rpartition(b"/")[2] for request in bad_server.requests]
    assert asked == [b"stop", b"refresh", b"stop"]
    assert b"Bearer access-new" in bad_server.requests[-1]


async def test_a_stop_whose_connection_is_cut_is_sent_again_and_is_one_stop(bad_server: BadServer) -> None:
    cut = sending(b"", close=True)
    bad_server.behave = in_turn(cut, sending(b"HTTP/1.1 200", reset=True), STOP)
    config = ClientConfig(base_url=bad_server.url)

    stop = await stop_by_thread(config, "t", StopRequest(deadline_s=10.0), deadline=20.0)

    assert stop.stop_id == "s1"
    keys = {
        line for head in bad_server.requests for line in head.split(b"\r\n") if b"Idempotency-Key" in line
    }
    assert len(bad_server.requests) == 3
    assert len(keys) == 1


async def test_a_stop_that_is_always_cut_off_is_a_network_error_when_its_time_is_over(
    bad_server: BadServer,
) -> None:
    bad_server.behave = sending(b"", close=True)

    with pytest.raises(NetworkError):
        await stop_by_thread(
            ClientConfig(base_url=bad_server.url), "t", StopRequest(deadline_s=0.5), deadline=20.0
        )

    assert len(bad_server.requests) > 1


async def test_an_answer_to_a_stop_that_drips_ends_at_the_deadline_and_leaves_no_thread_behind(
    bad_server: BadServer,
) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
    bad_server.behave = dripping(head, b" ", 0.05)

    with pytest.raises(OperationTimeout):
        await stop_by_thread(ClientConfig(base_url=bad_server.url), "t", StopRequest(), deadline=0.5)

    async with asyncio.timeout(10.0):
        await asyncio.get_running_loop().shutdown_default_executor()  # as the end of a command waits for
