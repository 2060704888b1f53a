"""Every action of every page in a read-only session on the real simulator: no driver is written to.

The judge is the simulator's wire log, which has a line for every change that reached a device.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Button, Input, Static

from dsmilctl.client import connect
from dsmilctl.client.interface import HistoryQuery
from dsmilctl.model.operation import OperationType
from dsmilctl.tui import operations
from dsmilctl.tui.app import DashboardApp
from dsmilctl.tui.command import Command
from dsmilctl.tui.screens.base import own_commands
from dsmilctl.tui.screens.change import ChangeDialog
from dsmilctl.tui.screens.confirm import ConfirmDialog
from dsmilctl.tui.screens.fleet import FleetPage
from dsmilctl.tui.screens.menu import Menu, MenuTable
from dsmilctl.tui.screens.release import ReleaseDialog
from dsmilctl.tui.widgets.table import Table
from tests.tui.dashboard import app_of, screen_of, type_text, until

NOT_WALKED = {"stop_everything", "interrupt", "suspend_process", "back_or_quit"}
"""The stop is the one thing that may write in a read-only session; the others leave the dashboard."""

PAGES: dict[str, tuple[str, ...]] = {
    "fleet": (),
    "device": ("enter",),
    "journal": ("J",),
    "emergency": ("E",),
    "recordings": ("R",),
    "backups": ("B",),
    "help": ("question_mark",),
}


@pytest.fixture
def wire(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The wire log of a simulator of our own."""
    log = tmp_path / "wire.log"
    monkeypatch.setenv("DSMIL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DSMIL_SIM_OPTIONS", json.dumps({"devices": 12, "wire_log": str(log)}))
    monkeypatch.chdir(tmp_path)
    yield log


@asynccontextmanager
async def simulator(*, read_only: bool) -> AsyncIterator[Pilot[int]]:
    app = DashboardApp(
        lambda name: connect(name, read_only=read_only),
        "sim",
        contexts=("sim",),
        read_only=read_only,
        refresh=0.2,
    )
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: app.store is not None and app.store.reached_at is not None)
        yield pilot


@pytest.mark.parametrize("page", PAGES)
async def test_no_key_of_any_page_writes_in_a_read_only_session(page: str, wire: Path) -> None:
    async with simulator(read_only=True) as pilot:
        for command in commands_of(pilot, PAGES[page]):
            await go_to(pilot, PAGES[page])
            await pilot.press(command.key.split(",")[0])
            await answer_everything(pilot)
        await go_to(pilot, PAGES[page])
    assert written(wire) == []


@pytest.mark.parametrize("page", ["fleet", "device"])
async def test_no_command_of_the_palette_writes_in_a_read_only_session(page: str, wire: Path) -> None:
    async with simulator(read_only=True) as pilot:
        await go_to(pilot, PAGES[page])
        commands = own_commands(app_of(pilot).page)
        if page == "fleet":  # what is there on every page is walked on one of them
            commands += own_commands(app_of(pilot))
        for place, command in enumerate(commands):
            if command.action in NOT_WALKED:
                continue
            await go_to(pilot, PAGES[page])
            await pilot.press("colon")
            await until(pilot, lambda: isinstance(app_of(pilot).screen, Menu))
            app_of(pilot).screen.query_one(MenuTable).cursor = place
            await pilot.press("enter")
            await answer_everything(pilot)
        await go_to(pilot, ())
    assert written(wire) == []


async def test_no_operation_of_the_menu_writes_in_a_read_only_session(wire: Path) -> None:
    async with simulator(read_only=True) as pilot:
        app = app_of(pilot)
        store = app.store
        assert store is not None
        for name in (*operations.VERBS, *operations.CHANGES):
            app.arming.arm()  # as if the screen had let it through
            operations.carry_out(app, name, [store.devices[1]])
            await answer_everything(pilot)
            await go_to(pilot, ())
    assert written(wire) == []


@pytest.mark.parametrize("type", [OperationType.WRITE, OperationType.RESET, OperationType.ACTIVATE])
async def test_a_dialog_that_got_past_the_screen_is_refused_below_it(type: OperationType, wire: Path) -> None:
    async with simulator(read_only=True) as pilot:
        app = app_of(pilot)
        assert app.store is not None
        app.arming.arm()
        operations.open_change(app, app.store.devices[1], type)
        await until(pilot, lambda: isinstance(app.screen, ChangeDialog))
        await fill_in(pilot)
        await until(pilot, lambda: "READ_ONLY" in screen_of(pilot))
        assert app.screen.query_one("#go", Button).disabled
    assert written(wire) == []


