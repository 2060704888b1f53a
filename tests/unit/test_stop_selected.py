"""Stops of what a selector names: the latch first, wherever it can be told whom it is to hold."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from dsmilctl.client.local import LocalClient
from dsmilctl.config.paths import Paths
from dsmilctl.errors import DSMILError, EmergencyStopActive
from dsmilctl.model.emergency import Stop, StopOutcome
from dsmilctl.model.selector import parse_selector
from tests.rack import Lab, Rack, outcomes, write

STOPPED, UNCONFIRMED = StopOutcome.STOPPED, StopOutcome.UNCONFIRMED


def numbered(count: int = 4, name: str = "rack") -> Rack:
    """A rack whose devices have numbers."""
    rack = Rack(count, name=name)
    for number in range(count):
        rack.change(number, device_id=0x8000 + number)
    return rack


@asynccontextmanager
async def stopping(client: LocalClient, selector: str) -> AsyncIterator[asyncio.Task[Stop]]:
    """A stop that is under way, as soon as it is in force."""
    ordered = asyncio.create_task(client.stop_selected(parse_selector(selector), deadline=0.3))
    while not await client.stops():
        assert not ordered.done(), ordered.result()
        await asyncio.sleep(0)
    yield ordered
    await ordered


@pytest.mark.parametrize("selector", ["0x8000", "0x8000-0x8001", "32768,0x8001", "@all", "*"])
async def test_a_driver_that_does_not_name_its_devices_keeps_no_stop_from_being_latched(
    home: Paths, selector: str
) -> None:
    rack = numbered()
    lab = Lab(home, rack)
    async with lab.client() as other, lab.client() as client:
        await other.devices()
        rack.discovery = 1000.0
        async with stopping(client, selector) as ordered:
            assert not ordered.done()
            with pytest.raises(EmergencyStopActive):
                await other.change(write(0x8000))
            stop = await ordered
        standing = await client.stops()

    assert set(outcomes(stop).values()) == {UNCONFIRMED}
    assert [item.stop_id for item in standing] == [stop.stop_id]
    assert rack.wire == []


async def test_a_stop_by_numbers_holds_and_drives_these_and_no_others(home: Paths) -> None:
    rack = numbered()

    async with Lab(home, rack).client() as client:
        stop = await client.stop_selected(parse_selector("0x8001-0x8009"))
        with pytest.raises(EmergencyStopActive):
            await client.change(write(0x8003))
        assert (await client.change(write(0x8000))).success

    assert outcomes(stop) == dict.fromkeys((0x8001, 0x8002, 0x8003), STOPPED)
    assert stop.scope == "0x8001-0x8009"


@pytest.mark.parametrize("selector", ["0x9999", "0x8000,0x9999", "0x9000-0x9001", "@nobody", "boiler-9"])
async def test_a_mistyped_device_leaves_no_stop_behind(home: Paths, selector: str) -> None:
    rack = numbered()

    async with Lab(home, rack).client() as client:
        with pytest.raises(DSMILError) as unknown:
            await client.stop_selected(parse_selector(selector))
        standing, history = await client.stops(), await client.stop_history()

    assert unknown.value.code == "DEVICE_NOT_FOUND"
    assert (standing, history) == ([], [])
    assert rack.wire == []


async def test_what_a_missing_driver_might_have_stays_latched_and_is_named(home: Paths) -> None:
    present, missing = numbered(), Rack(1, name="shed")
    missing.discovery = ConnectionRefusedError("no bus")

    async with Lab(home, present, missing).client() as client:
        stop = await client.stop_selected(parse_selector("0x8000,0x9999"), deadline=0.3)
        standing = await client.stops()

    assert outcomes(stop)[0x8000] is STOPPED
    assert outcomes(stop)["driver shed"] is UNCONFIRMED
    assert outcomes(stop)[0x9999] is UNCONFIRMED
    assert standing[0].covers(0x9999)
