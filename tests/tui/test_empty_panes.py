"""Panes without anything in them: each says what would be there and what to do next."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from textual.pilot import Pilot

from tests.tui.dashboard import app_of, app_on, dashboard, screen_of, type_text, until
from tests.tui.fake_client import World, some_devices


def says(pilot: Pilot[int], text: str) -> Callable[[], bool]:
    """Whether the text is on the screen, wherever its lines are broken."""
    return lambda: text in " ".join(screen_of(pilot).split())


async def test_a_context_without_devices_says_where_to_find_out_why() -> None:
    world = World([])
    async with app_on(world).run_test(size=(120, 30)) as pilot:
        await until(pilot, says(pilot, "plant has no devices: dsmilctl -C plant doctor says why"))
        world.broken = "the gateway does not answer"
        app_of(pilot).open_context("sim")
        await until(pilot, says(pilot, "The devices of sim appear here when it answers: ctrl+r tries now"))
        world.broken = ""
        await pilot.press("ctrl+r")
        await until(pilot, says(pilot, "sim has no devices"))


async def test_a_filter_that_matches_nothing_says_how_to_see_everything_again(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("slash")
        await type_text(pilot, "name=nobody")
        await pilot.press("enter")
        await until(pilot, says(pilot, "No device matches name=nobody: esc shows all 12, / asks again."))
        await pilot.press("escape")
        await until(pilot, says(pilot, "Master coordination"))
        assert "No device matches" not in screen_of(pilot)


async def test_an_empty_journal_says_what_would_be_in_it(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("J")
        await until(pilot, says(pilot, "Every change that is asked for appears here, refused ones too"))
        world.note("device.write", "0x8001", "ALLOWED", "SUCCESS", register="CONFIG", value=5, old=1)
        world.clock.elapsed += 3
        await until(pilot, says(pilot, "CONFIG 1 → 5"))
        assert "appears here" not in screen_of(pilot)
        await pilot.press("slash")
        await type_text(pilot, "user=nobody")
        await pilot.press("enter")
        await until(pilot, says(pilot, "No record matches user=nobody: esc shows all of them"))


async def test_a_device_to_which_nothing_was_done_says_how_to_do_something(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("enter")
        await until(pilot, says(pilot, "What is done to this device appears here"))


@pytest.mark.parametrize(
    ("quarantined", "text"),
    [(True, "This device is quarantined and not read"), (False, "no register of this device is one")],
)
async def test_a_chart_that_stays_empty_says_why(quarantined: bool, text: str) -> None:
    (device,) = some_devices(1)
    if not quarantined:
        device = msgspec.structs.replace(device, registers=(), key_registers=(), default_register="")
    world = World([msgspec.structs.replace(device, quarantined=quarantined)])
    async with app_on(world).run_test(size=(120, 36)) as pilot:
        await until(pilot, says(pilot, "0x8000"))
        await pilot.press("enter")
        await until(pilot, says(pilot, text))
        assert (
            "This device has no registers: o lists what can be done" in screen_of(pilot)
        ) is not quarantined


async def test_without_a_stop_the_emergency_screen_says_what_it_is_for(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("E")
        await until(pilot, says(pilot, "What each device answers to a stop appears here; h shows"))
        await pilot.press("ctrl+x")
        await until(pilot, says(pilot, "12 confirmed"))
        assert "What each device answers" not in screen_of(pilot)


async def test_the_sentence_is_broken_between_words_where_the_pane_is_narrow(world: World) -> None:
    async with dashboard(world, size=(40, 20)) as pilot:
        await pilot.press("J")
        await until(pilot, says(pilot, "refused ones too: w on a device asks for one."))
