"""Fixtures: a real server on loopback, clients of it, and servers that misbehave byte by byte."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from dsmilctl import redaction
from dsmilctl.client.remote.client import DSMILClient
from dsmilctl.testing.simulator import DeviceSimulator
from tests.client.bad_server import BadServer


@pytest.fixture(autouse=True)
def forget_secrets() -> Iterator[None]:
    yield
    redaction.forget()


@pytest_asyncio.fixture
async def simulator() -> AsyncIterator[DeviceSimulator]:
    async with DeviceSimulator() as running:
        yield running


@pytest_asyncio.fixture
async def client(simulator: DeviceSimulator) -> AsyncIterator[DSMILClient]:
    """A client logged in as the demo account with all rights."""
    async with DSMILClient(simulator.url) as made:
        made.configure_retry(max_attempts=4, base_delay=0.01, max_delay=0.05)
        (await made.authenticate("admin", "dsmil_admin_2024")).raise_for_status()
        yield made


@pytest_asyncio.fixture
async def bad_server() -> AsyncIterator[BadServer]:
    async with BadServer() as server:
        yield server
