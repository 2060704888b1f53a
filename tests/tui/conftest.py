"""What every test of the dashboard has: its pages loaded, and a watchdog on the event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from dsmilctl.tui.app import load_pages
from tests.tui.fake_client import World

BUSY, LONGEST = 0.25, 2.0
"""Seconds that a callback may compute, and may last: several times the 50 ms of the design, since the
machine that runs the tests is busy with other things as well."""


@pytest.fixture(scope="session", autouse=True)
def _pages_are_loaded() -> None:
    load_pages()


@pytest.fixture(autouse=True)
def _no_callback_holds_the_loop_up(
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[None]:
    """N11: a callback of the event loop that takes too long fails the test."""
    slow: list[str] = []
    run = asyncio.Handle._run

    def timed(handle: asyncio.Handle) -> None:
        begun = time.perf_counter()
        run(handle)
        elapsed = time.perf_counter() - begun
        if elapsed > LONGEST:
            slow.append(f"{handle!r} took {elapsed:.2f} s")

    monkeypatch.setattr(asyncio.Handle, "_run", timed)
    yield
    assert not slow, "\n".join(slow)


@pytest.fixture
def world() -> World:
    """Twelve devices, of which the fifth is quarantined, on a clock that stands still."""
    return World()
