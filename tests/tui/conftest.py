"""What every test of the dashboard has: its pages loaded, and a watchdog on the event loop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dsmilctl.tui.app import load_pages
from dsmilctl.tui.stop import Stopper
from tests.tui.fake_client import World
from tests.tui.quiet import until_quiet
from tests.watchdog import watching

LONGEST = 2.0
"""Seconds: many times the 50 ms of the design, as the first picture of a page is laid out in one callback."""


@pytest.fixture(scope="session", autouse=True)
def _pages_are_loaded() -> None:
    load_pages()


@pytest.fixture(autouse=True)
def _nobody_waits_longer_than_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("app", "pilot"):
        monkeypatch.setattr(f"textual.{module}.wait_for_idle", until_quiet)


@pytest.fixture(autouse=True)
def _memory_of_all_tests_is_not_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dashboard goes through all memory once, for the days to come: here that is what other tests left."""
    monkeypatch.setattr("dsmilctl.tui.link._settle_memory", lambda: None)


@pytest.fixture(autouse=True)
def _no_callback_holds_the_loop_up() -> Iterator[None]:
    """N11: a callback of the event loop that takes too long fails the test."""
    with watching() as watchdog:
        yield
    watchdog.check(LONGEST)


@pytest.fixture(autouse=True)
def _no_stop_key_stands_ready_behind_a_test(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A dashboard has a thread that waits for its stop key and holds all of it: hundreds make tests slow."""
    made: list[Stopper] = []
    begin = Stopper.__init__

    def begun(stopper: Stopper, *arguments: Any) -> None:
        made.append(stopper)
        begin(stopper, *arguments)

    monkeypatch.setattr(Stopper, "__init__", begun)
    yield
    for stopper in made:
        stopper.close(0)


@pytest.fixture
def world() -> World:
    """Twelve devices, of which the fifth is quarantined, on a clock that stands still."""
    return World()
