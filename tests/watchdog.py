"""Watchdog: how long each callback kept an event loop busy, because while it did nobody else had a turn."""

from __future__ import annotations

import asyncio
import os
import threading
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
            self.longest, self.what = seconds, repr(_subject(handle))

    def check(self) -> None:
        assert self.longest <= LIMIT, f"{self.what} kept the event loop busy for {self.longest:.3f} s"


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
