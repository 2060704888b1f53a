"""The stop key, what it shows, and the release."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input

from dsmilctl.tui.screens.change import ChangeDialog
from dsmilctl.tui.screens.emergency import EmergencyPage
from dsmilctl.tui.screens.menu import Menu
from dsmilctl.tui.screens.release import ReleaseDialog
from dsmilctl.tui.stop import Phase, Stopper, StopProgress
from tests.tui.dashboard import app_of, dashboard, line_with, notices, screen_of, type_text, until
from tests.tui.fake_client import FakeClient, SlowClient, World


async def test_the_stop_key_stops_everything_at_once_and_shows_who_confirmed(world: World) -> None:
    world.silent = {0x8003}
    async with dashboard(world) as pilot:
        await pilot.press("ctrl+x")
        await until(pilot, lambda: "11 confirmed" in screen_of(pilot))
        assert "1 NOT confirmed" in screen_of(pilot)
        first = screen_of(pilot).splitlines()[5]
        assert "0x8003" in first and "UNCONFIRMED" in first  # the one to look after comes first
        assert "ms after the key" in screen_of(pilot)
    assert len(world.stops) == 1


@pytest.mark.parametrize(
    "keys",
    [
        ["enter"],
        ["J"],
        ["E"],
        ["question_mark"],
        ["colon"],
        ["colon", "x", "y"],
        ["c"],
        ["o"],
        ["slash", "r"],
        ["f", "a"],
        ["a", "w"],
        ["a", "w", "5", "enter", "w"],
        ["J", "slash", "u"],
    ],
    ids="+".join,
)
async def test_the_stop_key_works_on_every_page_and_in_every_dialog_and_field(
    world: World, keys: list[str]
) -> None:
    async with dashboard(world) as pilot:
        await pilot.press(*keys)
        assert "STOP" in screen_of(pilot).splitlines()[-1]
        await pilot.press("ctrl+x")
        await until(pilot, lambda: isinstance(app_of(pilot).screen, EmergencyPage))
        await until(pilot, lambda: "12 confirmed" in screen_of(pilot))
    assert len(world.stops) == 1


async def test_the_stop_works_in_a_read_only_session(world: World) -> None:
    async with dashboard(world, read_only=True) as pilot:
        assert "read-only" in screen_of(pilot).splitlines()[0]
        await pilot.press("ctrl+x")
        await until(pilot, lambda: "12 confirmed" in screen_of(pilot))
    assert len(world.stops) == 1


async def test_a_click_on_the_stop_is_a_stop(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.click("#footer", offset=(110, 0))
        await until(pilot, lambda: bool(world.stops))


async def test_after_the_stop_the_dialog_below_is_still_there(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("a", "w", "5", "ctrl+x")
        await until(pilot, lambda: isinstance(app_of(pilot).screen, EmergencyPage))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app_of(pilot).screen, ChangeDialog))
        assert app_of(pilot).screen.query_one("#value", Input).value == "5"


async def test_a_stop_from_another_shell_shows_on_every_page(world: World) -> None:
    async with dashboard(world) as pilot:
        await FakeClient(world).stop(reason="another shell")
        await until(pilot, lambda: "EMERGENCY STOP: everything is stopped by ada" in screen_of(pilot))
        assert "■ stopped" in line_with(pilot, "0x8001")


async def test_a_stop_of_some_devices_marks_only_these(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("space", "space", "o")
        await until(pilot, lambda: isinstance(app_of(pilot).screen, Menu))
        await type_text(pilot, "emergency")
        await pilot.press("enter")
        await until(pilot, lambda: "0x8000,0x8001" in screen_of(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: "■ stopped" in line_with(pilot, "0x8001"))
        assert "● active" in line_with(pilot, "0x8002")


async def test_the_release_wants_the_name_of_the_context_and_a_reason(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("ctrl+x")
        await until(pilot, lambda: "12 confirmed" in screen_of(pilot))
        await pilot.press("r")
        await type_text(pilot, "plan")
        await pilot.press("enter")
        await type_text(pilot, "all is well again")
        await pilot.press("enter", "tab", "enter")
        await until(pilot, lambda: "The name is not plant" in screen_of(pilot))
        assert world.stops

        app_of(pilot).screen.query_one("#release-name", Input).value = "plant"
        button = app_of(pilot).screen.query_one("#release", Button)
        await until(pilot, lambda: not button.has_class("-active"))  # a button needs a moment after a press
        await pilot.press("enter")
        await until(pilot, lambda: not world.stops)
        await until(pilot, lambda: "Nothing is stopped" in screen_of(pilot))
        assert "1 stops released" in notices(pilot)


async def test_a_stop_that_comes_while_the_release_is_being_typed_stays(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("ctrl+x")
        await until(pilot, lambda: "12 confirmed" in screen_of(pilot))
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app_of(pilot).screen, ReleaseDialog))
        app_of(pilot).screen.query_one("#release-name", Input).value = "plant"
        app_of(pilot).screen.query_one("#release-why", Input).value = "all is well again"
        await FakeClient(world).stop(reason="smoke again")
        await until(pilot, lambda: len(app_of(pilot).snapshot.stops) == 2)
        app_of(pilot).screen.query_one("#release", Button).press()
        await until(pilot, lambda: "1 stops released" in notices(pilot))

    assert [stop.reason for stop in world.stops] == ["emergency stop: smoke again"]


async def test_a_release_in_a_read_only_session_is_refused_with_its_code(world: World) -> None:
    async with dashboard(world, read_only=True) as pilot:
        await pilot.press("ctrl+x")
        await until(pilot, lambda: "12 confirmed" in screen_of(pilot))
        await pilot.press("r")
        await type_text(pilot, "plant")
        await pilot.press("enter", *"because", "enter", "tab", "enter")
        await until(pilot, lambda: "READ_ONLY" in screen_of(pilot))
    assert world.stops


async def test_the_stops_there_were_can_be_looked_at(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("E", "h")
        await until(pilot, lambda: "no emergency stop yet" in notices(pilot))
        await pilot.press("ctrl+x")
        await until(pilot, lambda: "12 confirmed" in screen_of(pilot))
        await pilot.press("h")
        await until(pilot, lambda: "12 confirmed; s" in screen_of(pilot))  # the notice lies over the rest


async def test_a_stop_that_is_over_is_never_said_to_be_none(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("E")
        await pilot.press("ctrl+x")
        await until(pilot, lambda: stopped_here(pilot))
        assert "Nothing is stopped" not in screen_of(pilot)
        assert "12 confirmed" in screen_of(pilot)


def stopped_here(pilot: Pilot[int]) -> bool:
    """Whether the dashboard knows that the stop that was pulled on it is over."""
    progress = app_of(pilot).snapshot.stop
    return progress is not None and progress.phase is Phase.ENDED


async def test_a_second_press_while_a_stop_is_under_way_is_the_same_stop(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("ctrl+x", "ctrl+x", "ctrl+x")
        await until(pilot, lambda: "12 confirmed" in screen_of(pilot))
    assert 1 <= len(world.stops) <= 3


async def test_a_press_during_a_stop_is_not_another_one_and_the_next_thread_stands_ready(
    world: World,
) -> None:
    told: list[StopProgress] = []
    world.hushed = True
    stopper = Stopper(lambda name: SlowClient(world, name=name), told.append, world.clock)

    assert stopper.pull("plant")
    assert not stopper.pull("plant")  # the same stop
    assert stopper.under_way
    assert stopper.pull("plant", [world.devices[0]], "0x8000")  # some devices are another stop
    await _until(lambda: len(world.stops) == 2)  # and it does not wait for the first one

    world.hushed = False
    await _until(lambda: not stopper.under_way)
    stopper.close(1.0)
    assert [item.phase for item in told].count(Phase.ENDED) == 2


async def test_a_stop_that_cannot_be_carried_out_says_so(world: World) -> None:
    told: list[StopProgress] = []

    def broken(name: str) -> FakeClient:
        raise OSError(f"no such fleet: {name}")

    stopper = Stopper(broken, told.append, world.clock)
    stopper.pull("plant")
    await _until(lambda: not stopper.under_way)
    assert told[-1].phase is Phase.BROKEN
    assert "no such fleet" in told[-1].error


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.005)
