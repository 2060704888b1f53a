"""Stop: the emergency stop of the dashboard, in a thread of its own that waits for nothing on the screen.

The thread stands ready from the start.  Pulling the stop wakes it; it opens a client of its own on a loop of
its own, so that neither a busy event loop, nor a hanging driver, nor a modal dialog is in the way.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from enum import StrEnum
from queue import SimpleQueue
from typing import NamedTuple

import msgspec

from dsmilctl.client.interface import Client
from dsmilctl.clock import Clock
from dsmilctl.errors import AuthenticationError, OperationTimeout, Unreachable
from dsmilctl.model.device import Device
from dsmilctl.model.emergency import Confirmation, Stop

LOGGER = logging.getLogger("dsmilctl.tui")
REASON = "stop key of the dashboard"
AGAIN_AFTER = 3.0
"""Seconds after which another press starts another stop although the first one has not ended."""


TOLD_EVERY = 64
"""Confirmations between two messages to the screen."""


class Phase(StrEnum):
    """How far a stop has got."""

    PULLED = "pulled"
    LATCHED = "latched"
    ENDED = "ended"
    BROKEN = "broken"


class StopProgress(msgspec.Struct, frozen=True, kw_only=True):
    """One stop of a context as the screen shows it; times are milliseconds since the key was seen."""

    number: int
    context: str
    phase: Phase
    confirmed: int = 0
    unconfirmed: int = 0
    latched_ms: float | None = None
    ended_ms: float | None = None
    stop: Stop | None = None
    error: str = ""


class _Pull(msgspec.Struct):
    number: int
    context: str
    at: float
    devices: Sequence[Device] | None
    scope: str
    confirmed: int = 0
    unconfirmed: int = 0
    latched_ms: float | None = None


class _Running(NamedTuple):
    """A stop of everything in a context that has not ended, and when it was pulled."""

    context: str
    begun: float


class Stopper:
    """Pulls the stop.  `pull` may be called from any thread and returns at once."""

    def __init__(
        self, open_client: Callable[[str], Client], report: Callable[[StopProgress], None], clock: Clock
    ) -> None:
        self._open_client = open_client
        self._report = report
        self._clock = clock
        self._orders: SimpleQueue[_Pull | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._running: dict[int, _Running] = {}
        self._open_orders = 0
        self._number = 0
        self._idle = threading.Event()
        self._idle.set()
        self._attended = True
        self._begin_thread()

    def pull(self, context: str, devices: Sequence[Device] | None = None, scope: str = "@all") -> bool:
        """Stop `devices` of a context, or all of them; False when the same stop is under way already."""
        now = self._clock.monotonic()
        with self._lock:
            if devices is None and self._under_way_since(context, now - AGAIN_AFTER):
                return False
            self._number += 1
            order = _Pull(self._number, context, now, devices, scope)
            if devices is None:
                self._running[order.number] = _Running(context, now)
            self._open_orders += 1
            self._idle.clear()
        self._orders.put(order)
        if not self._attended:
            self._stand_ready()
        return True

    def _under_way_since(self, context: str, moment: float) -> bool:
        """Whether a stop of all of this context was pulled after that moment and has not ended."""
        return any(item.context == context and item.begun > moment for item in self._running.values())

    @property
    def under_way(self) -> bool:
        """Whether a stop has been pulled and has not ended."""
        return not self._idle.is_set()

    def close(self, patience: float) -> None:
        """Wait for a stop that is under way, then let the thread go."""
        self._idle.wait(patience)
        self._orders.put(None)

    def _begin_thread(self) -> None:
        threading.Thread(target=self._take_orders, name="dsmilctl-stop", daemon=True).start()

    def _stand_ready(self) -> None:
        """Have another thread wait for the next press, which must not wait for the stop of this one."""
        try:
            self._begin_thread()
        except RuntimeError as error:
            LOGGER.error("no thread for the next stop: %s", error)
            self._attended = False
        else:
            self._attended = True

    def _take_orders(self) -> None:
        """Take one order, and further ones where no other thread could be started for them."""
        while (order := self._orders.get()) is not None:
            self._stand_ready()
            self._obey(order)
            if self._attended:
                return

    def _obey(self, order: _Pull) -> None:
        try:
            asyncio.run(self._carry_out(order))
        except BaseException as error:  # the screen must hear of it, and the next order be taken
            LOGGER.exception("the emergency stop failed")
            self._tell(order, Phase.BROKEN, error=broken_text(error))
        finally:
            with self._lock:
                self._running.pop(order.number, None)
                self._open_orders -= 1
                if not self._open_orders:
                    self._idle.set()

    async def _carry_out(self, order: _Pull) -> None:
        """Stop by a client that is not open: it latches before it opens anything that could refuse."""
        self._tell(order, Phase.PULLED)
        client = self._open_client(order.context)
        try:
            begun = self._clock.monotonic()
            stop = await client.stop(
                order.devices, reason=REASON, scope=order.scope, report=lambda item: self._count(order, item)
            )
            order.latched_ms = (begun - order.at) * 1000 + stop.latched_ms
            order.confirmed, order.unconfirmed = len(stop.confirmed), len(stop.unconfirmed)
            self._tell(order, Phase.ENDED, stop=stop, ended_ms=self._since(order), error=stop.latch_error)
        finally:
            await client.close()

    def _count(self, order: _Pull, confirmation: Confirmation) -> None:
        if order.latched_ms is None:
            order.latched_ms = self._since(order)
        if confirmation.outcome.confirmed:
            order.confirmed += 1
        else:
            order.unconfirmed += 1
        if (order.confirmed + order.unconfirmed) % TOLD_EVERY == 1:
            self._tell(order, Phase.LATCHED)

    def _since(self, order: _Pull) -> float:
        return (self._clock.monotonic() - order.at) * 1000

    def _tell(
        self,
        order: _Pull,
        phase: Phase,
        *,
        stop: Stop | None = None,
        ended_ms: float | None = None,
        error: str = "",
    ) -> None:
        progress = StopProgress(
            number=order.number,
            context=order.context,
            phase=phase,
            confirmed=order.confirmed,
            unconfirmed=order.unconfirmed,
            latched_ms=order.latched_ms,
            ended_ms=ended_ms,
            stop=stop,
            error=error,
        )
        try:
            self._report(progress)
        except Exception:  # whatever ails the screen, the stop goes on
            LOGGER.exception("the screen could not be told of the emergency stop")


def broken_text(error: BaseException) -> str:
    """What went wrong with a stop, and what that means for the devices."""
    if isinstance(error, Unreachable | OperationTimeout):
        return f"NOTHING IS CONFIRMED, stop the devices by hand: {error}"
    if isinstance(error, AuthenticationError):
        return f"NOTHING WAS STOPPED, log in with L: {error}"
    return f"{type(error).__name__}: {error}"
