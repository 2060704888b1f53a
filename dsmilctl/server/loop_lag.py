"""Lag of the server's event loop: what holds it up keeps every client waiting, and is seen here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dsmilctl.clock import Clock
from dsmilctl.server.metrics import Metrics

PERIOD = 0.02
"""Seconds between two looks: so much of a stall may go unseen."""


@asynccontextmanager
async def loop_watched(metrics: Metrics, clock: Clock) -> AsyncIterator[None]:
    """Tell the metrics, while the block runs, by how much the loop comes later than it was asked to."""
    task = asyncio.create_task(_watch(metrics, clock))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _watch(metrics: Metrics, clock: Clock) -> None:
    while True:
        due = clock.monotonic() + PERIOD
        await asyncio.sleep(PERIOD)
        metrics.note_lag(max(0.0, clock.monotonic() - due))
