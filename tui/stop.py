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
    """One stop as the screen shows it; times are milliseconds since the key was seen."""

    number: int
    phase: Phase
    confirmed: int = 0
    unconfirmed: int = 0
    latched_ms: float | None = None
    ended_ms: float | None = None
    stop: Stop | None = None
    error: str = ""


class _Pull(msgspec.Struct):
    number: int
    at: float
    devices: Sequence[Device] | None
    scope: str
    confirmed: int = 0
    unconfirmed: int = 0
    latched_ms: float | None = None


class Stopper:
    """Pulls the stop.  `pull` may be called from any thread and returns at once."""

    def __init__(
        self, open_client: Callable[[], Client], report: Callable[[StopProgress], None], clock: Clock
    ) -> None:
        self._open_client = open_client
        self._report = report
        self._clock = clock
        self._orders: SimpleQueue[_Pull | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._running: dict[int, float] = {}
        self._open_orders = 0
        self._number = 0
        self._idle = threading.Event()
        self._idle.set()
        self._stand_ready()

    def pull(self, devices: Sequence[Device] | None = None, scope: str = "@all") -> bool:
        """Stop `devices`, or everything; False when the same stop is under way already."""
        now = self._clock.monotonic()
        with self._lock:
            if devices is None and any(now - begun < AGAIN_AFTER for begun in self._running.values()):
                return False
            self._number += 1
            order = _Pull(self._number, now, devices, scope)
            if devices is None:
                self._running[order.number] = now
            self._open_orders += 1
            self._idle.clear()
        self._orders.put(order)
        return True

    @property
    def under_way(self) -> bool:
        """Whether a stop has been pulled and has not ended."""
        return not self._idle.is_set()

    def close(self, patience: float) -> None:
        """Wait for a stop that is under way, then let the thread go."""
        self._idle.wait(patience)
        self._orders.put(None)

    def _stand_ready(self) -> None:
        threading.Thread(target=self._wait_for_order, name="dsmilctl-stop", daemon=True).start()

    def _wait_for_order(self) -> None:
        order = self._orders.get()
        if order is None:
            return
        try:
            self._stand_ready()  # the next press must not wait for this one
        except RuntimeError as error:
            LOGGER.error("no thread for a second stop: %s", error)
        try:
            asyncio.run(self._carry_out(order))
        except Exception as error:  # the screen must hear of it, whatever it was
            LOGGER.exception("the emergency stop failed")
            self._tell(order, Phase.BROKEN, error=broken_text(error))
        finally:
            with self._lock:
                self._running.pop(order.number, None)
                self._open_orders -= 1
                if not self._open_orders:
                    self._idle.set()

    async def _carry_out(self, order: _Pull) -> None:
        """A client latches before it opens anything, so only a stop of some devices opens it first."""
        self._tell(order, Phase.PULLED)
        client = self._open_client()
        try:
            if order.devices is not None:
                await client.open()
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
        self._report(
            StopProgress(
                number=order.number,
                phase=phase,
                confirmed=order.confirmed,
                unconfirmed=order.unconfirmed,
                latched_ms=order.latched_ms,
                ended_ms=ended_ms,
                stop=stop,
                error=error,
            )
        )


def broken_text(error: Exception) -> str:
    """What went wrong with a stop, and what that means for the devices."""
    if isinstance(error, Unreachable | OperationTimeout):
        return f"NOTHING IS CONFIRMED, stop the devices by hand: {error}"
    if isinstance(error, AuthenticationError):
        return f"NOTHING WAS STOPPED, log in with L: {error}"
    return f"{type(error).__name__}: {error}"
