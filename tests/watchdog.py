"""Watchdog: what each callback did to an event loop, because meanwhile nobody else had a turn.

Work is counted in processor time, which other programs and a slow host take no part in, and without the
collector's, which sweeps up after all tests of a process.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

LIMIT = 3.0 if sys.gettrace() else 0.5
"""Seconds of work below which nobody asks: ten times what is wanted, and more where each line is traced."""
SHARE = 1 / 3
"""Part of all that a loop did that one callback may be, however slow the machine and its tracers are."""
SHORT_SLEEP = 1.0
"""Seconds of standing still of which nobody asks whether a processor was waited for."""
STALE = 0.1
"""Seconds for which is good what was read of a thread's waits: it takes as long as several callbacks."""
LONGEST_SLEEP = 5.0
"""Seconds that a callback may stand still: more than a host lets a machine wait, less than a hung call."""


class Watchdog:
    """The most work of one callback and of all together, and the longest sleep, in seconds; and whose."""

    def __init__(self) -> None:
        self.longest = 0.0
        self.total = 0.0
        self.asleep = 0.0
        self.what = ""
        self.sleeper = ""

    def note(self, worked: float, asleep: float, handle: asyncio.Handle) -> None:
        self.total += worked
        if worked > self.longest:
            self.longest, self.what = worked, repr(_subject(handle))
        if asleep > self.asleep:
            self.asleep, self.sleeper = asleep, repr(_subject(handle))

    def check(self, limit: float = LIMIT) -> None:
        kept_busy = self.longest > max(limit, self.total * SHARE)
        figures = f"{self.longest:.3f} of {self.total:.3f} s"
        assert not kept_busy, f"{self.what} kept the event loop busy for {figures}"
        blocked = self.asleep > LONGEST_SLEEP
        assert not blocked, f"{self.sleeper} kept the event loop waiting for {self.asleep:.3f} s"


class _Thread(threading.local):
    """What this thread has used and waited for.  Source of the waits: proc(5), schedstat."""

    swept = sweep_begun = 0.0  # of the class: the collector may run while a thread's own are made
    queued_before = read_at = 0.0

    def __init__(self) -> None:
        try:
            self.descriptor = os.open("/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self.descriptor = -1  # not everywhere; then such waits count as sleep

    def worked(self) -> float:
        return time.thread_time() - self.swept

    def queued(self) -> float:
        """How long it was ready to run and had no processor."""
        if self.descriptor < 0:
            return 0.0
        return int(os.pread(self.descriptor, 100, 0).split()[1]) / 1e9

    def queued_until(self, now: float) -> float:
        """The same, as it was a moment before now at the most."""
        if now - self.read_at > STALE:
            self.read_at, self.queued_before = now, self.queued()
        return self.queued_before

    def sweep(self, phase: str, facts: dict[str, int]) -> None:
        """The collector begins or ends; called in the thread that it interrupts."""
        del facts
        if phase == "start":
            self.sweep_begun = time.thread_time()
        else:
            self.swept += time.thread_time() - self.sweep_begun

    def __del__(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)


@contextmanager
def watching() -> Iterator[Watchdog]:
    """Measure every callback of every loop of this process meanwhile."""
    watchdog, thread = Watchdog(), _Thread()
    run = asyncio.Handle._run

    def measured(handle: asyncio.Handle) -> None:
        begun, used = time.perf_counter(), time.thread_time()
        queued, worked = thread.queued_until(begun), thread.worked()
        run(handle)
        asleep = time.perf_counter() - begun - (time.thread_time() - used)
        if asleep > SHORT_SLEEP:
            asleep -= thread.queued() - queued
        watchdog.note(thread.worked() - worked, asleep, handle)

    asyncio.Handle._run = measured  # type: ignore[assignment,method-assign]  # every handle runs through here
    gc.callbacks.append(thread.sweep)
    try:
        yield watchdog
    finally:
        gc.callbacks.remove(thread.sweep)
        asyncio.Handle._run = run  # type: ignore[method-assign]  # put back what was there


def _subject(handle: asyncio.Handle) -> object:
    """The task behind a callback, where it is a step of one."""
    return getattr(getattr(handle, "_callback", None), "__self__", handle)
