"""The transport of short commands: the same answers without a library, and the library when it gets long."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

from dsmilctl.client.remote.client import DSMILClient
from dsmilctl.client.remote.config import ClientConfig
from dsmilctl.client.remote.plain import FEW, PlainTransport
from dsmilctl.config.paths import Paths
from dsmilctl.model.reading import Batch
from dsmilctl.testing.simulator import DeviceSimulator
from tests.client.test_doors import certified
from tests.fixtures import home
from tests.server.doors import PASSWORD, doors

__all__ = ["home"]


def plain(url: str, **settings: str) -> DSMILClient:
    """A client whose first requests go without a library."""
    config = ClientConfig(base_url=url, **settings)  # type: ignore[arg-type] # the settings of a test are texts
    return DSMILClient(config=config, transport=PlainTransport(config))


async def test_many_requests_one_after_the_other_and_at_once_are_all_answered(
    simulator: DeviceSimulator,
) -> None:
    async with plain(simulator.url) as client:
        (await client.authenticate("admin", "dsmil_admin_2024")).raise_for_status()
        for _ in range(3):
            assert (await client.whoami()).username == "admin"
        found = await asyncio.gather(*(client.get_device(0x8000 + index) for index in range(12)))
        for _ in range(FEW):
            assert (await client.whoami()).username == "admin"

    assert [device.device_id for device in found] == list(range(0x8000, 0x800C))


async def test_a_stream_and_a_read_go_on_side_by_side(simulator: DeviceSimulator) -> None:
    async with plain(simulator.url) as client:
        (await client.authenticate("admin", "dsmil_admin_2024")).raise_for_status()
        devices = (await client.devices())[:2]
        stream = client.stream(devices, interval=0.1)
        batches = 0
        async for item in stream:
            batches += isinstance(item, Batch)
            assert all(reading.good for reading in await client.read(devices))
            if batches == 3:
                break
        await stream.aclose()

    assert batches == 3


async def test_over_tls_too(home: Paths, tmp_path: Path) -> None:
    listening = certified(tmp_path)
    verify = ssl.create_default_context(cafile=str(tmp_path / "authority.pem"))
    async with (
        doors(listening=listening, verify=verify) as server,
        plain(server.url, ca_path=str(tmp_path / "authority.pem")) as client,
    ):
        assert (await client.authenticate("ada", PASSWORD)).success
        assert (await client.whoami()).username == "ada"
