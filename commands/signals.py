"""Signals: SIGINT, SIGTERM and SIGHUP let a command clean up; a second one does not wait for that."""

from __future__ import annotations

import asyncio
import signal
from types import FrameType, TracebackType
from typing import Any, Self

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """While it is entered, a signal cancels a task; a second one ends the command where it stands.

    A signal that whoever started the command has set to be ignored (`nohup`) stays ignored.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]) -> None:
        self._loop = loop
        self._task = task
        self._before: dict[signal.Signals, Any] = {}
        self.received: int | None = None

    def __enter__(self) -> Self:
        for number in ENDING:
            before = signal.getsignal(number)
            if before is not signal.SIG_IGN:
                self._before[number] = before
                signal.signal(number, self._receive)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    @property
    def exit_status(self) -> int:
        """128 and the number of the signal, as shells tell it."""
        return 128 + (self.received or signal.SIGTERM)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.received is not None:
            raise SystemExit(self.exit_status)
        self.received = number
        self._loop.call_soon_threadsafe(self._task.cancel)
