"""Switchboard: brings what happens in the server to the connections that are to hear of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

import msgspec

from dsmilctl.client.interface import Client, HistoryQuery
from dsmilctl.clock import Clock, rfc3339
from dsmilctl.errors import DSMILError
from dsmilctl.model.device import DeviceId
from dsmilctl.model.emergency import REASON_PREFIX
from dsmilctl.model.event import Event
from dsmilctl.model.identity import Clearance, Identity
from dsmilctl.model.operation import Operation, OperationStatus, OperationType
from dsmilctl.model.reading import Gap, Quality, Reading
from dsmilctl.server.metrics import Metrics
from dsmilctl.server.presenting import audit_line, stop_info
from dsmilctl.server.push.feeds import Feeds
from dsmilctl.server.push.outbox import Letter
from dsmilctl.server.push.ticks import ENCODER
from dsmilctl.wire.emergency import StopInfo
from dsmilctl.wire.operations import BulkAnswer

LOGGER = logging.getLogger("dsmilctl.server")
LOOK_AT_STOPS = 0.25
LOOK_AT_JOURNAL = 0.5
LOOK_AT_SESSIONS = 2.0
MOST_RECORDS = 500
AT_ONCE = 50
"""Connections that are checked before others get a turn on the event loop."""
ALARMING = frozenset(
    ("AUTHENTICATION_FAILED", "ACCOUNT_LOCKED", "PERMISSION_DENIED", "DEVICE_QUARANTINED", "MFA_REQUIRED")
)


class Receiver(Protocol):
    """A connection, as the switchboard knows it.  No call may wait."""

    identity: Identity

    def hear(self, letter: Letter, subscription: str = "") -> None:
        """Take a letter; with `subscription` only if that is subscribed to."""
        ...

    def hear_emergency(self, letter: Letter) -> None:
        """Take a letter that passes everything."""
        ...

    def check(self) -> None:
        """Look whether the session goes on and the heart beats."""
        ...

    def end(self, reason: str) -> None:
        """Close: the server ends."""
        ...


class Switchboard:
    """Everything that is pushed by one server."""

    def __init__(self, client: Client, clock: Clock, metrics: Metrics) -> None:
        self.feeds = Feeds(client, clock)
        self.clock = clock
        self.metrics = metrics
        self.receivers: set[Receiver] = set()
        self.closing = False
        self._client = client
        self._watches: list[asyncio.Task[None]] = []
        self._known_stops: set[str] | None = None
        self._stop_ordered = asyncio.Event()
        self._hushed: list[tuple[str, str]] = []
        self._last_record = -1

    def join(self, receiver: Receiver) -> None:
        """A connection begins to hear; the first one begins the watches."""
        self.receivers.add(receiver)
        if not self._watches and not self.closing:
            watches = (self._watch_events, self._watch_stops, self._watch_journal, self._watch_sessions)
            self._watches = [asyncio.create_task(self._going_on(watch)) for watch in watches]

    def leave(self, receiver: Receiver) -> None:
        """A connection hears no more."""
        self.receivers.discard(receiver)

    async def close(self, reason: str = "the server ends") -> None:
        """Tell every connection, close it, and end every watch and feed."""
        if not self.closing:
            self.closing = True
            now = rfc3339(self.clock.now())
            self.maintenance(reason, starts_at=now, severity="WARNING")
            for receiver in tuple(self.receivers):
                receiver.end(reason)
        for watch in self._watches:
            watch.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)
        await self.feeds.close()

    # What happens

    def changed(self, identity: Identity, operation: Operation) -> None:
        """An operation on a device ended."""
        del identity
        if operation.status in (OperationStatus.PLANNED, OperationStatus.DENIED):
            return
        value = operation.read_back if operation.read_back is not None else operation.new
        if operation.type is OperationType.WRITE and operation.success:
            reading = Reading(
                device_id=operation.device_id,
                register=operation.register,
                value=value,
                timestamp=self.clock.now(),
                quality=Quality.GOOD,
            )
            self.feeds.changed(reading, operation.type.value)
        else:
            self.feeds.look(operation.device_id)

    def bulk_ended(self, identity: Identity, bulk: BulkAnswer) -> None:
        """A bulk of this user ended."""
        told = {
            "bulk_operation_id": bulk.bulk_operation_id,
            "status": bulk.status,
            "summary": bulk.summary,
            "execution_time_ms": bulk.execution_time_ms,
        }
        self._tell("BULK_OPERATION_COMPLETE", told, of=lambda other: other.user == identity.user)

    def stopped(self, stop: StopInfo) -> None:
        """An emergency stop: everybody is told once, before everything else."""
        if self._known_stops is not None:
            if stop.stop_id in self._known_stops:
                return
            self._known_stops.add(stop.stop_id)
        if (stop.triggered_by.partition("@")[0], stop.reason.removeprefix(REASON_PREFIX)) in self._hushed:
            return
        for receiver in tuple(self.receivers):
            receiver.hear_emergency(stop_letter(stop))

    @contextmanager
    def hushed(self, identity: Identity, reason: str) -> Iterator[None]:
        """Tell nobody of the stop that this user orders meanwhile for this reason; others are told of."""
        order = (identity.user, reason)
        self._hushed.append(order)
        try:
            yield
        finally:
            self._hushed.remove(order)

    async def stops(self) -> list[Letter]:
        """The stops in force, for a connection that begins."""
        return [stop_letter(stop_info(stop)) for stop in await self._client.stops()]

    def maintenance(
        self, message: str, *, starts_at: str, ends_at: str | None = None, severity: str = "INFO"
    ) -> None:
        """Announce a maintenance to everybody."""
        told = {"message": message, "starts_at": starts_at, "ends_at": ends_at, "severity": severity}
        self._tell("SYSTEM_MAINTENANCE", told)

    def refused(self, error: DSMILError, identity: Identity | None, address: str, what: str) -> None:
        """A request was refused: its user is told of a rate limit, the guards of security of an alarm."""
        if error.code == "RATE_LIMITED" and identity is not None:
            told = {"retry_after": getattr(error, "retry_after", 1.0), "limit": error.message}
            self._tell("CLIENT_RATE_LIMITED", told, of=lambda other: other.user == identity.user)
        elif error.code in ALARMING:
            alarm = {
                "code": error.code,
                "message": error.message,
                "user": identity.user if identity else "",
                "address": address,
                "request": what,
                "severity": "HIGH" if error.code in ("ACCOUNT_LOCKED", "DEVICE_QUARANTINED") else "MEDIUM",
                "timestamp": rfc3339(self.clock.now()),
            }
            self._tell("SECURITY_ALERT", alarm, "security_alerts")

    def _tell(
        self,
        kind: str,
        told: object,
        subscription: str = "",
        of: Callable[[Identity], bool] = lambda identity: True,
    ) -> None:
        letter: Letter | None = None
        for receiver in tuple(self.receivers):
            if of(receiver.identity):
                letter = letter or Letter(kind, ENCODER.encode(told))
                receiver.hear(letter, subscription)

    # Watches

    async def _going_on(self, watch: Callable[[], Any]) -> None:
        """A watch that fails begins anew: nobody must go unwarned because a file could not be read once."""
        while True:
            try:
                await watch()
            except Exception:  # whatever it was is logged and tried again
                LOGGER.exception("a watch of the server failed")
            await asyncio.sleep(1.0)

    async def _watch_events(self) -> None:
        async for event in self._client.events():
            if isinstance(event, Gap):
                self._tell("GAP", {"missed": event.missed}, "system_events")
            else:
                self._tell_event(event)

    def _tell_event(self, event: Event) -> None:
        told = {
            "event_type": event.type,
            "message": event.message,
            "severity": event.severity.name,
            "device_id": event.device_id,
            "timestamp": rfc3339(event.timestamp),
        }
        device_id = event.device_id
        self._tell("SYSTEM_EVENT", told, "system_events", lambda other: _may_see(other, device_id))
        if event.type == "emergency.stop":
            self._stop_ordered.set()
        if event.type == "guard.journal":
            self._tell("SECURITY_ALERT", told, "security_alerts")

    async def _watch_stops(self) -> None:
        """A stop that another process ordered is in the latch alone."""
        while True:
            stops = await self._client.stops()
            if self._known_stops is None:
                self._known_stops = {stop.stop_id for stop in stops}
            for stop in stops:
                self.stopped(stop_info(stop))
            self._stop_ordered.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AT_STOPS):
                    await self._stop_ordered.wait()

    async def _watch_journal(self) -> None:
        while True:
            if any(receiver.identity.clearance >= Clearance.TOP_SECRET for receiver in self.receivers):
                records = await self._client.audit(HistoryQuery(limit=MOST_RECORDS))
                for record in reversed(records):
                    if record.sequence > self._last_record >= 0:
                        self._tell("AUDIT_EVENT", audit_line(record), "audit_events")
                if records:
                    self._last_record = max(self._last_record, records[0].sequence)
                self._last_record = max(self._last_record, 0)
            else:
                self._last_record = -1
            await asyncio.sleep(LOOK_AT_JOURNAL)

    async def _watch_sessions(self) -> None:
        while True:
            for number, receiver in enumerate(tuple(self.receivers), 1):
                receiver.check()
                if number % AT_ONCE == 0:
                    await asyncio.sleep(0)
            await asyncio.sleep(LOOK_AT_SESSIONS)


def stop_letter(stop: StopInfo) -> Letter:
    """A stop as everybody is told of it."""
    told: dict[str, Any] = msgspec.to_builtins(stop)
    told |= {"severity": "CRITICAL", "message": stop.reason}
    return Letter("EMERGENCY_BROADCAST", ENCODER.encode(told))


def _may_see(identity: Identity, device_id: DeviceId | None) -> bool:
    return device_id is None or identity.may_see(device_id)
