"""Polls: those of one fleet that are under way, so that closing the fleet ends them."""

from __future__ import annotations

import asyncio

from dsmilctl.fleet.poll import Poll


class Polls:
    """The polls of a fleet.  Once it is closed none asks a device any more, and none begins."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()
        self._over = False

    def open(self) -> None:
        """Let polls begin, again."""
        self._over = False

    def begin(self, poll: Poll) -> asyncio.Task[None]:
        """Poll from now on; the task is cancelled when the fleet is closed, at once where it is already."""
        running = asyncio.create_task(poll.run())
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        if self._over:
            running.cancel()
        return running

    async def end(self, patience: float) -> None:
        """End every poll; one whose driver does not let go of its question is left after so many seconds."""
        self._over = True
        for running in self._running:
            running.cancel()
        if self._running:
            await asyncio.wait(set(self._running), timeout=patience)
