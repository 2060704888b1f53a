"""Guessing from one address: it is held up there, and nobody else is."""

from __future__ import annotations

from ipaddress import IPv6Address

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmilctl.config.paths import Paths
from dsmilctl.errors import RateLimitError
from dsmilctl.server.assembly import ServerOptions
from dsmilctl.server.gateway import Limits
from dsmilctl.server.identity.attempts import MOST_ADDRESSES, Attempts
from tests.server.doors import CHEAP, PASSWORD, Doors, Wall, code, doors

FOUR = ServerOptions(limits=Limits(logins_per_minute=4), lockout_threshold=100, password_cost=CHEAP)


async def login(server: Doors, source: str, user: str, password: str = PASSWORD) -> httpx.Response:
    """A login from one of the addresses of this machine."""
    transport = httpx.AsyncHTTPTransport(local_address=source)
    async with httpx.AsyncClient(transport=transport, timeout=20) as http:
        body = {"username": user, "password": password}
        return await http.post(f"{server.url}/api/v2/auth/login", json=body)


async def test_who_guesses_at_one_address_is_held_up_there_and_nowhere_else(home: Paths) -> None:
    clock = Wall()
    async with doors(options=FOUR, clock=clock) as server:
        guesses = [await login(server, "127.0.0.2", f"name-{number}", "wrong") for number in range(4)]
        refused = await login(server, "127.0.0.2", "ada", "wrong")
        right = await login(server, "127.0.0.2", "ada")
        elsewhere = await login(server, "127.0.0.1", "ada")
        clock.advance(refused.json()["error"]["retry_after"] + 0.1)
        later = await login(server, "127.0.0.2", "ada")
        metrics = (await server.ask("ada", "GET", "/monitoring/metrics")).text

    assert [code(guess) for guess in guesses] == [(401, "AUTHENTICATION_FAILED")] * 4
    assert code(refused) == (429, "RATE_LIMITED")
    assert 0 < refused.json()["error"]["retry_after"] <= 15
    assert 1 <= int(refused.headers["retry-after"]) <= 15
    assert code(right) == (429, "RATE_LIMITED"), "whether a password is right is not told then"
    assert (elsewhere.status_code, later.status_code) == (200, 200)
    assert "dsmil_logins_throttled_total 2" in metrics


async def test_what_one_address_is_refused_brings_no_account_nearer_to_its_lockout(home: Paths) -> None:
    options = ServerOptions(limits=Limits(logins_per_minute=2), lockout_threshold=3, password_cost=CHEAP)
    async with doors(options=options) as server:
        told = [code(await login(server, "127.0.0.2", "ada", "wrong"))[0] for _ in range(10)]
        ada = await login(server, "127.0.0.1", "ada")

    assert told == [401] * 2 + [429] * 8
    assert ada.status_code == 200


async def test_logins_that_succeed_are_not_counted(home: Paths) -> None:
    async with doors(options=FOUR) as server:
        told = [(await login(server, "127.0.0.2", "ada")).status_code for _ in range(12)]

    assert told == [200] * 12


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_the_addresses_of_one_ipv6_network_are_one(host: int, other: int) -> None:
    attempts, first = Attempts(Wall(), 1), 0x2001_0DB8_0000_0001 << 64
    attempts.begin(str(IPv6Address(first + host)))
    with pytest.raises(RateLimitError):
        attempts.begin(str(IPv6Address(first + other)))
    attempts.begin(str(IPv6Address((first + (1 << 64)) + host)))


def test_the_memory_of_addresses_is_bounded() -> None:
    attempts = Attempts(Wall(), 1)
    for number in range(MOST_ADDRESSES + 100):
        attempts.begin(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")

    assert len(attempts._full_at) == MOST_ADDRESSES
