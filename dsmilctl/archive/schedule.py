"""Schedule: calls something at even intervals of the clock that never jumps."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from dsmilctl.clock import SYSTEM, Clock


async def every(interval: float, look: Callable[[], Awaitable[None]], clock: Clock = SYSTEM) -> None:
    """Call `look` every `interval` seconds for ever; what is late does not make up for what it missed."""
    due = clock.monotonic()
    while True:
        await look()
        now = clock.monotonic()
        due += interval * max(1, -(-(now - due) // interval))
        await asyncio.sleep(due - now)
