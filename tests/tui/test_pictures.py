"""Pictures of the screens, compared with the approved ones: fixed size, a clock that stands still."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Button, Input

from dsmilctl.client.remote.results import AuthResult
from dsmilctl.model.approval import ApprovalStatus
from dsmilctl.model.device import DeviceState, DeviceStatus
from dsmilctl.tui.messages import LoggedIn
from dsmilctl.tui.screens.change import ChangeDialog
from dsmilctl.tui.screens.confirm import ConfirmDialog
from dsmilctl.tui.screens.decision import DecisionDialog
from dsmilctl.tui.screens.login import LoginDialog
from dsmilctl.tui.screens.menu import Menu
from dsmilctl.tui.widgets.chart import Chart
from tests.tui.child import hostile_devices
from tests.tui.dashboard import app_of, app_on, caught_up, live, pass_time, screen_of, type_text, until
from tests.tui.fake_client import START, World, some_devices
from tests.tui.fake_server import ServerWorld, an_approval, server_app

Scene = Callable[[Pilot[int]], Awaitable[None]]


class Compare(Protocol):
    """What `snap_compare` is."""

    def __call__(self, app: App[int], *, terminal_size: tuple[int, int], run_before: Scene) -> bool: ...


def populated() -> World:
    """Forty devices, among them silent, faulty, quarantined and hot ones, and a journal."""
    world = World(some_devices(40))
    world.silent = {0x8003, 0x8009}
    world.states[0x8006] = DeviceStatus(0x8006, DeviceState.ERROR, "refused", START, START)
    world.written[0x8002, "TEMP"] = 81.5
    world.note("device.write", "0x8001", "ALLOWED", "INTENT", register="CONFIG", value=5, old=1)
    world.note("device.write", "0x8001", "ALLOWED", "SUCCESS", register="CONFIG", value=5, old=1)
    world.note("device.write", "0x8004", "DENIED", "DENIED", code="DEVICE_QUARANTINED", error="quarantined")
    return world


async def minute(pilot: Pilot[int], world: World) -> None:
    """Readings of most of a minute, with a pause of two devices."""
    silent, world.silent = world.silent, set()
    await live(pilot)
    await pass_time(pilot, world, 30, step=3)
    world.silent = silent
    await pass_time(pilot, world, 18, step=3)


def keys(world: World, *pressed: str, ends: Callable[[Pilot[int]], bool]) -> Scene:
    """A scene: a minute of readings, some keys, and then wait until it is as it should be."""

    async def play(pilot: Pilot[int]) -> None:
        await minute(pilot, world)
        await pilot.press(*pressed)
        await until(pilot, lambda: ends(pilot))
        await caught_up(pilot)

    return play


def says(*texts: str) -> Callable[[Pilot[int]], bool]:
    """Whether all of this is on the screen."""
    return lambda pilot: all(text in screen_of(pilot) for text in texts)


@pytest.mark.parametrize("theme", ["dark", "light", "ansi"])
def test_the_fleet(snap_compare: Compare, theme: str) -> None:
    world = populated()
    scene = keys(world, "down", "space", ends=says("last good", "quarantine"))
    assert snap_compare(app_on(world, theme=theme), terminal_size=(120, 32), run_before=scene)


@pytest.mark.parametrize("size", [(80, 24), (60, 14), (40, 10), (20, 5)])
def test_the_fleet_in_narrow_terminals(snap_compare: Compare, size: tuple[int, int]) -> None:
    world = populated()
    scene = keys(world, ends=says("STOP"))
    assert snap_compare(app_on(world), terminal_size=size, run_before=scene)


def test_the_fleet_filtered_and_sorted(snap_compare: Compare) -> None:
    world = populated()

    async def play(pilot: Pilot[int]) -> None:
        await minute(pilot, world)
        await pilot.press("slash")
        await type_text(pilot, "risk=LOW,0x8000-0x8020")
        await pilot.press("enter", "s")
        await until(pilot, lambda: "NAME ▲" in screen_of(pilot) and " of 40" in screen_of(pilot))

    assert snap_compare(app_on(world), terminal_size=(120, 24), run_before=play)


def test_a_fleet_of_which_nothing_is_heard(snap_compare: Compare) -> None:
    world = populated()

    async def play(pilot: Pilot[int]) -> None:
        await minute(pilot, world)
        world.hushed = True
        world.clock.elapsed += 8
        await until(pilot, lambda: "stale, last good 8.0 s ago" in screen_of(pilot))

    assert snap_compare(app_on(world), terminal_size=(120, 24), run_before=play)


def test_a_context_that_is_lost(snap_compare: Compare) -> None:
    world = populated()

    async def play(pilot: Pilot[int]) -> None:
        await minute(pilot, world)
        world.broken = "the gateway does not answer"
        await until(pilot, lambda: "lost, again in" in screen_of(pilot))

    assert snap_compare(app_on(world), terminal_size=(120, 24), run_before=play)


def test_hostile_names(snap_compare: Compare) -> None:
    world = World(hostile_devices())
    scene = keys(world, ends=says("[red]markup[/red]"))
    assert snap_compare(app_on(world), terminal_size=(120, 18), run_before=scene)


def sampled(chart: Chart, world: World) -> bool:
    """Whether the chart has drawn a sample of this moment; they come at a pace of their own."""
    samples, now = chart.series._samples, world.clock.monotonic()
    return not chart.series._arrived and bool(samples) and samples[-1][0] == now


@pytest.mark.parametrize("size", [(140, 40), (70, 20)])
def test_a_device(snap_compare: Compare, size: tuple[int, int]) -> None:
    world = populated()

    async def play(pilot: Pilot[int]) -> None:
        await minute(pilot, world)
        await pilot.press("down", "enter")
        await until(pilot, lambda: "REGISTER" in screen_of(pilot))
        chart = app_of(pilot).screen.query_one(Chart)
        for _ in range(12):
            await until(pilot, lambda: sampled(chart, world))
            await pass_time(pilot, world, 1.0)
        await until(pilot, lambda: sampled(chart, world))
        await until(pilot, lambda: "0x00C0FFEE" in screen_of(pilot))

    assert snap_compare(app_on(world), terminal_size=size, run_before=play)


def test_the_dry_run_of_a_write(snap_compare: Compare) -> None:
    world = populated()

    async def play(pilot: Pilot[int]) -> None:
        await minute(pilot, world)
        await pilot.press("a", "down", "w", "5", "enter")
        await type_text(pilot, "swap the fan")
        await pilot.press("enter")
        dialog = app_of(pilot).screen
        assert isinstance(dialog, ChangeDialog)
        await until(pilot, lambda: not dialog.query_one("#go", Button).disabled)
        for field in dialog.query("Input"):
            field.cursor_blink = False  # type: ignore[attr-defined]  # it is an Input
        await pilot.pause()

    assert snap_compare(app_on(world), terminal_size=(120, 32), run_before=play)


def test_a_refused_write(snap_compare: Compare) -> None:
    world = populated()
    scene = keys(world, "a", "w", "5", "enter", "n", "o", "enter", "tab", ends=says("JUSTIFICATION_REQUIRED"))
    assert snap_compare(app_on(world, theme="light"), terminal_size=(120, 32), run_before=scene)


def test_a_question_before_a_lifecycle_verb(snap_compare: Compare) -> None:
    world = populated()

    async def play(pilot: Pilot[int]) -> None:
        await minute(pilot, world)
        await pilot.press("a", "space", "space", "o")
        await type_text(pilot, "disconnect")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app_of(pilot).screen, ConfirmDialog))

    assert snap_compare(app_on(world), terminal_size=(100, 24), run_before=play)


def test_the_palette(snap_compare: Compare) -> None:
    world = populated()

    async def play(pilot: Pilot[int]) -> None:
        await minute(pilot, world)
        await pilot.press("down", "colon")
        await until(pilot, lambda: isinstance(app_of(pilot).screen, Menu))
        await type_text(pilot, "write")
        await until(pilot, lambda: "$ dsmilctl" in screen_of(pilot))
        app_of(pilot).set_focus(None)  # no cursor that blinks
        await pilot.pause()

    assert snap_compare(app_on(world), terminal_size=(120, 32), run_before=play)


def test_the_journal(snap_compare: Compare) -> None:
    world = populated()
    scene = keys(world, "J", "v", ends=says("intact", "✕ denied"))
    assert snap_compare(app_on(world), terminal_size=(120, 20), run_before=scene)


def test_the_help(snap_compare: Compare) -> None:
    world = populated()
    scene = keys(world, "question_mark", ends=says("EVERYWHERE"))
    assert snap_compare(app_on(world), terminal_size=(130, 40), run_before=scene)


@pytest.mark.parametrize("theme", ["dark", "ansi"])
def test_a_stop_that_two_devices_did_not_confirm(snap_compare: Compare, theme: str) -> None:
    world = populated()
    scene = keys(world, "ctrl+x", ends=says("38 confirmed", "2 NOT confirmed"))
    assert snap_compare(app_on(world, theme=theme), terminal_size=(120, 24), run_before=scene)


def test_the_fleet_under_a_stop_in_a_read_only_session(snap_compare: Compare) -> None:
    world = populated()
    scene = keys(world, "ctrl+x", "escape", ends=says("■ stopped", "read-only"))
    assert snap_compare(app_on(world, read_only=True), terminal_size=(120, 20), run_before=scene)


def test_a_refused_login(snap_compare: Compare) -> None:
    world = ServerWorld()
    world.stranger = True

    async def play(pilot: Pilot[int]) -> None:
        await until(pilot, lambda: isinstance(pilot.app.screen, LoginDialog))
        dialog = pilot.app.screen
        assert isinstance(dialog, LoginDialog)
        dialog.part(Input, "login-user").value = "supervisor"
        await pilot.press("enter")
        await type_text(pilot, "secret")
        result = AuthResult(
            success=False, error="too many failed logins", error_code="ACCOUNT_LOCKED", retry_after=1800
        )
        dialog.part(Input, "login-password").value = "still secret"
        dialog.post_message(LoggedIn(result))
        await until(pilot, lambda: "ACCOUNT_LOCKED" in screen_of(pilot))

    assert snap_compare(server_app(world), terminal_size=(100, 24), run_before=play)


def test_what_a_second_person_is_asked_for(snap_compare: Compare) -> None:
    world = asked_world()

    async def play(pilot: Pilot[int]) -> None:
        await live(pilot)
        await pilot.press("A")
        await until(pilot, lambda: "✕ rejected" in screen_of(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, DecisionDialog))
        await caught_up(pilot)

    assert snap_compare(server_app(world), terminal_size=(110, 30), run_before=play)


def test_a_server_that_is_lost(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dsmilctl.tui.link.FIRST_DELAY", 30.0)
    world = asked_world()

    async def play(pilot: Pilot[int]) -> None:
        await live(pilot)
        await pilot.press("A")
        await until(pilot, lambda: "✕ rejected" in screen_of(pilot))
        world.broken = "https://plant.example:8443: connection refused"
        await until(pilot, lambda: "lost, again in" in screen_of(pilot))
        world.clock.elapsed += 12
        await until(pilot, lambda: "12 s old" in screen_of(pilot))

    assert snap_compare(server_app(world), terminal_size=(120, 16), run_before=play)


def asked_world() -> ServerWorld:
    """A server at which somebody asks for three things."""
    world = ServerWorld()
    world.asked = (
        an_approval(2, ApprovalStatus.USED, value=5),
        an_approval(0xA7, ApprovalStatus.PENDING, if_value=1),
        an_approval(3, ApprovalStatus.REJECTED, operation_type="RESET", register="", value=None),
    )
    return world