async def test_the_judge_sees_a_write_when_there_is_one(wire: Path) -> None:
    async with simulator(read_only=False) as pilot:
        app = app_of(pilot)
        await pilot.press("a", "w")
        await until(pilot, lambda: isinstance(app.screen, ChangeDialog))
        await fill_in(pilot)
        await until(pilot, lambda: not app.screen.query_one("#go", Button).disabled)
        await pilot.press("tab", "tab", "enter")
        await until(pilot, lambda: bool(written(wire)))
        records = await app.ask(lambda client: client.audit(HistoryQuery(action="device.write", limit=5)))
    assert written(wire)[0].split()[2:4] == ["0x8000", "CONFIG"]
    assert [record.outcome for record in records] == ["SUCCESS", "INTENT"]


async def test_the_stop_reaches_the_devices_even_in_a_read_only_session(wire: Path) -> None:
    async with simulator(read_only=True) as pilot:
        await pilot.press("ctrl+x")
        await until(pilot, lambda: "12 confirmed" in screen_of(pilot))
    assert {line.split()[2] for line in written(wire)} == {
        f"0x{number:04X}" for number in range(0x8000, 0x800C)
    }


def written(wire: Path) -> list[str]:
    return wire.read_text().splitlines() if wire.exists() else []


def commands_of(pilot: Pilot[int], way: tuple[str, ...]) -> list[Command]:
    from dsmilctl.tui.pages import OWNERS

    kinds = {"enter": "device", "J": "journal", "E": "emergency", "R": "recordings", "B": "backups"}
    kind = kinds.get(way[0]) if way else "fleet"
    page = OWNERS[kind] if kind else type(app_of(pilot).screen)
    commands = own_commands(page)
    if kind in ("fleet", "device"):  # what is there on every page is walked on two of them
        commands += [*own_commands(app_of(pilot)), *own_commands(Table)]
    return [command for command in commands if command.action not in NOT_WALKED and command.key]


async def go_to(pilot: Pilot[int], way: tuple[str, ...]) -> None:
    """Back to the fleet, and from there to a page."""
    app = app_of(pilot)
    while not isinstance(app.screen, FleetPage):
        screen: Screen[object] = app.screen
        await pilot.press("escape")
        if app.screen is screen and not isinstance(screen, FleetPage):
            await app.pop_screen()
    while app.screen.query_one("#ask").display:
        await pilot.press("escape")
    if way:
        await pilot.press(*way)
        await until(pilot, lambda: not isinstance(app.screen, FleetPage))


async def answer_everything(pilot: Pilot[int]) -> None:
    """Say yes to whatever opened, several dialogs deep."""
    app = app_of(pilot)
    for _ in range(6):
        await pilot.pause(0.02)
        screen = app.screen
        if isinstance(screen, ChangeDialog):
            await fill_in(pilot)
            screen.query_one("#go", Button).press()
        elif isinstance(screen, ConfirmDialog):
            screen.query_one("#go", Button).press()
        elif isinstance(screen, ReleaseDialog):
            screen.query_one("#release-name", Input).value = "sim"
            screen.query_one("#release-why", Input).value = "a reason that is long enough"
            screen.query_one("#release", Button).press()
        elif isinstance(screen, Menu):
            await pilot.press("enter")
        elif app.focused is not None and isinstance(app.focused, Input):
            await type_text(pilot, "0x8001")
            await pilot.press("enter")
        else:
            return


async def fill_in(pilot: Pilot[int]) -> None:
    """Fill the fields of a change and ask for the dry run."""
    screen = app_of(pilot).screen
    for field in screen.query("#value").results(Input):
        field.value = "2"
    screen.query_one("#why", Input).value = "a reason that is long enough"
    await pilot.pause()
    screen.query_one("#plan-button", Button).press()
    said = [screen.query_one(f"#{name}", Static) for name in ("plan", "problem")]
    await until(pilot, lambda: any(str(line.content) for line in said) or app_of(pilot).screen is not screen)
