"""The deadline of a stop: a driver that cannot be called off holds nobody up, and what was tried is told."""

from __future__ import annotations

import asyncio
import itertools
import time

from dsmilctl.config.paths import Paths
from dsmilctl.errors import DSMILError
from dsmilctl.model.device import Device
from dsmilctl.model.emergency import StopOutcome
from tests.rack import Lab, Rack, RackDriver, outcomes

STOPPED, UNCONFIRMED = StopOutcome.STOPPED, StopOutcome.UNCONFIRMED


class Stubborn(RackDriver):
    """A driver that does not let itself be called off."""

    async def safe_state(self, device: Device) -> None:
        if device.device_id != "rack-0":
            await super().safe_state(device)
            return
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            try:
                await asyncio.sleep(0.3)
            except asyncio.CancelledError:
                continue


async def test_a_driver_that_cannot_be_called_off_holds_nobody_up(home: Paths) -> None:
    rack = Rack(3)
    lab = Lab(home, rack)
    lab.registry._kinds["rack"] = type("Driver", (Stubborn,), {"rack": rack})

    async with lab.client() as client:
        begun = time.monotonic()
        stop = await client.stop(deadline=0.3)
        assert time.monotonic() - begun < 1.4
        await asyncio.sleep(1.6)

    assert outcomes(stop) == {"rack-0": UNCONFIRMED, "rack-1": STOPPED, "rack-2": STOPPED}


async def test_a_device_that_is_still_tried_at_the_deadline_is_told_with_its_attempts(home: Paths) -> None:
    class FailsThenHangs(Stubborn):
        calls = itertools.count()

        async def safe_state(self, device: Device) -> None:
            if device.device_id == "rack-0" and next(self.calls) < 2:
                raise DSMILError("the relay did not pull")
            await super().safe_state(device)

    rack = Rack(2)
    lab = Lab(home, rack)
    lab.registry._kinds["rack"] = type("Driver", (FailsThenHangs,), {"rack": rack})

    async with lab.client() as client:
        stop = await client.stop(deadline=0.5)
        await asyncio.sleep(1.6)

    tried = next(item for item in stop.confirmations if item.device_id == "rack-0")
    assert (tried.outcome, tried.error) == (UNCONFIRMED, "the relay did not pull")
    assert tried.attempts > 1
