"""Writing from the dashboard: armed for a limited time, a dry run first, then a question with Cancel."""

from __future__ import annotations

import pytest
from textual.widgets import Button

from dsmilctl.tui.screens.change import ChangeDialog
from dsmilctl.tui.screens.confirm import ConfirmDialog
from tests.tui.dashboard import app_of, dashboard, notices, screen_of, type_text, until
from tests.tui.fake_client import World

REASON = "swap the fan"


async def test_a_write_that_is_not_armed_says_how_to_arm(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("w")
        await until(pilot, lambda: "press a to arm" in notices(pilot))
        assert not isinstance(app_of(pilot).screen, ChangeDialog)


async def test_arming_shows_a_countdown_and_ends_by_itself(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("a")
        await until(pilot, lambda: "ARMED 60 s" in screen_of(pilot))
        world.clock.elapsed += 45
        await until(pilot, lambda: "ARMED 15 s" in screen_of(pilot))
        world.clock.elapsed += 16
        await until(pilot, lambda: "writes off" in screen_of(pilot))


async def test_a_dry_run_shows_old_and_new_and_the_checks_and_leaves_the_focus_on_cancel(
    world: World,
) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("a", "w", "5", "enter")
        await type_text(pilot, REASON)
        await pilot.press("enter")
        await until(pilot, lambda: "CONFIG  1  →  5" in screen_of(pilot))
        assert "✓ no stop" in screen_of(pilot) and "✓ free" in screen_of(pilot)
        assert app_of(pilot).focused is app_of(pilot).screen.query_one("#cancel", Button)

        await pilot.press("enter")  # Cancel
        await until(pilot, lambda: not isinstance(app_of(pilot).screen, ChangeDialog))
    assert world.wire == []


async def test_a_confirmed_write_reaches_the_device_and_is_read_back(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("a", "w", "5", "enter")
        await type_text(pilot, REASON)
        await pilot.press("enter")
        await until(pilot, lambda: not app_of(pilot).screen.query_one("#go", Button).disabled)
        await pilot.press("tab", "tab", "enter")
        await until(pilot, lambda: "reads back as 5" in notices(pilot))
    assert world.wire == ["WRITE 0x8000 CONFIG 5"]


async def test_what_is_written_is_bound_to_the_value_that_was_shown(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("a", "w", "5", "enter")
        await type_text(pilot, REASON)
        await pilot.press("enter")
        await until(pilot, lambda: not app_of(pilot).screen.query_one("#go", Button).disabled)
        dialog = app_of(pilot).screen
        assert isinstance(dialog, ChangeDialog)
        assert dialog._planned is not None
        assert dialog._planned.if_value == 1


async def test_a_refusal_shows_its_code_its_hint_and_the_check_that_said_no(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("a", "w", "5", "enter", "n", "o", "enter")
        await until(pilot, lambda: "JUSTIFICATION_REQUIRED" in screen_of(pilot))
        assert "✕ justified" in screen_of(pilot)
        assert "say why, for the journal" in screen_of(pilot)
        assert app_of(pilot).screen.query_one("#go", Button).disabled


async def test_a_value_out_of_range_is_refused_before_the_device_is_asked(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("a", "w", *"9000", "enter")
        await type_text(pilot, REASON)
        await pilot.press("enter")
        await until(pilot, lambda: "INVALID_PARAMETER" in screen_of(pilot))
    assert world.wire == []


async def test_an_edit_after_the_dry_run_needs_another_dry_run(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("a", "w", "5", "enter")
        await type_text(pilot, REASON)
        await pilot.press("enter")
        await until(pilot, lambda: not app_of(pilot).screen.query_one("#go", Button).disabled)
        await pilot.press("shift+tab", "!")
        await until(pilot, lambda: app_of(pilot).screen.query_one("#go", Button).disabled)


async def test_a_write_whose_arming_ended_meanwhile_is_not_carried_out(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("a", "w", "5", "enter")
        await type_text(pilot, REASON)
        await pilot.press("enter")
        await until(pilot, lambda: not app_of(pilot).screen.query_one("#go", Button).disabled)
        world.clock.elapsed += 61
        await pilot.press("tab", "tab", "enter")
        await until(pilot, lambda: "Writes are off again" in screen_of(pilot))
        assert world.wire == []

        await pilot.press("a")
        # A button takes no second press while it still shows the first.
        await until(pilot, lambda: not app_of(pilot).screen.query_one("#go", Button).has_class("-active"))
        await pilot.press("tab", "tab", "enter")
        await until(pilot, lambda: world.wire == ["WRITE 0x8000 CONFIG 5"])


async def test_a_device_under_an_emergency_stop_refuses_the_write(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("a", "ctrl+x", "escape", "w", "5", "enter")
        await type_text(pilot, REASON)
        await pilot.press("enter")
        await until(pilot, lambda: "EMERGENCY_STOP" in screen_of(pilot))
        assert "✕ no stop" in screen_of(pilot)
    assert world.wire == []


async def test_lifecycle_verbs_that_change_something_ask_with_the_focus_on_cancel(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("a", "o")
        await type_text(pilot, "disconnect")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app_of(pilot).screen, ConfirmDialog))
        assert app_of(pilot).focused is app_of(pilot).screen.query_one("#cancel", Button)
        await pilot.press("enter")
        assert world.wire == []

        await pilot.press("o")
        await type_text(pilot, "disconnect")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app_of(pilot).screen, ConfirmDialog))
        await pilot.press("tab", "enter")
        await until(pilot, lambda: world.wire == ["disconnect 1"])


async def test_an_operation_without_a_register_asks_for_a_reason_and_a_dry_run_too(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("a", "o")
        await type_text(pilot, "deactivate")
        await pilot.press("enter")
        await until(pilot, lambda: "Deactivate 0x8000" in screen_of(pilot))
        await type_text(pilot, REASON)
        await pilot.press("enter")
        await until(pilot, lambda: not app_of(pilot).screen.query_one("#go", Button).disabled)
        await pilot.press("tab", "tab", "enter")
        await until(pilot, lambda: len(world.wire) == 1)
    assert world.wire[0].startswith("DEACTIVATE 0x8000")


async def test_a_lifecycle_verb_whose_arming_ended_in_the_question_is_not_carried_out(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("a", "o")
        await type_text(pilot, "disconnect")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app_of(pilot).screen, ConfirmDialog))
        world.clock.elapsed += 61
        await pilot.press("tab", "enter")
        await until(pilot, lambda: "Writes are off again" in screen_of(pilot))
        assert app_of(pilot).focused is app_of(pilot).screen.query_one("#cancel", Button)
        assert world.wire == []

        await pilot.press("a")
        await until(pilot, lambda: "Writes are off again" not in screen_of(pilot))
        # A button takes no second press while it still shows the first.
        await until(pilot, lambda: not app_of(pilot).screen.query_one("#go", Button).has_class("-active"))
        await pilot.press("tab", "enter")
        await until(pilot, lambda: world.wire == ["disconnect 1"])


@pytest.mark.parametrize("size", [(100, 20), (60, 20), (40, 12)])
async def test_the_device_that_is_written_to_is_named_on_the_lowest_screen(
    world: World, size: tuple[int, int]
) -> None:
    async with dashboard(world, size=size) as pilot:
        await pilot.press("a", "w", "5", "enter")
        await type_text(pilot, REASON)
        await pilot.press("enter")
        await until(pilot, lambda: not app_of(pilot).screen.query_one("#go", Button).disabled)
        assert "Write 0x8000" in screen_of(pilot)
