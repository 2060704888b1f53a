"""The recordings: a real archive in a throw-away home, and a recorder that is really started and ended."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from dsmilctl.archive.lock import RecorderLock
from dsmilctl.archive.places import Places
from dsmilctl.archive.recording import new_recording
from dsmilctl.archive.store import Store
from dsmilctl.client import connect
from dsmilctl.config.paths import paths
from dsmilctl.model.reading import Quality, Reading
from dsmilctl.tui.app import DashboardApp
from dsmilctl.tui.recordings import archive_places, listing, series_of, spans_of
from dsmilctl.tui.screens.confirm import ConfirmDialog
from dsmilctl.tui.screens.recording import RecordingPage
from dsmilctl.tui.screens.recordings import RecordingsPage
from dsmilctl.tui.screens.start_recording import StartDialog
from dsmilctl.tui.widgets.past_chart import gathered
from tests.fixtures import home
from tests.tui.dashboard import (
    app_of,
    app_on,
    dashboard,
    line_with,
    live,
    notices,
    screen_of,
    type_text,
    until,
)
from tests.tui.fake_client import START, World
from tests.tui.test_pictures import Compare

__all__ = ["home"]
pytestmark = pytest.mark.usefixtures("home")
SECOND = 1_000_000_000


class Standing:
    """A clock that stands still, so that a picture is always the same."""

    def __init__(self, now: int) -> None:
        self._now = now

    def now(self) -> int:
        """Where it stands."""
        return self._now

    def monotonic(self) -> float:
        """The same in seconds."""
        return self._now / SECOND


def record(name: str, *, status: str = "completed", count: int = 600, shift: int = 0) -> str:
    """Put a recording of two devices into this user's archive: a ramp, a step, and nothing in the middle."""
    begun = START + shift * SECOND
    with Store(Places(paths().archive_folder), clock=Standing(begun + count * SECOND)) as store:
        recording = new_recording(name, begun, context="plant", operator="ada")
        writer = store.begin(recording)
        middle = range(count // 3, count // 2)
        writer.readings([
            Reading(device, register, value, begun + number * SECOND, unit, sequence=number * 4 + place)
            for number in range(count)
            if number not in middle
            for place, (device, register, value, unit) in enumerate((
                (0x8000, "TEMP", 20 + number / 20, "°C"),
                (0x8000, "VOLTAGE", 12 if number < count / 2 else 9, "V"),
                (0x8001, "TEMP", 44.5, "°C"),
            ))
        ])  # fmt: skip
        writer.readings([Reading(0x8002, "TEMP", None, begun, "°C", Quality.BAD, error="silent")])
        store.end(writer, status)
    return recording.recording_id


async def on_page(pilot: Pilot[int]) -> None:
    """Go to the recordings."""
    await pilot.press("R")
    await until(pilot, lambda: isinstance(app_of(pilot).screen, RecordingsPage))


async def browsing(pilot: Pilot[int]) -> RecordingPage:
    """Go to the recording under the cursor, and wait for its chart."""
    await pilot.press("enter")
    page = app_of(pilot).screen
    await until(pilot, lambda: isinstance(app_of(pilot).screen, RecordingPage) and "┤" in screen_of(pilot))
    page = app_of(pilot).screen
    assert isinstance(page, RecordingPage)
    return page


async def test_without_an_archive_the_page_says_how_one_begins(world: World) -> None:
    async with dashboard(world) as pilot:
        await on_page(pilot)
        await until(pilot, lambda: "n starts a recording of this context" in screen_of(pilot))


async def test_the_newest_recording_comes_first_with_what_it_holds(world: World) -> None:
    record("tour")
    record("night", status="failed", count=120, shift=7200)
    async with dashboard(world) as pilot:
        await on_page(pilot)
        await until(pilot, lambda: "tour" in screen_of(pilot))
        rows = screen_of(pilot).splitlines()
        assert rows.index(line_with(pilot, "night")) < rows.index(line_with(pilot, "tour"))
        assert "✕ failed" in line_with(pilot, "night")
        assert "1,501" in line_with(pilot, "tour")
        assert (
            app_of(pilot)
            .places()["recording"]
            .endswith(listing(archive_places()).rows[0].recording.recording_id[-6:])
        )


async def test_a_recording_shows_its_registers_and_the_chart_of_the_one_under_the_cursor(
    world: World,
) -> None:
    record("tour")
    async with dashboard(world) as pilot:
        await on_page(pilot)
        await until(pilot, lambda: "tour" in screen_of(pilot))
        await browsing(pilot)
        assert "49.95" in line_with(pilot, "TEMP")
        assert "0x8000 TEMP" in screen_of(pilot)
        assert "0x8002" not in screen_of(pilot), "it has no good reading"
        await pilot.press("down")
        await until(pilot, lambda: "0x8000 VOLTAGE" in screen_of(pilot))
        assert any("⠀" < character < "⣿" for character in screen_of(pilot))


async def test_the_chart_comes_closer_and_moves_and_stays_within_the_recording(world: World) -> None:
    record("tour")
    async with dashboard(world) as pilot:
        await on_page(pilot)
        await until(pilot, lambda: "tour" in screen_of(pilot))
        page = await browsing(pilot)
        whole = page._times
        await pilot.press("plus", "plus")
        assert page._times[1] - page._times[0] == (whole[1] - whole[0]) // 4
        before = page._times
        await pilot.press("full_stop")
        assert page._times[0] > before[0]
        await pilot.press(*["full_stop"] * 10)
        assert page._times[1] == whole[1]
        await pilot.press(*["comma"] * 12)
        assert page._times[0] == whole[0]
        await pilot.press("0")
        assert page._times == whole
        await pilot.press("minus")
        assert page._times == whole
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app_of(pilot).screen, RecordingsPage))


