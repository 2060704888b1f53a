"""The fleet page: what it says of each device, and how it is sorted, filtered, searched and marked."""

from __future__ import annotations

from dsmilctl.model.device import DeviceState, DeviceStatus
from dsmilctl.tui.screens.device import DevicePage
from dsmilctl.tui.screens.fleet import FleetPage
from tests.tui.dashboard import (
    app_of,
    caught_up,
    dashboard,
    line_with,
    pass_time,
    screen_of,
    type_text,
    until,
)
from tests.tui.fake_client import START, World, some_devices


async def test_every_device_is_on_the_screen_with_its_state_its_readings_and_its_age(world: World) -> None:
    async with dashboard(world) as pilot:
        line = line_with(pilot, "0x8001")

    assert "Thermal monitor" in line
    assert "● active" in line
    assert "°C" in line
    assert " V " in line
    assert "<1 s" in line
    assert "ms" in line


async def test_a_quarantined_device_says_so_in_words_and_shows_no_readings(world: World) -> None:
    async with dashboard(world) as pilot:
        line = line_with(pilot, "0x8004")

    assert "⊘ quarantine" in line
    assert "°C" not in line


async def test_a_device_that_falls_silent_keeps_its_last_value_and_says_how_old_it_is(world: World) -> None:
    async with dashboard(world) as pilot:
        before = line_with(pilot, "0x8002")
        world.silent = {0x8002}
        await pass_time(pilot, world, 3)
        await until(pilot, lambda: "stale" in line_with(pilot, "0x8002"))
        after = line_with(pilot, "0x8002")
        header = screen_of(pilot).splitlines()[0]

    assert "59" in before and "59" in after  # the value is still there
    assert "◌ stale" in after
    assert "last good 3.0 s ago" in after
    assert "1 stale" in header


async def test_a_device_that_answers_again_is_no_longer_stale(world: World) -> None:
    world.silent = {0x8002}
    async with dashboard(world) as pilot:
        assert "stale" in line_with(pilot, "0x8002")
        world.silent = set()
        await pass_time(pilot, world, 1)
        await until(pilot, lambda: "● active" in line_with(pilot, "0x8002"))


async def test_a_value_beyond_its_alarm_limit_is_marked_with_a_sign(world: World) -> None:
    world.written[0x8001, "TEMP"] = 80.0
    async with dashboard(world) as pilot:
        assert "80.0 °C !" in line_with(pilot, "0x8001")
        assert "1 alarm" in screen_of(pilot).splitlines()[0]


async def test_an_error_of_the_lifecycle_is_shown(world: World) -> None:
    world.states[0x8001] = DeviceStatus(0x8001, DeviceState.ERROR, "refused the connection", START, None)
    async with dashboard(world) as pilot:
        assert "✕ error" in line_with(pilot, "0x8001")


async def test_readings_that_did_not_reach_the_screen_are_counted(world: World) -> None:
    async with dashboard(world) as pilot:
        world.gap = 7
        await until(pilot, lambda: "7 missed" in screen_of(pilot))
        assert "7 readings in 1 gaps did not reach this screen" in screen_of(pilot)


