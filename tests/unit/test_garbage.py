"""Garbage: a command that goes on makes little of it, and looks for it in small portions."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator

import pytest

from dsmilctl.config.paths import Paths
from dsmilctl.errors import DeviceQuarantined, kept
from tests.rack import Lab, Rack

ROUNDS = 20
GOES_ON = """
import asyncio, gc, sys
from dsmilctl.commands import execution
execution.LONG = 0.01
gc.set_threshold(int(sys.argv[1]))
execution.execute(asyncio.sleep(float(sys.argv[2])))
print(gc.get_threshold()[0], gc.get_freeze_count() > 1000)
"""


@pytest.fixture
def nobody_looks() -> Iterator[None]:
    """Garbage stays where it is, so that it can be counted."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("nobody_looks")
@pytest.mark.parametrize("fault", ["broken", "refused", "silent"])
async def test_a_device_that_fails_read_after_read_leaves_nothing_to_be_looked_for(
    home: Paths, fault: str
) -> None:
    rack = Rack(2)
    rack.faults["rack-1"] = fault
    async with Lab(home, rack).client(timeout=0.01) as client:
        devices = await client.devices()
        await client.read(devices)
        gc.collect()
        for _ in range(ROUNDS):
            readings = await client.read(devices)
        left = gc.collect()

    assert {bool(reading.error) for reading in readings} == {True, False}
    assert left < ROUNDS, "a failure held its own frames"


def test_a_refusal_that_is_kept_holds_none_of_the_frames_it_came_through() -> None:
    def refuse() -> None:
        try:
            raise KeyError("an approval")
        except KeyError:
            raise DeviceQuarantined("0x8009 is quarantined", device_id=0x8009) from None

    try:
        refuse()
    except DeviceQuarantined as error:
        refusal = kept(error)

    assert (refusal.__traceback__, refusal.__context__, refusal.__cause__) == (None, None, None)
    assert (refusal.message, refusal.device_id) == ("0x8009 is quarantined", 0x8009)


def after(threshold: int, seconds: float) -> list[str]:
    """The threshold, and whether objects were set aside, after a command that took so long."""
    line = [sys.executable, "-c", GOES_ON, str(threshold), str(seconds)]
    return subprocess.run(line, check=True, capture_output=True, text=True).stdout.split()


def test_a_command_that_goes_on_looks_often_and_not_at_what_it_began_with() -> None:
    assert after(100_000, 0.3) == ["5000", "True"]


def test_a_short_command_looks_as_seldom_as_it_did() -> None:
    assert after(100_000, 0.0) == ["100000", "False"]


def test_a_program_of_somebody_else_keeps_its_own_habit() -> None:
    assert after(700, 0.3) == ["700", "False"]
