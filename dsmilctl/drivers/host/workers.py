"""Workers: threads for what may wait for a sensor, as many as wait at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

IDLE = 10.0
"""Seconds after which a thread without work ends."""


class Workers:
    """Runs functions in threads, neither limited in number nor waited for at the end of the program.

    Asyncio's own pool has few threads, so that some stuck sensors would hold up the others there, and the end
    of the program as well.
    """

    def __init__(self) -> None:
        from queue import SimpleQueue

        self._jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._lock = threading.Lock()
        self._free = 0

    def start(self, function: Callable[[], T]) -> asyncio.Future[T]:
        """Begin to run `function`; the future brings what it returns or raises, to whoever still waits."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put(lambda: self._run(function, loop, future))
        with self._lock:
            lacking = self._free == 0
            self._free -= 0 if lacking else 1
        if lacking:
            threading.Thread(target=self._work, name="dsmilctl-host", daemon=True).start()
        return future

    def _work(self) -> None:
        from queue import Empty

        while True:
            try:
                job = self._jobs.get(timeout=IDLE)
            except Empty:
                if self._may_end():
                    return
            else:
                job()

    def _may_end(self) -> bool:
        """Whether no job counts on this thread."""
        with self._lock:
            surplus = self._free > 0
            self._free -= 1 if surplus else 0
        return surplus

    def _run(
        self, function: Callable[[], T], loop: asyncio.AbstractEventLoop, future: asyncio.Future[T]
    ) -> None:
        outcome: tuple[Callable[[Any], None], Any]
        try:
            outcome = (future.set_result, function())
        except Exception as error:  # whatever it is, it is the answer to whoever asked
            outcome = (future.set_exception, error)
        with self._lock:
            self._free += 1
        try:
            loop.call_soon_threadsafe(_settle, future, *outcome)
        except RuntimeError:
            return  # the loop is closed: nobody waits any more


def _settle(future: asyncio.Future[Any], tell: Callable[[Any], None], outcome: Any) -> None:
    if not future.done():
        tell(outcome)
