"""Watchdog: how long each callback kept an event loop busy, because while it did nobody else had a turn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

LIMIT = 0.5
"""Seconds: ten times what is wanted, as other programs run on the machine that tests."""


class Watchdog:
    """The longest callback so far, in seconds, and what it was."""

    def __init__(self) -> None:
        self.longest = 0.0
        self.what = ""

    def note(self, seconds: float, handle: asyncio.Handle) -> None:
        if seconds > self.longest:
            self.longest, self.what = seconds, repr(handle)

    def check(self) -> None:
        assert self.longest <= LIMIT, f"{self.what} kept the event loop busy for {self.longest:.3f} s"


@contextmanager
def watching() -> Iterator[Watchdog]:
    """Measure every callback of every loop of this process meanwhile."""
    watchdog = Watchdog()
    run = asyncio.Handle._run

    def measured(handle: asyncio.Handle) -> None:
        begun = time.perf_counter()
        run(handle)
        note(time.perf_counter() - begun, handle)

    note = watchdog.note
    asyncio.Handle._run = measured  # type: ignore[method-assign]  # every handle runs through here
    try:
        yield watchdog
    finally:
        asyncio.Handle._run = run  # type: ignore[method-assign]
