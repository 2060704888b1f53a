"""Stops through drivers that take batches: what a batch does wrong costs no device its stop."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import pytest

from dsmilctl.config.paths import Paths
from dsmilctl.guard.driving import Driving
from dsmilctl.model.device import Device
from dsmilctl.model.emergency import StopOutcome
from dsmilctl.model.register import Register
from tests.rack import BatchRackDriver, Lab, Rack, RackDriver, outcomes

STOPPED, UNCONFIRMED = StopOutcome.STOPPED, StopOutcome.UNCONFIRMED
ALL = ("rack-0", "rack-1", "rack-2")


def with_driver(home: Paths, rack: Rack, kind: type[RackDriver]) -> Lab:
    """A lab over one rack, which this kind of driver speaks to."""
    lab = Lab(home, rack)
    lab.registry._kinds[rack.name] = type("Driver", (kind,), {"rack": rack, "name": rack.name})
    return lab


@pytest.mark.parametrize("answers", [[True, True], [True] * 4, [], None])
async def test_a_batch_stop_of_another_length_leaves_every_device_to_be_driven_on_its_own(
    home: Paths, answers: list[bool] | None, caplog: pytest.LogCaptureFixture
) -> None:
    rack = Rack(3)

    class SaysSo(BatchRackDriver):
        async def safe_many(self, devices: Sequence[Device]) -> Any:
            return answers

    async with with_driver(home, rack, SaysSo).client() as client:
        stop = await client.stop(deadline=1.0)

    assert outcomes(stop) == dict.fromkeys(ALL, STOPPED)
    assert {telegram.device_id for telegram in rack.wire} == set(ALL)
    assert "driver rack failed on a batch stop" in caplog.text


async def test_a_batch_of_reads_of_another_length_is_read_back_device_by_device(home: Paths) -> None:
    rack = Rack(3)

    class OneShort(BatchRackDriver):
        async def read_many(self, wanted: Sequence[tuple[Device, Sequence[Register]]]) -> Any:
            return [[0] * len(registers) for _, registers in wanted[:-1]]

    async with with_driver(home, rack, OneShort).client() as client:
        stop = await client.stop(deadline=1.0)

    assert outcomes(stop) == dict.fromkeys(ALL, STOPPED)
    assert [what for what, _ in rack.asked].count("read") == len(ALL)


async def test_a_fault_that_ends_the_work_on_one_driver_is_logged_and_costs_the_others_nothing(
    home: Paths, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    good, bad = Rack(1, name="good"), Rack(1, name="bad")
    drive = Driving._devices

    async def stumble(driving: Driving, devices: Sequence[Any]) -> None:
        if devices[0].driver.name == "bad":
            raise ArithmeticError("nobody thought of this")
        await drive(driving, devices)

    monkeypatch.setattr(Driving, "_devices", stumble)

    with caplog.at_level(logging.ERROR):
        async with Lab(home, good, bad).client() as client:
            stop = await client.stop(deadline=0.3)

    assert outcomes(stop) == {"good-0": STOPPED, "bad-0": UNCONFIRMED}
    assert "driver bad was given up: ArithmeticError('nobody thought of this')" in caplog.text
