"""Traced: a driver's calls in the log, each with how it ended; and nothing of it where nobody reads it."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from dsmilctl.clock import SYSTEM
from dsmilctl.drivers.contract import DriverContext, NoOptions
from dsmilctl.drivers.managed import Managed
from dsmilctl.drivers.traced import trace
from dsmilctl.fleet.fleet import DriverSpec, Fleet
from tests.rack import LEVEL, SPEED, Rack, RackDriver, Shelf

LOGGER = logging.getLogger("dsmilctl.drivers.rack")


def traced(rack: Rack, folder: Path) -> RackDriver:
    driver = rack.driver()(NoOptions(), DriverContext(folder))
    assert isinstance(driver, RackDriver)
    trace(driver, LOGGER, SYSTEM)
    return driver


async def test_calls_are_told_with_device_registers_and_values(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rack = Rack(2)
    driver, device = traced(rack, tmp_path), rack.devices[0]
    caplog.set_level(logging.DEBUG, "dsmilctl")

    await driver.discover()
    await driver.write(device, LEVEL, 5)
    answers = await driver.read(device, [LEVEL, SPEED])
    await driver.command(device, "whoami", {})

    told = [message.partition(", ")[0] for message in caplog.messages]
    assert answers == [5, 0]
    assert told[:2] == ["discover: done", "write rack-0 LEVEL 5: done"]
    assert caplog.messages[2].startswith("read rack-0 LEVEL,SPEED: done, ")
    assert caplog.messages[3].startswith("command rack-0 whoami {}: done, ")
    assert all(message.endswith(" ms") for message in caplog.messages)


async def test_a_call_that_fails_or_is_broken_off_is_told_as_such_and_goes_on_failing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rack = Rack(2)
    rack.faults = {"rack-0": "broken", "rack-1": "silent"}
    driver = traced(rack, tmp_path)
    caplog.set_level(logging.DEBUG, "dsmilctl")

    with pytest.raises(RuntimeError):
        await driver.read(rack.devices[0], [LEVEL])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await driver.read(rack.devices[1], [LEVEL])

    assert "read rack-0 LEVEL: failed (RuntimeError: a wire came off), " in caplog.messages[0]
    assert "read rack-1 LEVEL: broken off, " in caplog.messages[1]


@pytest.mark.parametrize("level", [logging.INFO, logging.DEBUG])
async def test_a_driver_is_as_it_was_made_unless_every_detail_is_wanted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, level: int
) -> None:
    rack = Rack(1)
    caplog.set_level(level, "dsmilctl")
    fleet = Fleet([DriverSpec("rack", {}, tmp_path)], Shelf(rack=rack.driver()))

    await fleet.open()
    driver = fleet.drivers["rack"]

    assert ("read" in vars(driver)) == (level == logging.DEBUG)
    assert Managed(rack.devices[0], driver, 0).stoppable
    await fleet.close()
