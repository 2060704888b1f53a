"""The thread behind the stop key: of which context it is, without a second thread, and with broken files."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from dsmilctl.clock import SYSTEM
from dsmilctl.config.paths import Paths
from dsmilctl.model.emergency import Stop
from dsmilctl.tui.app import DashboardApp
from dsmilctl.tui.stop import Phase, Stopper, StopProgress
from tests.fixtures import home as home  # noqa: PLC0414 - a fixture of this module, too
from tests.rack import Lab, Rack
from tests.tui.dashboard import live, notices, screen_of, until
from tests.tui.fake_client import FakeClient, SlowClient, World


class Plants:
    """Two contexts, and what the stop key told of them."""

    def __init__(self, world: World) -> None:
        self.worlds = {"north": world, "south": World(clock=world.clock)}
        self.told: list[StopProgress] = []
        self.stopper = Stopper(self.open, self.told.append, world.clock)

    def open(self, name: str) -> FakeClient:
        """A client of a context."""
        return SlowClient(self.worlds[name], name=name)

    def stops(self, name: str) -> int:
        """How many stops there were."""
        return len(self.worlds[name].stops)

    async def ended(self, number: int) -> None:
        """Wait for the end of a stop."""
        await _until(lambda: any(item.number == number and item.phase is Phase.ENDED for item in self.told))


@pytest.fixture
def plants(world: World) -> Plants:
    return Plants(world)


async def test_a_stop_of_another_context_that_is_under_way_swallows_no_press(plants: Plants) -> None:
    plants.worlds["north"].hushed = True
    assert plants.stopper.pull("north")
    await _until(lambda: plants.stops("north") == 1)

    assert plants.stopper.pull("south")
    assert not plants.stopper.pull("north")
    await plants.ended(2)

    assert (plants.stops("north"), plants.stops("south")) == (1, 1)
    assert {item.number: item.context for item in plants.told} == {1: "north", 2: "south"}
    plants.worlds["north"].hushed = False


class NoThreads:
    """Whether another thread can be started for the stop key."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lacking = True
        start = threading.Thread.start

        def started(thread: threading.Thread) -> None:
            if self.lacking and thread.name == "dsmilctl-stop":
                raise RuntimeError("can't start new thread")
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", started)


async def test_without_another_thread_the_one_there_is_takes_each_press(
    plants: Plants, monkeypatch: pytest.MonkeyPatch
) -> None:
    NoThreads(monkeypatch)

    for number in (1, 2, 3):
        assert plants.stopper.pull("north")
        await plants.ended(number)
        await _until(lambda: not plants.stopper.under_way)

    assert plants.stops("north") == 3


async def test_a_press_does_not_wait_for_a_stop_once_another_thread_can_be_started_again(
    plants: Plants, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = NoThreads(monkeypatch)
    plants.worlds["north"].hushed = True
    assert plants.stopper.pull("north")
    await _until(lambda: plants.stops("north") == 1)

    threads.lacking = False
    assert plants.stopper.pull("south")
    await plants.ended(2)

    plants.worlds["north"].hushed = False
    await plants.ended(1)
    assert plants.stopper.pull("south")
    await plants.ended(3)


@pytest.mark.parametrize(
    "fault", [OSError("no such fleet"), SystemExit(1)], ids=lambda item: type(item).__name__
)
async def test_whatever_a_stop_ends_with_is_told_and_the_next_press_is_taken(
    plants: Plants, monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    NoThreads(monkeypatch)

    def broken(name: str) -> FakeClient:
        raise fault

    monkeypatch.setattr(plants.stopper, "_open_client", broken)
    plants.stopper.pull("north")
    await _until(lambda: not plants.stopper.under_way)
    assert (plants.told[-1].phase, type(fault).__name__ in plants.told[-1].error) == (Phase.BROKEN, True)

    monkeypatch.setattr(plants.stopper, "_open_client", plants.open)
    plants.stopper.pull("north")
    await plants.ended(2)


async def test_a_screen_that_cannot_be_told_holds_no_stop_up(world: World) -> None:
    def told(progress: StopProgress) -> None:
        raise RuntimeError("the terminal went away")

    stopper = Stopper(lambda name: FakeClient(world, name=name), told, world.clock)
    stopper.pull("plant")
    await _until(lambda: not stopper.under_way)

    assert len(world.stops) == 1


async def test_chosen_devices_are_stopped_although_the_switches_of_drivers_cannot_be_read(
    home: Paths,
) -> None:
    rack = Rack(2)
    lab = Lab(home, rack)
    home.driver_switches_file.parent.mkdir(parents=True, exist_ok=True)
    home.driver_switches_file.write_bytes(b"\0" * 64)
    told: list[StopProgress] = []

    stopper = Stopper(lambda name: lab.client(), told.append, SYSTEM)
    stopper.pull("lab", rack.devices[:1], "rack-0")
    await _until(lambda: not stopper.under_way)
    (stop,) = await lab.client().stops()

    assert (told[-1].phase, told[-1].confirmed) == (Phase.ENDED, 1)
    assert stop.devices == ("rack-0",)
    assert {telegram.device_id for telegram in rack.wire} == {"rack-0"}


async def test_the_key_stops_the_context_on_the_screen_while_the_one_before_is_still_being_stopped(
    plants: Plants, monkeypatch: pytest.MonkeyPatch
) -> None:
    north = plants.worlds["north"]
    app = DashboardApp(plants.open, "north", contexts=("north", "south"), clock=north.clock, refresh=0.05)
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await live(pilot)
        north.hushed = True
        await pilot.press("ctrl+x")
        await until(pilot, lambda: plants.stops("north") == 1)
        await pilot.press("escape")
        app.open_context("south")
        await live(pilot)
        await pilot.press("ctrl+x")
        await until(pilot, lambda: "12 confirmed" in screen_of(pilot))
        assert (plants.stops("north"), plants.stops("south")) == (1, 1)

        noted: list[Stop] = []
        monkeypatch.setattr(app.link, "note_stop", noted.append)
        north.hushed = False
        await until(pilot, lambda: "north: EMERGENCY STOP: 12 confirmed" in notices(pilot))
        assert noted == []  # the devices on the screen are not those of the north


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.005)
