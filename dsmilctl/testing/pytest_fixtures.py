"""Fixtures for pytest: `pytest_plugins = ["dsmilctl.testing.pytest_fixtures"]`.  Need pytest-asyncio."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from dsmilctl.client.remote.client import DSMILClient
from dsmilctl.testing.mock import MockDSMILClient
from dsmilctl.testing.simulator import DeviceSimulator


@pytest_asyncio.fixture
async def dsmil_mock() -> AsyncIterator[MockDSMILClient]:
    """A client whose server is in memory."""
    async with MockDSMILClient() as client:
        yield client


@pytest_asyncio.fixture
async def dsmil_simulator() -> AsyncIterator[DeviceSimulator]:
    """A server with all simulated devices on a free port."""
    async with DeviceSimulator() as simulator:
        yield simulator


@pytest_asyncio.fixture
async def dsmil_client(dsmil_simulator: DeviceSimulator) -> AsyncIterator[DSMILClient]:
    """A client of that server, logged in as the demo account with all rights."""
    async with DSMILClient(dsmil_simulator.url) as client:
        result = await client.authenticate("admin", "dsmil_admin_2024")
        result.raise_for_status()
        yield client