async def test_the_line_that_is_copied_asks_for_the_register_under_the_cursor(world: World) -> None:
    recording = record("tour")
    async with dashboard(world) as pilot:
        await on_page(pilot)
        await until(pilot, lambda: "tour" in screen_of(pilot))
        await browsing(pilot)
        await pilot.press("y")
        assert app_of(pilot).clipboard == f"dsmilctl record query 0x8000 TEMP --recording {recording}"


async def test_who_records_now_is_said_and_no_second_recorder_is_started(world: World) -> None:
    record("tour")
    with RecorderLock(archive_places().lock):
        async with dashboard(world) as pilot:
            await on_page(pilot)
            await until(pilot, lambda: "● process" in screen_of(pilot))
            await pilot.press("n")
            await until(pilot, lambda: "runs already" in notices(pilot))
            assert not isinstance(app_of(pilot).screen, StartDialog)


async def test_nothing_can_be_ended_where_nothing_records(world: World) -> None:
    record("tour")
    async with dashboard(world) as pilot:
        await on_page(pilot)
        await until(pilot, lambda: "tour" in screen_of(pilot))
        await pilot.press("x")
        await until(pilot, lambda: "Nothing records now" in notices(pilot))


async def test_a_damaged_archive_is_said_in_place_of_the_list(world: World) -> None:
    record("tour")
    archive_places().database.write_bytes(b"no database" * 1000)
    async with dashboard(world) as pilot:
        await on_page(pilot)
        await until(pilot, lambda: "file is not a database" in screen_of(pilot))


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [("name", "", "needs a name"), ("interval", "soon", "not a duration"), ("devices", "0x80ZZ", "0x80ZZ")],
)
async def test_a_recording_that_cannot_be_is_refused_in_the_dialog(
    world: World, field: str, text: str, said: str
) -> None:
    async with dashboard(world) as pilot:
        await on_page(pilot)
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app_of(pilot).screen, StartDialog))
        dialog = app_of(pilot).screen
        assert isinstance(dialog, StartDialog)
        dialog.part(Input, "start-name").value = "tour"
        dialog.part(Input, f"start-{field}").value = text
        await pilot.press("enter")
        await until(pilot, lambda: said in screen_of(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app_of(pilot).screen, RecordingsPage))


