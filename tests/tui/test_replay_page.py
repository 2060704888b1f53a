"""Replay: a real recording is played, stands still, jumps and goes faster."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from dsmilctl.model.device import show_id
from dsmilctl.tui.screens.recordings import RecordingsPage
from dsmilctl.tui.screens.replay import ReplayPage
from dsmilctl.tui.widgets.replay import ReplayTable, bar_text
from tests.fixtures import home
from tests.tui.dashboard import app_of, app_on, dashboard, line_with, live, screen_of, until
from tests.tui.fake_client import START, World
from tests.tui.test_pictures import Compare
from tests.tui.test_recordings_page import SECOND, on_page, record

__all__ = ["home"]
pytestmark = pytest.mark.usefixtures("home")


async def replaying(pilot: Pilot[int]) -> ReplayPage:
    """Go to the recordings and play the newest."""
    await on_page(pilot)
    await until(pilot, lambda: "tour" in screen_of(pilot))
    await pilot.press("p")
    await until(pilot, lambda: "playing" in screen_of(pilot) and "20" in line_with(pilot, "TEMP"))
    page = app_of(pilot).screen
    assert isinstance(page, ReplayPage)
    return page


def value(page: ReplayPage, device: str, register: str) -> object:
    """What a register shows now."""
    readings = page.part(ReplayTable).readings
    return next(
        item.value for item in readings if (show_id(item.device_id), item.register) == (device, register)
    )


def position(page: ReplayPage) -> int:
    """Seconds from the start of the recording."""
    assert page.playhead is not None
    return (page.playhead.position - START) // SECOND


async def test_a_recording_is_played_from_its_start_with_the_values_of_that_time(world: World) -> None:
    record("tour")
    async with dashboard(world) as pilot:
        page = await replaying(pilot)
        assert position(page) < 60
        assert "1 x" in screen_of(pilot)
        assert "2025-10-09 08:53:2" in line_with(pilot, "●─"), "the moment at which it stands"
        await until(pilot, lambda: "silent" in line_with(pilot, "0x8002"))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app_of(pilot).screen, RecordingsPage))


async def test_it_goes_faster_to_the_end_and_from_there_begins_again(world: World) -> None:
    record("tour")
    async with dashboard(world) as pilot:
        page = await replaying(pilot)
        await pilot.press(*["plus"] * 10)
        assert page.playhead is not None
        assert page.playhead.speed == 1024.0
        await until(pilot, lambda: "at the end" in screen_of(pilot))
        await until(pilot, lambda: value(page, "0x8000", "TEMP") == 49.95)
        assert value(page, "0x8000", "VOLTAGE") == 9
        await pilot.press(*["minus"] * 10, "space")
        await until(pilot, lambda: "playing" in screen_of(pilot))
        assert position(page) < 60


async def test_it_stands_still_and_jumps_to_what_held_there(world: World) -> None:
    record("tour")
    async with dashboard(world) as pilot:
        page = await replaying(pilot)
        await pilot.press("space")
        await until(pilot, lambda: "paused" in screen_of(pilot))
        stood = position(page)
        await pilot.press(*["full_stop"] * 4)
        expected = 20 + (stood + 4 * 599 / 20) / 20
        await until(pilot, lambda: abs(float(str(value(page, "0x8000", "TEMP"))) - expected) < 0.2)
        assert "paused" in screen_of(pilot)
        await pilot.press(*["comma"] * 9)
        await until(pilot, lambda: value(page, "0x8000", "TEMP") == 20.0)
        assert position(page) == 0
        await pilot.press("full_stop", "0")
        await until(pilot, lambda: position(page) == 0)


async def test_the_line_that_is_copied_plays_the_recording_as_fast(world: World) -> None:
    recording = record("tour")
    async with dashboard(world) as pilot:
        await replaying(pilot)
        await pilot.press("plus", "y")
        assert app_of(pilot).clipboard == f"dsmilctl record replay {recording} --speed 2"


async def test_a_recording_that_is_gone_is_said_so(world: World) -> None:
    record("tour")
    async with dashboard(world) as pilot:
        await on_page(pilot)
        await until(pilot, lambda: "tour" in screen_of(pilot))
        page = app_of(pilot).screen
        assert isinstance(page, RecordingsPage)
        import shutil

        from dsmilctl.tui.recordings import archive_places

        shutil.rmtree(archive_places().folder)
        page._read_at = float("inf")
        await pilot.press("p")
        await until(pilot, lambda: "there is no archive" in screen_of(pilot))


@pytest.mark.parametrize(
    ("at", "bar"),
    [(0, "●─────────"), (100, "━━━━━━━━━●"), (50, "━━━━●─────"), (-5, "●─────────"), (300, "━━━━━━━━━●")],
)
def test_the_bar_shows_where_it_stands(at: int, bar: str) -> None:
    assert bar_text(0, 100, at, 10) == bar


def test_the_page_of_a_replay(snap_compare: Compare) -> None:
    record("tour")

    async def play(pilot: Pilot[int]) -> None:
        await live(pilot)
        page = await replaying(pilot)
        assert page.playhead is not None
        page.playhead.pause()
        page._seek(START + 350 * SECOND)
        await until(pilot, lambda: value(page, "0x8000", "TEMP") == 37.5)
        await until(pilot, lambda: "paused" in screen_of(pilot))

    assert snap_compare(app_on(World()), terminal_size=(110, 16), run_before=play)
