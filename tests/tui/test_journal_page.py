"""The journal page: records as they come, filtered, verified, and one of them whole."""

from __future__ import annotations

from tests.tui.dashboard import app_of, dashboard, line_with, notices, screen_of, type_text, until
from tests.tui.fake_client import World


def some_records(world: World) -> None:
    world.note("device.write", "0x8000", "ALLOWED", "INTENT", register="CONFIG", value=5, old=1)
    world.note("device.write", "0x8000", "ALLOWED", "SUCCESS", register="CONFIG", value=5, old=1)
    world.note("device.write", "0x8001", "DENIED", "DENIED", code="READ_ONLY", error="read-only")
    world.note("emergency.stop", "@all", "ALLOWED", "SUCCESS", reason="smoke")


async def test_the_newest_record_comes_first_and_says_who_what_and_how_it_ended(world: World) -> None:
    some_records(world)
    async with dashboard(world) as pilot:
        await pilot.press("J")
        await until(pilot, lambda: "emergency.stop" in screen_of(pilot))
        rows = screen_of(pilot).splitlines()
        assert "emergency.stop" in rows[3]
        assert "smoke" in rows[3]
        assert "✕ denied" in line_with(pilot, "0x8001")
        assert "CONFIG 1 → 5" in screen_of(pilot)


async def test_a_record_that_is_written_now_appears_by_itself(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("J")
        world.note("sim.reset", "sim", "ALLOWED", "SUCCESS")
        world.clock.elapsed += 3
        await until(pilot, lambda: "sim.reset" in screen_of(pilot))


async def test_the_filter_narrows_the_records(world: World) -> None:
    some_records(world)
    async with dashboard(world) as pilot:
        await pilot.press("J", "slash")
        await type_text(pilot, "outcome=DENIED")
        await pilot.press("enter")
        await until(pilot, lambda: "1 records" in screen_of(pilot))
        assert not line_with(pilot, "emergency.stop")
        await pilot.press("escape")
        await until(pilot, lambda: bool(line_with(pilot, "emergency.stop")))


async def test_a_filter_by_device_takes_the_id_as_it_is_shown(world: World) -> None:
    some_records(world)
    async with dashboard(world) as pilot:
        await pilot.press("J", "slash")
        await type_text(pilot, "device=0x8001")
        await pilot.press("enter")
        await until(pilot, lambda: "1 records" in screen_of(pilot))


async def test_a_condition_that_does_not_exist_is_refused_with_the_nearest_name(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("J", "slash")
        await type_text(pilot, "outcme=DENIED")
        await pilot.press("enter")
        await until(pilot, lambda: "Did you mean outcome?" in notices(pilot))


async def test_verify_says_intact_or_which_record_is_the_first_bad_one(world: World) -> None:
    some_records(world)
    async with dashboard(world) as pilot:
        await pilot.press("J", "v")
        await until(pilot, lambda: "✓ intact: 4 records" in screen_of(pilot))
        world.tampered = True
        await pilot.press("v")
        await until(pilot, lambda: "NOT INTACT: record 3 is the first bad one" in screen_of(pilot))
        assert "journal.jsonl line 3: the record was changed" in screen_of(pilot)


async def test_one_record_is_shown_whole(world: World) -> None:
    some_records(world)
    async with dashboard(world) as pilot:
        await pilot.press("J")
        await until(pilot, lambda: "emergency.stop" in screen_of(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: "Record 4" in screen_of(pilot))
        assert "reason" in screen_of(pilot) and "smoke" in screen_of(pilot)
        await pilot.press("escape", "escape")
        await until(pilot, lambda: "LATENCY" in screen_of(pilot))


async def test_the_twin_of_the_record_is_a_command_line(world: World) -> None:
    some_records(world)
    async with dashboard(world) as pilot:
        await pilot.press("J")
        await until(pilot, lambda: "emergency.stop" in screen_of(pilot))
        assert app_of(pilot).places()["sequence"] == "4"
