"""The commands of a simulated device: what they do, what they are tagged as, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dsmilctl.errors import InvalidParameter
from dsmilctl.model.operation import OperationType
from tests.drivers.simulators import CONFIG, DATA, one, simulator, values


async def test_deactivated_and_activated_a_device_shows_it(tmp_path: Path) -> None:
    driver = simulator(tmp_path)
    device = await one(driver)

    await driver.command(device, "deactivate", {})
    off = await values(driver, device, "STATUS")
    await driver.command(device, "activate", {})
    on = await values(driver, device, "STATUS")

    assert (off, on) == ([0], [1])


async def test_activating_ends_maintenance_and_keeps_the_rest_of_the_configuration(tmp_path: Path) -> None:
    driver = simulator(tmp_path)
    device = await one(driver)
    await driver.write(device, CONFIG, 0x8000_0005)

    await driver.command(device, "activate", {})

    assert await values(driver, device, "STATUS", "CONFIG") == [1, 5]


async def test_settings_are_added_up_and_shown_among_the_facts(tmp_path: Path) -> None:
    driver = simulator(tmp_path)
    device = await one(driver)

    first = await driver.command(device, "configure", {"mode": "eco", "rate": 5})
    second = await driver.command(device, "configure", {"rate": 6, "fan": True})

    assert (first, second) == ("mode=eco rate=5", "mode=eco rate=6 fan=True")
    assert dict((await one(driver)).facts).items() >= {"mode": "eco", "rate": "6", "fan": "True"}.items()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"text": "x" * 5000}, "too large"),
        ({"number": float("inf")}, "cannot be kept"),
        ({"number": float("nan")}, "cannot be kept"),
        ({"text": "\ud800"}, "cannot be kept"),
    ],
)
async def test_a_setting_that_no_file_can_hold_is_refused(
    tmp_path: Path, settings: dict[str, Any], words: str
) -> None:
    driver = simulator(tmp_path)

    with pytest.raises(InvalidParameter, match=words):
        await driver.command(await one(driver), "configure", settings)


async def test_a_reset_forgets_everything_written(tmp_path: Path) -> None:
    driver = simulator(tmp_path)
    device = await one(driver)
    before = await values(driver, device)
    await driver.write(device, DATA, 7)
    await driver.command(device, "configure", {"mode": "eco"})
    await driver.command(device, "deactivate", {})

    await driver.reset(device)

    assert await values(driver, device) == before
    assert await one(driver) == device
    assert json.loads((tmp_path / "sim.json").read_text())["devices"] == {}


async def test_a_device_says_who_it_is(tmp_path: Path) -> None:
    driver = simulator(tmp_path)

    assert await driver.command(await one(driver), "identify", {}) == (
        "0x8000 Group 0 Controller - Master coordination"
    )


@pytest.mark.parametrize(("name", "offer"), [("actvate", "activate"), ("selfdestruct", "configure")])
async def test_an_unknown_command_is_refused_with_a_known_one(tmp_path: Path, name: str, offer: str) -> None:
    driver = simulator(tmp_path)

    with pytest.raises(InvalidParameter) as refusal:
        await driver.command(await one(driver), name, {})

    assert offer in refusal.value.hint


async def test_a_parameter_that_a_command_does_not_take_is_refused(tmp_path: Path) -> None:
    driver = simulator(tmp_path)

    with pytest.raises(InvalidParameter, match="takes no parameters, but was given speed"):
        await driver.command(await one(driver), "activate", {"speed": 1})


def test_what_changes_a_device_is_tagged_as_such(tmp_path: Path) -> None:
    commands = simulator(tmp_path).commands

    assert {name: (item.operation, item.impact) for name, item in commands.items()} == {
        "configure": (OperationType.CONFIG, "write"),
        "activate": (OperationType.ACTIVATE, "write"),
        "deactivate": (OperationType.DEACTIVATE, "write"),
        "reset": (OperationType.RESET, "danger"),
        "identify": (OperationType.COMMAND, "read"),
    }
