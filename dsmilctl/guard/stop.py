"""Emergency stop: latch first, then drive every device to its safe state at once, and say who confirmed."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

import msgspec

from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.drivers.lifecycle import Lifecycle
from dsmilctl.errors import DSMILError, NotFound, StateUnavailable
from dsmilctl.guard.driving import Crew, Driving, Report, silence
from dsmilctl.guard.evidence import Evidence, unheard
from dsmilctl.guard.journal import Entry
from dsmilctl.guard.latch import Latch
from dsmilctl.guard.plan import Plan
from dsmilctl.model.device import DeviceId, show_id
from dsmilctl.model.emergency import REASON_PREFIX, Stop
from dsmilctl.model.event import Event, Severity

LOGGER = logging.getLogger("dsmilctl.guard.stop")

PATIENCE = 1.0
"""Seconds that a stop waits for the journal and the history, when the devices are stopped already."""


class Unlatched:
    """The stops of one fleet that could be kept in memory alone, whoever ordered them."""

    def __init__(self) -> None:
        self.stops: tuple[Stop, ...] = ()
        self._lock = threading.Lock()

    def add(self, stop: Stop) -> None:
        """Keep one more; a release may be under way in another thread."""
        with self._lock:
            self.stops += (stop,)

    def take(self, ids: AbstractSet[str]) -> list[Stop]:
        """Let go of those with these ids; which there were."""
        with self._lock:
            gone = [stop for stop in self.stops if stop.stop_id in ids]
            self.stops = tuple(stop for stop in self.stops if stop.stop_id not in ids)
        return gone


class StopControl:
    """Stops a fleet and releases it again."""

    def __init__(
        self,
        *,
        latch: Latch,
        evidence: Evidence,
        lifecycle: Lifecycle,
        clock: Clock = SYSTEM,
        announce: Callable[[Event], None] = unheard,
        memory: Unlatched | None = None,
    ) -> None:
        self._latch = latch
        self._evidence = evidence
        self._lifecycle = lifecycle
        self._clock = clock
        self._announce = announce
        self._memory = memory or Unlatched()

    def in_force(self) -> tuple[Stop, ...]:
        """Every stop in force, oldest first, also those that could be kept in memory alone."""
        return (*self._latch.stops(), *self._memory.stops)

    def require_standing(self, stop_id: str) -> None:
        """Raise NotFound for the id of a stop that is not in force; without an id any stop will do."""
        standing = [stop.stop_id for stop in self.in_force()]
        if stop_id and stop_id not in standing:
            message = f"no emergency stop {stop_id!r} is in force"
            hint = f"in force: {', '.join(standing) or 'none'}"
            raise NotFound(message, hint=hint, target=stop_id)

    def holding(self, device_id: DeviceId) -> Stop | None:
        """The stop that holds a device, if any."""
        for stop in self._memory.stops:
            if stop.covers(device_id):
                return stop
        return self._latch.holding(device_id)

    def engage(self, reason: str, scope: str, devices: Sequence[DeviceId] | None) -> Stop:
        """Latch a stop of these devices, or of all.

        A latch that cannot be written holds nothing up: the stop is kept in memory then, and says so.
        """
        begun = self._clock.monotonic()
        who = self._evidence.identity
        stop = Stop(
            stop_id=f"stop-{os.urandom(4).hex()}",
            scope=scope,
            reason=reason if reason.startswith(REASON_PREFIX) else REASON_PREFIX + reason,
            triggered_by=f"{who.user}@{who.host}",
            triggered_at=self._clock.now(),
            devices=tuple(devices or ()),
        )
        if devices is not None and not devices:
            return stop  # a stop of nobody holds nobody: an empty scope in the latch would mean everything
        stop = self._latched(stop)
        elapsed = (self._clock.monotonic() - begun) * 1000
        self._announce(Event("emergency.stop", stop.reason, self._clock.now(), Severity.CRITICAL))
        return msgspec.structs.replace(stop, latched_ms=elapsed)

    def _latched(self, stop: Stop) -> Stop:
        """The same stop in force; where its latch does not lie where it should it says why."""
        try:
            error = self._latch.engage(stop)
        except StateUnavailable as problem:
            hint = f" ({problem.hint})" if problem.hint else ""
            told = f"{problem.message}; it holds as long as this process runs{hint}"
            unlatched = msgspec.structs.replace(stop, latched=False, latch_error=told)
            self._memory.add(unlatched)
            return unlatched
        if not error:
            return stop
        told = f"{error} until that can be written; a logout or a new start of this machine may end it before"
        return msgspec.structs.replace(stop, latch_error=told)

    def withdraw(self, stop: Stop) -> None:
        """Let go of a stop of ids that no device has, before anybody was told of it."""
        self._memory.take({stop.stop_id})
        try:
            self._latch.withdraw(stop)
        except StateUnavailable as error:
            LOGGER.error("%s holds ids that no device has: %s", stop.stop_id, error)

    async def drive(
        self, stop: Stop, crews: Sequence[Crew], deadline: float, report: Report = silence
    ) -> Stop:
        """Drive every device to its safe state until it confirms or the deadline (seconds) is over."""
        intent = asyncio.create_task(self._record(stop, "INTENT"))
        run = Driving(self._lifecycle, self._clock, deadline, report)
        try:
            await run.all(crews)
        finally:
            stop = msgspec.structs.replace(stop, confirmations=tuple(run.confirmations()))
            await asyncio.shield(self._conclude(stop, intent))
        return stop

    async def _conclude(self, stop: Stop, intent: asyncio.Task[None]) -> None:
        """Keep and journal what the devices answered; nobody waits long for a disk."""
        where = stop.latch_error or "the latch is on disk"
        LOGGER.info("%s engaged in %.1f ms, scope %s: %s", stop.stop_id, stop.latched_ms, stop.scope, where)
        LOGGER.info(
            "%s driven: %d confirmed, %d not", stop.stop_id, len(stop.confirmed), len(stop.unconfirmed)
        )
        outcome = asyncio.create_task(self._record(stop, "FAILED" if stop.unconfirmed else "SUCCESS"))
        keeping = asyncio.create_task(asyncio.to_thread(self._keep, stop))
        _, late = await asyncio.wait((intent, outcome, keeping), timeout=PATIENCE)
        if late:
            LOGGER.error("%s is not in the journal yet: a disk or another process is slow", stop.stop_id)

    def _keep(self, stop: Stop) -> None:
        try:
            self._latch.update(stop)
        except DSMILError as error:
            LOGGER.error("the confirmations of %s could not be kept: %s", stop.stop_id, error)

    async def _record(self, stop: Stop, outcome: str) -> None:
        parameters: dict[str, object] = {
            "reason": stop.reason,
            "scope": stop.scope,
            "latch_error": stop.latch_error,
        }
        if outcome != "INTENT":
            unconfirmed = [show_id(device_id) for device_id in stop.unconfirmed]
            parameters |= {"confirmed": len(stop.confirmed), "unconfirmed": unconfirmed}
        entry = self._evidence.entry(
            "emergency.stop", stop.stop_id, outcome, parameters, operation_id=stop.stop_id
        )
        await self._evidence.record_if_possible([entry])

    async def release(self, stop_id: str, justification: str, standing: AbstractSet[str]) -> list[Stop]:
        """End one stop, or all that were `standing` when `stop_id` is empty; what was released.

        The journal has to take the intent first; what is begun then is brought to its end and recorded, also
        when somebody breaks it off.  Raises NotFound for an id that is not in force, and StateUnavailable
        when the journal or the latch cannot be written.
        """
        operation_id, target = Plan.new_id(), stop_id or "all"

        def entry(outcome: str, parameters: dict[str, object]) -> Entry:
            return self._evidence.entry(
                "emergency.release", target, outcome, parameters, operation_id=operation_id
            )

        await self._evidence.record([entry("INTENT", {"justification": justification})])
        ending = asyncio.ensure_future(self._end(stop_id, standing, entry))
        try:
            return await asyncio.shield(ending)
        except asyncio.CancelledError:
            await asyncio.wait((ending,))
            if not ending.cancelled() and (error := ending.exception()):
                LOGGER.error("the release of %s, broken off, failed: %s", target, error)
            raise

    async def _end(
        self, stop_id: str, standing: AbstractSet[str], entry: Callable[[str, dict[str, object]], Entry]
    ) -> list[Stop]:
        """End stops and journal which have ended, also when others have not."""
        released: list[Stop] = []
        outcome, known = "UNKNOWN", dict[str, object]()
        try:
            await asyncio.to_thread(self._release, stop_id, standing, released.append)
            outcome = "SUCCESS"
        except DSMILError as error:
            outcome, known = "FAILED", {"code": error.code, "error": error.message}
            raise
        finally:
            if released or outcome == "SUCCESS":
                self._tell(released)
            known["released"] = [stop.stop_id for stop in released]
            await self._evidence.record_if_possible([entry(outcome, known)])
        return released

    def _tell(self, released: Sequence[Stop]) -> None:
        names = ", ".join(stop.stop_id for stop in released) or "nothing"
        LOGGER.info("%s released by %s", names, self._evidence.identity.user)
        self._announce(Event("emergency.release", f"{names} released", self._clock.now(), Severity.WARNING))

    def _release(self, stop_id: str, standing: AbstractSet[str], ended: Callable[[Stop], None]) -> None:
        """Those in memory too; one that lies nowhere else is no reason to say that there is none."""
        who = f"{self._evidence.identity.user}@{self._evidence.identity.host}"
        wanted = {stop_id} if stop_id else standing
        in_memory = {stop.stop_id for stop in self._memory.stops if stop.stop_id in wanted}
        try:
            self._latch.release(stop_id, who, standing, ended)
        except NotFound:
            if not in_memory:
                raise
        for stop in self._memory.take(in_memory):
            ended(msgspec.structs.replace(stop, released_by=who, released_at=self._clock.now()))
