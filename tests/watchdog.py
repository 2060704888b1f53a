"""Watchdog: how long each callback kept an event loop busy, because while it did nobody else had a turn."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

LIMIT = 0.5
"""Seconds below which nobody asks: ten times what is wanted of a machine that does nothing else."""
SHARE = 1 / 3
"""Part of all that a loop did that one callback may be, however slow the machine and its tracers are."""


class Watchdog:
    """The longest callback so far, and all of them together, in seconds; and what the longest was."""

    def __init__(self) -> None:
        self.longest = 0.0
        self.total = 0.0
        self.what = ""

    def note(self, seconds: float, handle: asyncio.Handle) -> None:
        self.total += seconds
        if seconds > self.longest:
            self.longest, self.what = seconds, repr(_subject(handle))

    def check(self, limit: float = LIMIT) -> None:
        blocked = self.longest > max(limit, self.total * SHARE)
        figures = f"{self.longest:.3f} of {self.total:.3f} s"
        assert not blocked, f"{self.what} kept the event loop busy for {figures}"


class _Waits(threading.local):
    """How long this thread was ready to run and had no processor.  Source: proc(5), schedstat."""

    def __init__(self) -> None:
        try:
            self.descriptor = os.open("/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self.descriptor = -1  # not everywhere; then such waits count as busy

    def seconds(self) -> float:
        if self.descriptor < 0:
            return 0.0
        return int(os.pread(self.descriptor, 100, 0).split()[1]) / 1e9

    def __del__(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)


@contextmanager
def watching() -> Iterator[Watchdog]:
    """Measure every callback of every loop of this process meanwhile."""
    watchdog, waits = Watchdog(), _Waits()
    run = asyncio.Handle._run

    def measured(handle: asyncio.Handle) -> None:
        begun = time.perf_counter() - waits.seconds()
        run(handle)
        watchdog.note(time.perf_counter() - waits.seconds() - begun, handle)

    asyncio.Handle._run = measured  # type: ignore[assignment,method-assign]  # every handle runs through here
    try:
        yield watchdog
    finally:
        asyncio.Handle._run = run  # type: ignore[method-assign]  # put back what was there


def _subject(handle: asyncio.Handle) -> object:
    """The task behind a callback, where it is a step of one."""
    return getattr(getattr(handle, "_callback", None), "__self__", handle)