async def test_a_recording_is_started_and_ended_from_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    app = DashboardApp(connect, "sim", contexts=("sim",), refresh=0.2)
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        await until(pilot, lambda: app.store is not None and app.store.reached_at is not None)
        await on_page(pilot)
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, StartDialog))
        await type_text(pilot, "night")
        dialog = app.screen
        assert isinstance(dialog, StartDialog)
        dialog.part(Input, "start-devices").value = "0x8000-0x8003"
        dialog.part(Input, "start-registers").value = "TEMP"
        dialog.part(Input, "start-interval").value = "100ms"
        await pilot.press("enter")
        try:
            await until(pilot, lambda: "● night" in screen_of(pilot) and "● running" in screen_of(pilot))
            await until(pilot, lambda: listing(archive_places()).rows[0].readings > 20)
        finally:
            await pilot.press("x")
            await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
            await pilot.press("tab", "enter")
            await until(pilot, lambda: "✓ completed" in screen_of(pilot))
        assert listing(archive_places()).recorder == ""


def test_the_parts_of_a_register_have_the_least_and_the_greatest_and_holes_where_nothing_was() -> None:
    recording = record("tour")
    places = archive_places()
    found = {(row.device, row.register): row for row in series_of(places, recording)}
    ramp = found["0x8000", "TEMP"]

    assert set(found) == {("0x8000", "TEMP"), ("0x8000", "VOLTAGE"), ("0x8001", "TEMP")}
    assert (ramp.readings, ramp.least, ramp.greatest, ramp.unit) == (500, 20.0, 49.95, "°C")
    spans = spans_of(places, recording, ramp, (START, START + 600 * SECOND - 1), 60)
    known = [span for span in spans if span is not None]
    assert len(spans) == 60
    assert spans[25] is None, "nothing was recorded then"
    assert min(low for low, _ in known) == 20.0
    assert max(high for _, high in known) == 49.95


@pytest.mark.parametrize("count", [7, 60, 254])
def test_the_very_last_reading_is_in_the_chart(count: int) -> None:
    recording = record("tour", count=60)
    places = archive_places()
    ramp = next(row for row in series_of(places, recording) if row.register == "TEMP")
    last = START + 59 * SECOND

    assert spans_of(places, recording, ramp, (last - 7 * SECOND - 1, last), count)[-1] == (22.95, 22.95)


def test_parts_are_gathered_into_columns_without_losing_a_peak() -> None:
    spans = [(1.0, 1.0)] * 99 + [(1.0, 9.0)]

    assert len(gathered(spans, 7)) == 7
    assert gathered(spans, 7)[-1] == (1.0, 9.0)
    assert gathered([(1.0, 2.0), None], 4) == [(1.0, 2.0), (1.0, 2.0), None, None]


def test_the_pages_of_recordings(snap_compare: Compare) -> None:
    world = World()
    record("tour")
    record("night shift", status="aborted", count=90, shift=7200)

    async def play(pilot: Pilot[int]) -> None:
        await live(pilot)
        await on_page(pilot)
        await until(pilot, lambda: "night shift" in screen_of(pilot))

    assert snap_compare(app_on(world), terminal_size=(120, 24), run_before=play)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_page_of_a_recording(snap_compare: Compare, theme: str) -> None:
    world = World()
    record("tour")

    async def play(pilot: Pilot[int]) -> None:
        await live(pilot)
        await on_page(pilot)
        await until(pilot, lambda: "tour" in screen_of(pilot))
        await browsing(pilot)

    assert snap_compare(app_on(world, theme=theme), terminal_size=(110, 30), run_before=play)
