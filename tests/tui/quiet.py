"""Quiet: when a dashboard has nothing left to do, which is when a test may look at it."""

from __future__ import annotations

import asyncio
import time

LOOKS = 5
LOOK = 0.002
"""Seconds from one look at the event loop to the next; so many looks have to find it idle."""


async def until_quiet(_least: float = 0.0, most: float = 1.0) -> None:
    """Wait until the event loop has nothing that could run; in place of Textual's `wait_for_idle`.

    That waits until the process has used less than a millisecond of 20, which a dashboard that is fed all the
    time seldom does: the tests would spend a third of their time there.
    """
    ready = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]  # no public way to ask
    deadline, idle = time.monotonic() + most, 0
    while idle < LOOKS and time.monotonic() < deadline:
        await asyncio.sleep(LOOK)
        idle = 0 if ready else idle + 1
