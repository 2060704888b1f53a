"""The device page: registers, live chart, what was done, and the way to a write."""

from __future__ import annotations

import msgspec

from dsmilctl.model.device import Device
from dsmilctl.model.register import Register
from dsmilctl.tui.screens.device import DevicePage
from dsmilctl.tui.widgets.chart import AXIS, Chart
from dsmilctl.tui.widgets.records import RecordTable
from tests.tui.dashboard import app_of, dashboard, line_with, notices, pass_time, screen_of, until
from tests.tui.fake_client import World


async def test_every_register_is_shown_with_value_limits_and_access(world: World) -> None:
    async with dashboard(world, size=(160, 40)) as pilot:
        await pilot.press("down", "enter")
        await until(pilot, lambda: "0x00C0FFEE" in screen_of(pilot))
        config, temperature = line_with(pilot, "CONFIG"), line_with(pilot, "TEMP ")
        assert "0 … 255" in config and "read, write" in config
        assert "°C" in temperature and "0 … 70" in temperature
        assert "0x8001" in screen_of(pilot).splitlines()[1]
        assert "● active" in screen_of(pilot).splitlines()[1]


async def test_the_chart_draws_what_the_register_did(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app_of(pilot).screen, DevicePage))
        await pass_time(pilot, world, 8, step=0.4)
        chart = app_of(pilot).screen.query_one(Chart)
        await until(pilot, lambda: any(character > "⠀" for line in chart._lines for character in line))
        drawn = [line for line in chart._lines if any("⠁" <= character <= "⣿" for character in line)]
        assert len(drawn) >= 3  # the value moved, so the line does


async def test_the_chart_is_drawn_anew_at_every_width(world: World) -> None:
    async with dashboard(world, size=(80, 24)) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app_of(pilot).screen, DevicePage))
        chart = app_of(pilot).screen.query_one(Chart)
        await pass_time(pilot, world, 8, step=0.4)
        for width in (100, 80, 79, 120, 60):
            await pilot.resize_terminal(width, 24)
            await pass_time(pilot, world, 1, step=0.4)
            await until(pilot, lambda: {len(line) for line in chart._lines} == {chart.size.width - AXIS})
            assert chart.size.width > AXIS
            assert any("⠁" <= character <= "⣿" for character in screen_of(pilot))


async def test_enter_charts_the_register_under_the_cursor(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: "TEMP  °C  60 s" in screen_of(pilot))
        await pilot.press("end", "enter")
        await until(pilot, lambda: "VOLTAGE  V  60 s" in screen_of(pilot))


async def test_the_window_and_the_pace_of_the_chart_can_be_changed_and_the_chart_held_still(
    world: World,
) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: "60 s, 5 per second" in screen_of(pilot))
        await pilot.press("plus")
        await until(pilot, lambda: "120 s, 5 per second" in screen_of(pilot))
        await pilot.press("minus", "minus", "right_square_bracket")
        await until(pilot, lambda: "30 s, 10 per second" in screen_of(pilot))
        await pilot.press("p")
        await until(pilot, lambda: "held" in screen_of(pilot))


async def test_what_was_done_to_the_device_is_beside_its_registers(world: World) -> None:
    world.note("device.write", "0x8000", "ALLOWED", "SUCCESS", register="CONFIG", value=5, old=1)
    world.note("device.write", "0x8001", "ALLOWED", "SUCCESS", register="CONFIG", value=9, old=1)
    async with dashboard(world) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: "write" in line_with(pilot, "CONFIG 1 → 5"))
        assert len(app_of(pilot).screen.query_one(RecordTable).records) == 1

        await pilot.press("tab", "enter")
        await until(pilot, lambda: "Record 1" in screen_of(pilot))
        await pilot.press("escape", "escape")
        await until(pilot, lambda: "LATENCY" in screen_of(pilot))


async def test_a_reading_that_failed_says_so_in_the_row_of_its_register(world: World) -> None:
    world.written[0x8000, "TEMP"] = 99.0
    async with dashboard(world) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: "99 °C" in screen_of(pilot))
        assert "! high" in line_with(pilot, "99 °C")


async def test_a_register_that_is_no_number_is_not_charted(world: World) -> None:
    registers = (Register("LABEL", 0, type="str"), *world.devices[0].registers)
    world.devices = (_with(world, registers), *world.devices[1:])
    async with dashboard(world) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: "LABEL" in screen_of(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: "not a number" in notices(pilot))


async def test_a_quarantined_device_is_shown_but_not_read(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("down", "down", "down", "down", "enter")
        await until(pilot, lambda: "⊘ quarantine" in screen_of(pilot).splitlines()[1])
        await pass_time(pilot, world, 2)
        assert "0x00C0FFEE" not in screen_of(pilot)


def _with(world: World, registers: tuple[Register, ...]) -> Device:
    return msgspec.structs.replace(world.devices[0], registers=registers)


async def test_a_number_that_has_no_room_never_looks_like_a_shorter_one(world: World) -> None:
    world.written[0x8000, "CONFIG"] = 2147483648
    async with dashboard(world, size=(40, 24)) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app_of(pilot).screen, DevicePage))
        for width in range(60, 20, -1):
            await pilot.resize_terminal(width, 24)
            shown = line_with(pilot, "CONFIG").split("▏")[0].split()[1:2]
            assert not shown or shown[0] == "2147483648" or shown[0].endswith("…"), width
