"""Background: a thread with an event loop that keeps what a client tells, while a program works."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from dsmilctl.archive.writer import Writer
from dsmilctl.errors import DSMILError
from dsmilctl.recording.sources import Sources

if TYPE_CHECKING:
    from dsmilctl.client.interface import Client

LOGGER = logging.getLogger("dsmilctl.recording")
T = TypeVar("T")


class Background:
    """An open client on a thread of its own; close it.  Raises what opening the client raises.

    `problem` says what ended the recording before its time, empty while it goes on.
    """

    def __init__(self, make: Callable[[], Client]) -> None:
        self.problem = ""
        self._task: asyncio.Task[None] | None = None
        self._opened = AsyncExitStack()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="dsmil-recording", daemon=True)
        self._thread.start()
        try:
            self.client = self.call(self._open(make))
        except BaseException:
            self._end_thread()
            raise

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine over there, and wait for what it returns or raises."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def follow(self, sources: Sources, writer: Writer, begun: int) -> None:
        """Begin to record; returns when the first readings are there.  Raises what keeps it from that."""
        self.call(self._begin(sources, writer, begun))

    def close(self) -> None:
        """End the recording, close the client, end the thread."""
        try:
            self.call(self._end())
        finally:
            self._end_thread()

    async def _open(self, make: Callable[[], Client]) -> Client:
        return await self._opened.enter_async_context(make())

    async def _begin(self, sources: Sources, writer: Writer, begun: int) -> None:
        devices = await sources.chosen(self.client)
        recorder = await sources.recorder(self.client, writer, begun, devices, self._opened)
        first = asyncio.Event()
        self._task = asyncio.create_task(
            recorder.run(devices, sources.registers, interval=sources.interval, ready=first.set)
        )
        self._task.add_done_callback(self._note_end)
        waiting = asyncio.create_task(first.wait())
        await asyncio.wait((self._task, waiting), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self._task.done():
            await self._task

    def _note_end(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            found = _first(error)
            self.problem = found.message if isinstance(found, DSMILError) else str(found)
            LOGGER.error("the recording gets nothing more: %s", self.problem)

    async def _end(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError, Exception):  # what it was is in `problem`
                await self._task
        await self._opened.aclose()

    def _end_thread(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
