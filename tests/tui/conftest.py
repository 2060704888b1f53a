"""What every test of the dashboard has: its pages loaded, and a watchdog on the event loop."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dsmilctl.tui.app import load_pages
from tests.tui.fake_client import World
from tests.watchdog import watching

LONGEST = 2.0
"""Seconds: many times the 50 ms of the design, as the first picture of a page is laid out in one callback."""


@pytest.fixture(scope="session", autouse=True)
def _pages_are_loaded() -> None:
    load_pages()


@pytest.fixture(autouse=True)
def _no_callback_holds_the_loop_up() -> Iterator[None]:
    """N11: a callback of the event loop that takes too long fails the test."""
    with watching() as watchdog:
        yield
    watchdog.check(LONGEST)


@pytest.fixture
def world() -> World:
    """Twelve devices, of which the fifth is quarantined, on a clock that stands still."""
    return World()
