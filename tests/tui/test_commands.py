"""Palette, help, contexts, themes, pictures and the line that is copied."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dsmilctl.errors import UsageError
from dsmilctl.tui.app import DashboardApp
from dsmilctl.tui.command import Command, twin_of
from dsmilctl.tui.keys import PAGE_TWINS
from dsmilctl.tui.pages import OWNERS
from dsmilctl.tui.screens.base import own_commands
from dsmilctl.tui.screens.help import HelpPage
from dsmilctl.tui.screens.journal import JournalPage
from dsmilctl.tui.screens.menu import Menu, MenuTable
from tests.tui.dashboard import app_of, dashboard, line_with, live, notices, screen_of, type_text, until
from tests.tui.fake_client import FakeClient, World


async def test_the_palette_lists_every_command_of_the_page_and_runs_the_one_that_is_chosen(
    world: World,
) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("colon")
        await until(pilot, lambda: isinstance(app_of(pilot).screen, Menu))
        entries = app_of(pilot).screen.query_one(MenuTable).entries
        commands = [*own_commands(app_of(pilot).page), *own_commands(app_of(pilot))]
        assert [entry.title for entry in entries] == [command.summary for command in commands]
        await type_text(pilot, "journal of")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app_of(pilot).screen, JournalPage))


async def test_the_palette_shows_the_command_line_with_the_device_under_the_cursor_and_copies_it(
    world: World,
) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("down", "colon")
        await type_text(pilot, "write a reg")
        await until(pilot, lambda: "$ dsmilctl -C plant device write 0x8001 CONFIG" in screen_of(pilot))
        await pilot.press("ctrl+y")
        assert app_of(pilot).clipboard.startswith("dsmilctl -C plant device write 0x8001 CONFIG VALUE")


async def test_the_palette_knows_every_operation_and_gates_it_as_its_key_does(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("colon")
        await type_text(pilot, "disconnect")
        await until(pilot, lambda: "$ dsmilctl -C plant device disconnect 0x8000" in screen_of(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: "press a to arm" in notices(pilot))
    assert world.wire == []


async def test_a_click_on_a_key_of_the_footer_does_what_the_key_does(world: World) -> None:
    async with dashboard(world, size=(160, 36)) as pilot:
        await pilot.click("#footer", offset=(screen_of(pilot).splitlines()[-1].index("J journal"), 0))
        await until(pilot, lambda: isinstance(app_of(pilot).screen, JournalPage))
        await pilot.click("#footer", offset=(screen_of(pilot).splitlines()[-1].index("v verify"), 0))
        await until(pilot, lambda: "✓ intact" in screen_of(pilot))


async def test_nothing_that_is_chosen_is_nothing_done(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("colon")
        await type_text(pilot, "qqqq")
        await until(pilot, lambda: "nothing matches" in screen_of(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app_of(pilot).screen, Menu))


async def test_the_help_is_made_from_the_bindings_of_every_page(world: World) -> None:
    async with dashboard(world, size=(120, 160)) as pilot:
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app_of(pilot).screen, HelpPage))
        text = screen_of(pilot)
        for owner in (DashboardApp, *OWNERS.values()):
            for command in own_commands(owner):
                assert command.summary[:40] in text


def test_every_binding_has_a_summary_and_everything_that_leaves_the_screen_has_a_command_line() -> None:
    for owner in (DashboardApp, *OWNERS.values()):
        for command in own_commands(owner):
            assert 0 < len(command.summary) <= 72, command
            assert command.twin or command.impact == "screen", command
    assert set(PAGE_TWINS) == {*OWNERS, "help"} - {"tables", "write dialog", "login", "menus"}


def test_a_command_line_is_quoted_for_the_shell() -> None:
    command = Command("x", "y", twin="dsmilctl device read {device} {register}")
    assert twin_of(command, {"device": "a b; rm"}) == "dsmilctl device read 'a b; rm' REGISTER"


async def test_y_copies_the_command_line_that_shows_the_same(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("y")
        assert app_of(pilot).clipboard == "dsmilctl -C plant device read @all --watch"
        await pilot.press("enter", "y")
        assert app_of(pilot).clipboard == "dsmilctl -C plant device read 0x8000 --watch"


async def test_the_context_is_switched_without_leaving(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("a", "c")
        await until(pilot, lambda: "Which context?" in screen_of(pilot))
        await type_text(pilot, "sim")
        await pilot.press("enter")
        await until(pilot, lambda: "▸ sim" in screen_of(pilot).splitlines()[0])
        await live(pilot)
        assert line_with(pilot, "0x8001")
        assert "writes off" in screen_of(pilot).splitlines()[0]  # arming does not travel along


async def test_a_lost_context_counts_down_and_is_opened_again(world: World) -> None:
    async with dashboard(world) as pilot:
        world.broken = "the cable is out"
        await until(pilot, lambda: "lost, again in" in screen_of(pilot).splitlines()[0])
        assert "the cable is out" in screen_of(pilot)
        assert "◌ stale" in line_with(pilot, "0x8001")  # the values are still there, and said to be old

        world.broken = ""
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "● live" in screen_of(pilot).splitlines()[0])


async def test_a_context_that_cannot_be_opened_at_first_is_opened_later(world: World) -> None:
    world.broken = "not yet"
    app = DashboardApp(lambda name: FakeClient(world, name=name), "plant", clock=world.clock)
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: "not yet" in screen_of(pilot))
        world.broken = ""
        await pilot.press("ctrl+r")
        await live(pilot)


async def test_t_goes_through_the_themes(world: World) -> None:
    async with dashboard(world) as pilot:
        seen = [app_of(pilot).theme]
        for _ in range(3):
            await pilot.press("t")
            seen.append(app_of(pilot).theme)
    assert seen == ["dark", "light", "ansi", "dark"]


async def test_a_picture_of_the_screen_is_saved_in_the_current_folder(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with dashboard(world) as pilot:
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "Saved" in notices(pilot))
    (picture,) = tmp_path.glob("dsmilctl-plant-*.svg")
    assert "Thermal" in picture.read_text()


async def test_q_goes_back_to_the_fleet_and_then_leaves(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("J", "q")
        await until(pilot, lambda: "LATENCY" in screen_of(pilot))
        await pilot.press("q")
    assert app_of(pilot).return_code == 0


@pytest.mark.parametrize("key", ["", "enter", "J", "E"])
@pytest.mark.parametrize("width", [24, 40, 60, 80, 120, 200])
async def test_palette_help_and_stop_are_in_the_footer_of_every_screen_however_narrow(
    world: World, width: int, key: str
) -> None:
    async with dashboard(world, size=(width, 24)) as pilot:
        await pilot.press(*([key] if key else []))
        await pilot.pause()
        footer = screen_of(pilot).splitlines()[-1]
        assert re.search(r" : (commands  )?\? (help  )? ?■ STOP.* ctrl\+x$", footer), footer
        await pilot.click("#footer", offset=(footer.index(" ? ") + 1, 0))
        await until(pilot, lambda: isinstance(app_of(pilot).screen, HelpPage))


async def test_ctrl_c_leaves_with_130(world: World) -> None:
    async with dashboard(world) as pilot:
        await pilot.press("ctrl+c")
    assert app_of(pilot).return_value == 130


async def test_a_read_only_session_cannot_be_armed(world: World) -> None:
    async with dashboard(world, read_only=True) as pilot:
        await pilot.press("a")
        await until(pilot, lambda: "read-only" in notices(pilot))
        await pilot.press("w")
        assert "ARMED" not in screen_of(pilot)


async def test_the_low_bandwidth_mode_leaves_the_sparklines_out(world: World) -> None:
    app = DashboardApp(
        lambda name: FakeClient(world, name=name), "plant", low_bandwidth=True, clock=world.clock
    )
    async with app.run_test(size=(120, 30)) as pilot:
        await live(pilot)
        assert "LAST 60 s" not in screen_of(pilot)
        assert app.tick == 5.0


def test_a_dashboard_without_the_name_of_a_context_is_refused(world: World) -> None:
    with pytest.raises(UsageError, match="name of a context"):
        DashboardApp(lambda name: FakeClient(world, name=name), "")
