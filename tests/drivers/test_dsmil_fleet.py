"""Two servers in one fleet: each costs only its own devices, and what is done is told on both sides."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dsmilctl.client.fleets import fleet_context
from dsmilctl.client.interface import HistoryQuery
from dsmilctl.client.local import LocalClient
from dsmilctl.client.local_drivers import InstalledDrivers
from dsmilctl.client.opening import Opening, local_identity
from dsmilctl.clock import SYSTEM
from dsmilctl.config.paths import Paths
from dsmilctl.config.settings import Settings
from dsmilctl.errors import EmergencyStopActive
from dsmilctl.fleet.switches import Switches
from dsmilctl.model.operation import OperationStatus, OperationType, Request
from dsmilctl.model.selector import parse_selector
from dsmilctl.testing.simulator import DeviceSimulator
from tests.drivers.far import LOW, PASSWORDS, federating
from tests.fixtures import home

__all__ = ["home"]

FLEET = """\
version: 2
devices:
  - {{id: north, driver: dsmil, options: {{url: "{north}", username: admin, secret: "env:FAR", prefix: n-}}}}
  - {{id: south, driver: dsmil, options: {{url: "{south}", username: admin, secret: "env:FAR", prefix: s-}}}}
"""
WHY = "a test of two servers"


@pytest.fixture
async def servers() -> AsyncIterator[tuple[DeviceSimulator, DeviceSimulator]]:
    """Two servers with the same devices."""
    async with DeviceSimulator() as north, DeviceSimulator() as south:
        yield north, south


@asynccontextmanager
async def gateway(
    folders: Paths, tmp_path: Path, servers: tuple[DeviceSimulator, DeviceSimulator]
) -> AsyncIterator[LocalClient]:
    """A local client on the fleet of both."""
    file = tmp_path / "both.yaml"
    file.write_text(FLEET.format(north=servers[0].url, south=servers[1].url))
    registry = federating()
    opening = Opening(
        context=fleet_context(file, registry),
        settings=Settings(),
        folders=folders,
        registry=registry,
        installed=InstalledDrivers(registry, Switches(folders.driver_switches_file), SYSTEM),
        identity=local_identity(),
        read_only=False,
        timeout=10.0,
        clock=SYSTEM,
    )
    async with opening.client() as client:
        yield client


@pytest.fixture(autouse=True)
def secret(home: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """The password of both accounts."""
    monkeypatch.setenv("FAR", PASSWORDS["admin"])


async def test_a_server_that_is_away_costs_its_own_devices_alone(
    home: Paths, tmp_path: Path, servers: tuple[DeviceSimulator, DeviceSimulator]
) -> None:
    async with gateway(home, tmp_path, servers) as client:
        devices = await client.devices(parse_selector("n-0x803C,n-0x803D,s-0x803C,s-0x803D"))
        assert len(await client.devices(quarantined=True)) == 168
        assert all(reading.good for reading in await client.read(devices, ["TEMP"]))

        await servers[0].stop()
        after = await client.read(devices, ["TEMP"])

        assert [reading.good for reading in after] == [False, False, True, True]


async def test_a_change_is_told_in_both_journals_each_by_its_own_name(
    home: Paths, tmp_path: Path, servers: tuple[DeviceSimulator, DeviceSimulator]
) -> None:
    async with gateway(home, tmp_path, servers) as client:
        done = await client.change(write_of(f"s-0x{LOW:X}", 9))

        assert done.status is OperationStatus.SUCCESS, done.error
        assert done.reference is not None
        here = await client.audit(HistoryQuery(limit=10))
        there = await servers[1].gateway.client.audit(HistoryQuery(limit=10))

    assert done.reference.operation_id in {line.operation_id for line in there}
    assert done.reference.operation_id in str([line.parameters for line in here])
    assert done.operation_id in str([line.parameters for line in there])


async def test_a_stop_of_one_device_is_ordered_where_it_is_and_nowhere_else(
    home: Paths, tmp_path: Path, servers: tuple[DeviceSimulator, DeviceSimulator]
) -> None:
    async with gateway(home, tmp_path, servers) as client:
        stop = await client.stop(await client.devices(parse_selector(f"s-0x{LOW:X}")), deadline=10.0)

        assert [(item.device_id, item.outcome.confirmed) for item in stop.confirmations] == [
            ("s-0x803C", True)
        ]
        assert await servers[0].gateway.client.stops() == []
        (there,) = await servers[1].gateway.client.stops()
        assert there.devices == (LOW,)

        await client.release(justification=WHY)
        with pytest.raises(EmergencyStopActive, match="stop"):  # it is still stopped there
            await client.change(write_of(f"s-0x{LOW:X}", 9))
        (refused,) = (await client.change_many([write_of(f"s-0x{LOW:X}", 9)])).results
        assert (refused.status, refused.error_code) == (OperationStatus.DENIED, EmergencyStopActive.code)


def write_of(device: str, value: int) -> Request:
    """A write to CONFIG."""
    return Request(
        device_id=device, type=OperationType.WRITE, register="CONFIG", value=value, justification=WHY
    )