async def test_s_sorts_by_the_next_column_and_capital_s_turns_the_order_round(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("s")
        await until(pilot, lambda: "NAME ▲" in screen_of(pilot))
        names = [line[12:30].strip() for line in screen_of(pilot).splitlines()[2:6]]
        assert names == sorted(names)

        await pilot.press("S")
        await until(pilot, lambda: "NAME ▼" in screen_of(pilot))
        await until(pilot, lambda: "Wipe controller" in screen_of(pilot).splitlines()[2])


async def test_sorting_by_a_reading_puts_devices_without_one_last(world: World) -> None:
    world.silent = {0x8000}
    async with dashboard(world) as pilot:
        page = app_of(pilot).screen
        assert isinstance(page, FleetPage)
        page.table.action_sort_by("key0")
        await until(pilot, lambda: "TEMP ▲" in screen_of(pilot))
        await until(pilot, lambda: page.table.order[-2:] == [0, 4])
        store = page.table.store
        assert store is not None
        values = [reading.value for row in page.table.order[:-2] if (reading := store.readings[0][row])]
        assert values == sorted(values)  # type: ignore[type-var]  # they are all numbers


async def test_the_cursor_stays_on_its_device_when_the_order_changes(world: World) -> None:
    async with dashboard(world) as pilot:
        page = app_of(pilot).screen
        assert isinstance(page, FleetPage)
        await pilot.press("down", "down")
        await pilot.press("s", "s", "s")
        await until(pilot, lambda: "RISK ▲" in screen_of(pilot))
        await pilot.press("S")
        await until(pilot, lambda: page.table.order[0] != 0)
        assert page.device is not None
        assert page.device.device_id == 0x8002


async def test_the_filter_takes_the_selectors_of_the_command_line(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("slash")
        await type_text(pilot, "@controllers,risk=HIGH")
        await pilot.press("enter")
        await until(pilot, lambda: "1 of 12" in screen_of(pilot))
        assert line_with(pilot, "0x8003")
        assert not line_with(pilot, "0x8001")

        await pilot.press("escape")
        await until(pilot, lambda: bool(line_with(pilot, "0x8001")))


async def test_a_wrong_filter_says_what_is_wrong_and_what_would_be_right(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("slash")
        await type_text(pilot, "risk=HIGH,colour=red")
        await pilot.press("enter")
        await until(pilot, lambda: "no filter 'colour'" in screen_of(pilot))
        assert line_with(pilot, "0x8001")  # what was shown is still shown


async def test_a_few_letters_find_a_device(world: World) -> None:
    async with dashboard(world) as pilot:
        page = app_of(pilot).screen
        assert isinstance(page, FleetPage)
        await pilot.press("f")
        await type_text(pilot, "fan")
        await until(pilot, lambda: page.device is not None and page.device.device_id == 0x8003)
        await pilot.press("enter", "enter")
        await until(pilot, lambda: isinstance(app_of(pilot).screen, DevicePage))


async def test_vim_keys_and_arrow_keys_move_the_cursor(world: World) -> None:
    async with dashboard(world) as pilot:
        page = app_of(pilot).screen
        assert isinstance(page, FleetPage)
        await pilot.press("j", "j", "down", "k")
        assert page.table.cursor == 2
        await pilot.press("G")
        assert page.table.cursor == 11
        await pilot.press("g")
        assert page.table.cursor == 0
        await pilot.press("up")
        assert page.table.cursor == 0


async def test_a_long_table_scrolls_with_its_cursor_and_pages(world: World) -> None:
    world.devices = tuple(some_devices(500))
    async with dashboard(world) as pilot:
        await pilot.press("end")
        await until(pilot, lambda: bool(line_with(pilot, "0x81F3")))
        await pilot.press("pageup", "pageup")
        await until(pilot, lambda: not line_with(pilot, "0x81F3"))
        await pilot.press("home")
        await until(pilot, lambda: bool(line_with(pilot, "0x8000")))


async def test_the_mouse_puts_the_cursor_on_a_row_and_a_second_click_opens_it(world: World) -> None:
    async with dashboard(world) as pilot:
        page = app_of(pilot).screen
        assert isinstance(page, FleetPage)
        await pilot.click("#fleet", offset=(5, 3))
        assert page.table.cursor == 2
        await pilot.click("#fleet", offset=(5, 3), times=2)
        await until(pilot, lambda: isinstance(app_of(pilot).screen, DevicePage))


async def test_a_click_on_a_head_sorts_by_it(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.click("#fleet", offset=(14, 0))
        await until(pilot, lambda: "NAME ▲" in screen_of(pilot))


async def test_marked_devices_are_what_the_menu_is_about(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("space", "space")
        assert line_with(pilot, "0x8000").startswith(" *")
        await pilot.press("o")
        await until(pilot, lambda: "Emergency stop of 0x8000,0x8001" in screen_of(pilot))
        await pilot.press("escape", "U")
        await until(pilot, lambda: not line_with(pilot, "0x8000").startswith(" *"))


async def test_a_narrow_terminal_drops_columns_and_keeps_the_state_and_the_stop(world: World) -> None:
    async with dashboard(world, size=(60, 16)) as pilot:
        text = screen_of(pilot)
        assert "LAST 60 s" not in text
        assert "STATE" in text
        assert "■ STOP ALL  ctrl+x" in text
        await pilot.resize_terminal(140, 30)
        await until(pilot, lambda: "LAST 60 s" in screen_of(pilot) and "LATENCY" in screen_of(pilot))


async def test_the_last_minute_is_drawn_as_blocks(world: World) -> None:
    async with dashboard(world) as pilot:
        await pass_time(pilot, world, 30)
        line = line_with(pilot, "0x8001")
        assert any(block in line for block in "▁▂▃") and any(block in line for block in "▆▇█")


async def test_a_stream_that_says_nothing_makes_everything_stale(world: World) -> None:
    async with dashboard(world) as pilot:
        world.hushed = True
        world.clock.elapsed += 12
        await until(pilot, lambda: "stale, last good 12 s ago" in screen_of(pilot))
        assert "◌ stale" in line_with(pilot, "0x8001")
        world.hushed = False
        await caught_up(pilot)
        await until(pilot, lambda: "● live" in screen_of(pilot))
