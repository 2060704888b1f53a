"""Workers: threads for what may wait for a sensor; a stuck one holds up neither the others nor the end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

FEW = 4
"""Threads that work side by side without need.  More of them would only take time from the event loop."""

PATIENCE = 0.02
"""Seconds that a job waits for one of the few before it gets a thread of its own."""

IDLE = 10.0
"""Seconds after which a thread without work ends."""


class Workers:
    """Runs functions in threads that are not waited for at the end of the program.

    There are few of them as long as they get on; when they are stuck there are as many as there are jobs.
    (Asyncio's own pool is limited, and it is waited for.)
    """

    def __init__(self) -> None:
        from queue import SimpleQueue

        self._jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._lock = threading.Lock()
        self._unfinished = 0
        self._threads = 0

    def start(self, function: Callable[[], T]) -> asyncio.Future[T]:
        """Begin to run `function`; the future brings what it returns or raises, to whoever still waits."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put(lambda: self._run(function, loop, future))
        with self._lock:
            self._unfinished += 1
        if not self._grow(FEW):
            loop.call_later(PATIENCE, self._grow)
        return future

    def _grow(self, most: int | None = None) -> bool:
        """Add a thread where there are more jobs than threads; False when `most` forbids it."""
        with self._lock:
            lacking = self._unfinished > self._threads
            if lacking and most is not None and self._threads >= most:
                return False
            self._threads += lacking
        if lacking:
            threading.Thread(target=self._work, name="dsmilctl-host", daemon=True).start()
        return True

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
            surplus = self._unfinished < self._threads
            self._threads -= surplus
        return surplus

    def _run(
        self, function: Callable[[], T], loop: asyncio.AbstractEventLoop, future: asyncio.Future[T]
    ) -> None:
        tell: Callable[[Any], None] = future.set_result
        outcome: Any
        try:
            outcome = function()
        except Exception as error:  # whatever it is, it is the answer to whoever asked
            tell, outcome = future.set_exception, error
        with self._lock:
            self._unfinished -= 1
        try:
            loop.call_soon_threadsafe(_settle, future, tell, outcome)
        except RuntimeError:
            return  # the loop is closed: nobody waits any more


def _settle(future: asyncio.Future[Any], tell: Callable[[Any], None], outcome: Any) -> None:
    if not future.done():
        tell(outcome)
