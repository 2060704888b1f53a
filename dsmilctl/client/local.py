"""LocalClient: the client interface over drivers in this process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from dsmilctl.client.bulks import Bulks
from dsmilctl.client.interface import (
    LIFECYCLE_VERBS,
    BulkOptions,
    Client,
    ContextInfo,
    DriverInfo,
    HistoryQuery,
)
from dsmilctl.client.local_drivers import InstalledDrivers
from dsmilctl.client.local_status import FleetStatus
from dsmilctl.drivers.managed import Managed
from dsmilctl.errors import DSMILError, InvalidParameter, StateUnavailable, nearest
from dsmilctl.fleet.bus import Policy, Stream
from dsmilctl.fleet.fleet import Fleet, registers_of
from dsmilctl.fleet.memory import Memory
from dsmilctl.fleet.poll import Poll, Target
from dsmilctl.guard.guard import Guard
from dsmilctl.guard.journal import Journal
from dsmilctl.guard.latch import Latch
from dsmilctl.guard.stop import StopControl
from dsmilctl.model.audit import AuditRecord, AuditVerdict
from dsmilctl.model.device import Device, DeviceState, DeviceStatus, show_id
from dsmilctl.model.emergency import Confirmation, Stop
from dsmilctl.model.event import Event
from dsmilctl.model.identity import Identity
from dsmilctl.model.operation import BulkResult, Operation, Request, bulk_status, summarize
from dsmilctl.model.reading import Batch, Gap, Quality, Reading, Span
from dsmilctl.model.selector import EVERYTHING, Selector

LOGGER = logging.getLogger("dsmilctl.client")
QUEUE = 64
"""Batches that a stream keeps for a receiver that is busy."""


class LocalClient(Client):
    """One open local fleet: its devices, its guard, its stop."""

    def __init__(
        self,
        *,
        context: ContextInfo,
        identity: Identity,
        fleet: Fleet,
        guard: Guard,
        stop_control: StopControl,
        latch: Latch,
        journal: Journal,
        bulks: Bulks,
        memory: Memory,
        installed: InstalledDrivers,
    ) -> None:
        self.context = context
        self.identity = identity
        self._fleet = fleet
        self._guard = guard
        self._stop_control = stop_control
        self._latch = latch
        self._journal = journal
        self._bulks = bulks
        self._memory = memory
        self._installed = installed
        self._opened = False
        self._settled = False

    async def open(self) -> None:
        """Load the drivers; devices are reached when they are asked for."""
        if not self._opened:
            await self._fleet.open()
            self._opened = True

    async def close(self) -> None:
        """Close every device and keep what was learnt of it."""
        if self._opened:
            self._memory.keep((await self._fleet.all()).values() if self._fleet.discovered else ())
            await self._fleet.close()
            self._opened = False

    async def devices(self, selector: Selector = EVERYTHING, *, quarantined: bool = False) -> list[Device]:
        """The devices that the selector names."""
        return await self._fleet.select(selector, quarantined=quarantined)

    async def statuses(self, devices: Sequence[Device]) -> list[DeviceStatus]:
        """The state of each device; of one that this process did not touch, the state last known."""
        known = await self._fleet.all()
        remembered = self._memory.load()
        statuses = []
        for device in devices:
            managed = known[device.device_id]
            untouched = managed.state is DeviceState.DISCOVERED and managed.last_seen is None
            statuses.append(remembered.get(device.device_id, managed.status) if untouched else managed.status)
        return statuses

    async def read(
        self,
        devices: Sequence[Device],
        registers: Sequence[str] = (),
        *,
        span: Span | None = None,
        options: BulkOptions | None = None,
    ) -> list[Reading]:
        """Readings in the order of the devices; quarantined devices give denied readings."""
        targets = await self._targets(devices, registers)
        allowed, denied = self._judge(targets)
        concurrency = (options or BulkOptions()).concurrency
        readings = await self._fleet.read(allowed, span=span, concurrency=concurrency) if allowed else []
        if not denied:
            return readings
        await self._record_denied(denied)
        return self._in_order(targets, readings, denied)

    async def _targets(self, devices: Sequence[Device], registers: Sequence[str]) -> list[Target]:
        known = await self._fleet.all()
        tables = registers_of(devices, registers)
        return [(known[device.device_id], table) for device, table in zip(devices, tables, strict=True)]

    def _judge(self, targets: Sequence[Target]) -> tuple[list[Target], dict[str, DSMILError]]:
        allowed, denied = [], {}
        for target in targets:
            try:
                self._guard.checks.read(target[0])
            except DSMILError as error:
                denied[target[0].device.shown_id] = error
            else:
                allowed.append(target)
        return allowed, denied

    async def _record_denied(self, denied: dict[str, DSMILError]) -> None:
        try:
            await self._guard.record_denied_reads(denied)
        except StateUnavailable as error:
            LOGGER.error("a refused read could not be journalled: %s", error)

    def _in_order(
        self, targets: Sequence[Target], readings: Sequence[Reading], denied: dict[str, DSMILError]
    ) -> list[Reading]:
        rest, ordered = iter(readings), list[Reading]()
        for managed, table in targets:
            error = denied.get(managed.device.shown_id)
            if error is None:
                ordered.extend(next(rest) for _ in table)
            else:
                ordered.extend(self._denied_reading(managed, register.name, error) for register in table)
        return ordered

    def _denied_reading(self, managed: Managed, register: str, error: DSMILError) -> Reading:
        return Reading(
            device_id=managed.device.device_id,
            register=register,
            value=None,
            timestamp=self._fleet.clock.now(),
            quality=Quality.BAD,
            error=error.message,
            error_code=error.code,
        )

    async def change(self, request: Request) -> Operation:
        """Carry out one guarded change; raises the refusal."""
        await self._settle()
        return await self._guard.change(await self._fleet.managed(request.device_id), request)

    async def change_many(
        self,
        requests: Sequence[Request],
        *,
        options: BulkOptions | None = None,
        progress: Callable[[Operation], None] | None = None,
    ) -> BulkResult:
        """Carry out many guarded changes and keep the result, so that it can be undone."""
        await self._settle()
        chosen = options or BulkOptions()
        wanted = [(await self._fleet.managed(request.device_id), request) for request in requests]
        operations = await self._guard.change_many(
            wanted, concurrency=chosen.concurrency, stop_on_error=chosen.stop_on_error, progress=progress
        )
        summary = summarize([operation.status for operation in operations])
        result = BulkResult(self._bulks.new_id(), bulk_status(summary), summary, tuple(operations))
        if not any(request.dry_run for request in requests):
            self._bulks.keep(result)
        return result

    async def _settle(self) -> None:
        """Once per process: changes whose end a crashed process took along are read back and recorded."""
        if not self._settled:
            self._settled = True
            await self._guard.settle(await self._fleet.all())

    async def bulk(self, bulk_id: str) -> BulkResult:
        """What became of a bulk."""
        return self._bulks.get(bulk_id)

    async def undo_requests(self, bulk_id: str) -> list[Request]:
        """The writes that would put back what a bulk changed."""
        return self._bulks.undo(bulk_id)

    async def lifecycle(self, verb: str, devices: Sequence[Device]) -> list[DeviceStatus]:
        """Carry out a lifecycle verb on each device; a failure shows in its state and reason."""
        if verb not in LIFECYCLE_VERBS:
            hint = nearest(verb, LIFECYCLE_VERBS) or f"verbs: {', '.join(LIFECYCLE_VERBS)}"
            raise InvalidParameter(f"no lifecycle verb {verb!r}", hint=hint, target=verb)
        known = await self._fleet.all()
        chosen = [known[device.device_id] for device in devices]
        return list(await asyncio.gather(*(self._walk(verb, managed) for managed in chosen)))

    async def _walk(self, verb: str, managed: Managed) -> DeviceStatus:
        act = {
            "initialize": self._fleet.lifecycle.initialize,
            "connect": self._fleet.lifecycle.connect,
            "disconnect": self._fleet.lifecycle.disconnect,
            "cleanup": self._fleet.lifecycle.cleanup,
        }.get(verb)
        if act is None:
            return (await self.statuses([managed.device]))[0]
        try:
            await act(managed, self._fleet.deadline)
        except DSMILError as error:
            status = managed.status
            return DeviceStatus(status.device_id, status.state, error.message, status.since, status.last_seen)
        return managed.status

    async def stream(
        self,
        devices: Sequence[Device],
        registers: Sequence[str] = (),
        *,
        interval: float = 1.0,
        changes_only: bool = False,
    ) -> AsyncGenerator[Batch | Gap, None]:
        """A batch per tick; a receiver that is too slow gets a Gap, and then everything again."""
        targets, denied = self._judge(await self._targets(devices, registers))
        if denied:
            await self._record_denied(denied)
        stream: Stream[Batch] = Stream("readings")
        listener = stream.listen(Policy.DROP_OLDEST, QUEUE)
        poll = Poll(
            targets,
            self._fleet.lifecycle,
            self._fleet.clock,
            stream.send,
            interval=interval,
            deadline=self._fleet.deadline,
            changes_only=changes_only,
        )
        polling = asyncio.create_task(poll.run())
        polling.add_done_callback(lambda task: stream.close())
        try:
            async for item in listener:
                if isinstance(item, Gap):
                    poll.forget()
                yield item
            await polling
        finally:
            polling.cancel()

    async def events(self) -> AsyncGenerator[Event | Gap, None]:
        """What happens in this fleet from now on."""
        listener = self._fleet.bus.events.listen()
        try:
            async for item in listener:
                yield item
        finally:
            listener.close()

    async def stop(
        self,
        devices: Sequence[Device] | None = None,
        *,
        reason: str = "",
        deadline: float = 2.0,
        scope: str = "@all",
        report: Callable[[Confirmation], None] | None = None,
    ) -> Stop:
        """Latch, then stop; when the drivers cannot be opened the latch stands and the error is raised."""
        chosen = None
        if devices is not None:
            known = await self._fleet.all()
            chosen = [known[device.device_id] for device in devices]
        stop = self._stop_control.engage(reason or f"ordered by {self.identity.user}", scope, chosen)
        if chosen is None:
            await self.open()
            chosen = list((await self._fleet.all()).values())
        return await self._stop_control.drive(stop, chosen, deadline, report)

    async def stops(self) -> list[Stop]:
        """The stops in force, also one that could not be latched on disk."""
        return [*self._latch.stops(), *self._stop_control.unlatched]

    async def stop_history(self, limit: int = 50) -> list[Stop]:
        """The stops there were, newest first."""
        return self._latch.history(limit)

    async def release(self, stop_id: str = "", *, justification: str, approval: str = "") -> list[Stop]:
        """End one stop, or all; the policy may ask for a justification."""
        del approval  # a local fleet knows one person only
        self._guard.check_release(justification)
        return await self._stop_control.release(stop_id, justification)

    async def audit(self, query: HistoryQuery) -> list[AuditRecord]:
        """Records of the journal of this user, newest first."""
        return await asyncio.to_thread(
            lambda: self._journal.records(
                limit=query.limit,
                since=query.since,
                until=query.until,
                action=query.action,
                outcome=query.outcome,
                user=query.user,
                target="" if query.device_id is None else show_id(query.device_id),
                context="" if query.device_id is None else self.context.name,
            )
        )

    async def audit_verify(self, anchor: str = "") -> AuditVerdict:
        """Check the journal's chain."""
        return await asyncio.to_thread(self._journal.verify, anchor)

    async def audit_export(self, destination: Path) -> dict[str, Any]:
        """Write where the journal ends into a small file."""
        anchor = await asyncio.to_thread(self._journal.export, destination)
        return dict(msgspec.structs.asdict(anchor))

    async def audit_restart(self, reason: str) -> AuditRecord:
        """Go on in a new segment behind a damaged journal."""
        return await asyncio.to_thread(self._journal.restart, reason, self.identity.user)

    async def drivers(self) -> list[DriverInfo]:
        """Every installed driver."""
        return self._installed.all()

    async def set_driver(self, name: str, *, enabled: bool, reason: str) -> DriverInfo:
        """Enable or disable a driver; its devices are closed first."""
        known = (await self._fleet.all()).values() if self._fleet.discovered else ()
        for managed in known:
            if not enabled and managed.driver.name == name and managed.connected:
                await self._fleet.lifecycle.disconnect(managed, self._fleet.deadline)
        return self._installed.switch(name, enabled=enabled, reason=reason)

    async def forget(self) -> int:
        """Drop what the drivers keep of their devices (what was written to simulated ones)."""
        return sum([await driver.forget() for driver in self._fleet.drivers.values()])

    @property
    def _status(self) -> FleetStatus:
        return FleetStatus(self.context, self._fleet, self._latch, self._journal, self._guard.checks.policy)

    async def system_status(self) -> dict[str, Any]:
        """What the fleet is made of and how it is."""
        return await self._status.status(await self.statuses(await self.devices(quarantined=True)))

    async def capabilities(self) -> dict[str, Any]:
        """What this context can do."""
        return await self._status.capabilities()

    async def health(self) -> dict[str, Any]:
        """Whether each part works."""
        return await self._status.health()
