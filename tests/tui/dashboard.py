"""Opens the dashboard on a fake world in a headless terminal, and waits for it without guessing times."""

from __future__ import annotations

import inspect
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from textual.pilot import Pilot

from dsmilctl.tui.app import DashboardApp
from tests.tui.fake_client import FakeClient, World

PATIENCE = 20.0


def app_on(world: World, *, read_only: bool = False, theme: str = "dark", **options: Any) -> DashboardApp:
    """The dashboard on a world."""
    return DashboardApp(
        lambda name: FakeClient(world, name=name, read_only=read_only),
        "plant",
        contexts=("local", "plant", "sim"),
        read_only=read_only,
        theme=theme,
        clock=world.clock,
        refresh=0.05,
        **options,
    )


@asynccontextmanager
async def dashboard(
    world: World, *, size: tuple[int, int] = (120, 36), **options: Any
) -> AsyncIterator[Pilot[int]]:
    """The dashboard on a world, live."""
    async with app_on(world, **options).run_test(size=size, notifications=True) as pilot:
        await live(pilot)
        yield pilot


async def live(pilot: Pilot[int]) -> None:
    """Wait until the first readings are on the screen."""
    app = app_of(pilot)
    await until(pilot, lambda: app.store is not None and app.store.reached_at is not None)
    await caught_up(pilot)


async def caught_up(pilot: Pilot[int]) -> None:
    """Wait until the screen shows the world as it is now."""
    app = app_of(pilot)

    def shown() -> bool:
        store, now = app.store, app.clock.monotonic()
        return store is not None and store.reached_at == now and app.snapshot.monotonic == now

    await until(pilot, shown)
    await pilot.pause()


async def pass_time(pilot: Pilot[int], world: World, seconds: float, step: float = 1.0) -> None:
    """Let the world's clock go on, with a batch and a snapshot for every step."""
    for _ in range(round(seconds / step)):
        world.clock.elapsed += step
        await caught_up(pilot)


async def until(pilot: Pilot[int], true: Callable[[], bool]) -> None:
    """Wait until something is the case; fails after PATIENCE seconds."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(f"{inspect.getsource(true).strip()}\n{screen_of(pilot)}\n{notices(pilot)}")
        await pilot.pause(0.005)
    await pilot.pause()


def app_of(pilot: Pilot[int]) -> DashboardApp:
    """The dashboard."""
    assert isinstance(pilot.app, DashboardApp)
    return pilot.app


def screen_of(pilot: Pilot[int]) -> str:
    """What the screen says, line by line."""
    strips = pilot.app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips)


def line_with(pilot: Pilot[int], text: str) -> str:
    """The line of the screen that has the text in it; empty when there is none."""
    return next((line for line in screen_of(pilot).splitlines() if text in line), "")


def notices(pilot: Pilot[int]) -> str:
    """What the notices on the screen say."""
    return "\n".join(notice.message for notice in pilot.app._notifications)


async def type_text(pilot: Pilot[int], text: str) -> None:
    """Type a text into the field that has the focus."""
    for character in text:
        await pilot.press("space" if character == " " else character)
