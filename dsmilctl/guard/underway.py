"""Under way: the changes that have gone to a driver and have not come back, broken off when a stop comes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from dsmilctl.model.device import DeviceId
from dsmilctl.model.emergency import Stop

T = TypeVar("T")

PERIOD = 0.02
"""Seconds between two looks at the latch while a driver takes its time; another process may have latched."""


class BrokenOff(Exception):
    """A stop came while the driver was at work; nobody knows how far it got."""

    def __init__(self, stop: Stop) -> None:
        super().__init__(stop.stop_id)
        self.stop = stop


class _Call:
    """One call of a driver, and the stop that broke it off."""

    __slots__ = ("device_id", "stop", "task")

    def __init__(self, device_id: DeviceId, task: asyncio.Task[Any]) -> None:
        self.device_id = device_id
        self.task = task
        self.stop: Stop | None = None


class Underway:
    """The calls of drivers that change devices.  `in_force` tells the stops there are."""

    def __init__(self, in_force: Callable[[], Sequence[Stop]]) -> None:
        self._in_force = in_force
        self._calls: set[_Call] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def run(self, device_id: DeviceId, work: Awaitable[T]) -> T:
        """Await what changes a device; raises BrokenOff when a stop of that device comes meanwhile."""
        task = asyncio.current_task()
        assert task is not None  # a coroutine runs in a task
        call, cancelling = _Call(device_id, task), task.cancelling()
        self._calls.add(call)
        self._watch()
        try:
            return await work
        except asyncio.CancelledError:
            if call.stop is not None and task.uncancel() <= cancelling:
                raise BrokenOff(call.stop) from None
            raise
        finally:
            self._calls.discard(call)

    def break_off(self) -> None:
        """Break off every call to a device that a stop holds now."""
        stops = self._in_force() if self._calls else ()
        if not stops:
            return
        for call in self._calls:
            held = next((stop for stop in stops if stop.covers(call.device_id)), None)
            if held is not None and call.stop is None:
                call.stop = held
                call.task.cancel()

    def _watch(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PERIOD, self._look)

    def _look(self) -> None:
        self._timer = None
        self.break_off()
        if self._calls:
            self._watch()
