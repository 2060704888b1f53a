"""A server knows by how much its event loop is late: what holds the loop up keeps every client waiting."""

from __future__ import annotations

import asyncio
import time

from dsmilctl.server.metrics import WINDOW, Metrics
from dsmilctl.testing.clock import StandingClock
from tests.server.served import PATIENCE, Served

HELD_UP = 0.3


async def told(served: Served) -> dict[str, float]:
    """The metrics that have no label."""
    async with served.http("admin") as http:
        text = (await http.get("/monitoring/metrics")).text
    lines = (line.partition(" ") for line in text.splitlines() if line[0] != "#" and "{" not in line)
    return {name: float(value) for name, _, value in lines}


async def test_what_blocks_the_loop_of_a_running_server_is_told_as_a_stall(served: Served) -> None:
    before = await told(served)

    served.loop.call_soon_threadsafe(time.sleep, HELD_UP)  # as a driver does that waits where it must not
    async with asyncio.timeout(PATIENCE):
        after = await told(served)
        while after["dsmil_loop_stalls_total"] == before["dsmil_loop_stalls_total"]:
            after = await told(served)

    assert after["dsmil_loop_lag_seconds"] > HELD_UP / 2


def test_a_loop_that_is_late_by_less_than_the_bar_has_no_stall() -> None:
    metrics = Metrics(StandingClock())

    metrics.note_lag(0.04)
    assert (metrics.stalls, metrics.loop_lag) == (0, 0.04)

    metrics.note_lag(0.06)
    metrics.note_lag(0.01)
    assert (metrics.stalls, metrics.loop_lag) == (1, 0.06)


def test_the_longest_lag_is_that_of_the_last_minute_and_stalls_are_counted_for_ever() -> None:
    clock = StandingClock()
    metrics = Metrics(clock)
    metrics.note_lag(0.2)

    clock.advance(WINDOW)
    metrics.note_lag(0.001)

    assert (metrics.stalls, metrics.loop_lag) == (1, 0.001)
