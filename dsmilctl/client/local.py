"""LocalClient: the client interface over drivers in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
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
    one_person,
)
from dsmilctl.client.local_alarms import WatchedAlarms
from dsmilctl.client.local_approvals import Consents
from dsmilctl.client.local_bulks import LocalBulks
from dsmilctl.client.local_drivers import InstalledDrivers
from dsmilctl.client.local_guarded import forget_all, number_of, records_of, switch_driver
from dsmilctl.client.local_readings import RecordedReadings
from dsmilctl.client.local_reads import Reads
from dsmilctl.client.local_status import FleetStatus
from dsmilctl.client.local_stops import LocalStops
from dsmilctl.client.local_walk import Walk
from dsmilctl.client.standing import Standing, standing
from dsmilctl.drivers.managed import Managed
from dsmilctl.errors import InvalidParameter, nearest
from dsmilctl.fleet.bus import each
from dsmilctl.fleet.fleet import Fleet
from dsmilctl.fleet.memory import Memory
from dsmilctl.guard.guard import Guard
from dsmilctl.guard.holds import Holds
from dsmilctl.guard.journal import Journal
from dsmilctl.guard.latch import Latch
from dsmilctl.guard.permissions import permissions_of
from dsmilctl.guard.places import Places
from dsmilctl.guard.settling import Settling
from dsmilctl.guard.stop import StopControl
from dsmilctl.model.approval import Approval
from dsmilctl.model.audit import AuditRecord, AuditVerdict
from dsmilctl.model.device import Device, DeviceId, DeviceState, DeviceStatus
from dsmilctl.model.emergency import Confirmation, Stop
from dsmilctl.model.event import Event
from dsmilctl.model.identity import Identity
from dsmilctl.model.operation import Operation, Request
from dsmilctl.model.reading import Batch, Gap, Reading, Span
from dsmilctl.model.selector import EVERYTHING, Selector


class LocalClient(LocalBulks, RecordedReadings, WatchedAlarms, Client):
    """One open local fleet: its devices, its guard, its stop."""

    def __init__(
        self,
        *,
        context: ContextInfo,
        identity: Identity,
        fleet: Fleet,
        guard: Guard,
        settling: Settling,
        stop_control: StopControl,
        latch: Latch,
        journal: Journal,
        holds: Holds,
        bulks: Bulks,
        memory: Memory,
        installed: InstalledDrivers,
        places: Places,
        consents: Consents | None,
        variant: Callable[[Identity, bool], LocalClient],
    ) -> None:
        self.context = context
        self.identity = identity
        self._fleet = fleet
        self._guard = guard
        self._settling = settling
        self._stop_control = stop_control
        self._latch = latch
        self._journal = journal
        self._holds = holds
        self._bulks = bulks
        self._memory = memory
        self._installed = installed
        self._places = places
        self.consents = consents
        self._variant = variant
        self.reads = Reads(fleet, guard)
        self._stops = LocalStops(fleet, guard, stop_control, identity.user)
        self._remembered: dict[DeviceId, DeviceStatus] | None = None
        self._opened = False

    def for_identity(self, identity: Identity) -> LocalClient:
        """The same fleet as somebody else meets it: same devices, latch and journal, a guard of its own.

        It is open as long as this client is, and must not be closed itself.
        """
        other = self._variant(identity, False)
        other._opened = True
        return other

    async def count_request(self) -> None:
        """Count a request of any kind; raises RateLimitError.  A server asks it of each, but for stops."""
        await self._guard.admission.count_request()

    @property
    def allowances(self) -> tuple[int | None, int | None]:
        """Requests per minute and operations at once of this identity; None is any number."""
        return self._guard.checks.allowances()

    @property
    def granted(self) -> tuple[str, ...]:
        """What this identity may do, as far as the policy goes."""
        return permissions_of(self._guard.checks)

    async def permissions(self) -> list[str]:
        """What this identity may do, as far as the policy goes."""
        return list(self.granted)

    def operation(self) -> AbstractAsyncContextManager[None]:
        """An operation that is under way while the block runs; RateLimitError if there are too many."""
        return self._guard.admission.place(self._places)

    async def for_bulk(self, *, changes: bool, justification: str | None = None) -> LocalClient:
        """This client for the parts of one bulk, which is judged and counted here, once and as a whole.

        A bulk of reads costs one read; `justification` is the best of changes alone.  Raises the refusal.
        """
        admission = self._guard.admission
        await (admission.begin_bulk(justification) if changes else admission.count_read())
        if not changes and not self._guard.checks.policy.rates:
            return self
        other = self._variant(self.identity, True)
        other._opened = True
        return other

    async def request_approval(
        self, request: Request | None, *, justification: str, stop_id: str = ""
    ) -> Approval:
        """Ask a second person, where there is a server to ask through."""
        if self.consents is None:
            raise one_person()
        return await self.consents.request(request, justification, stop_id)

    async def approvals(self, status: str = "") -> list[Approval]:
        """The approvals of this fleet that this identity may see, newest first."""
        if self.consents is None:
            raise one_person()
        return await self.consents.all(status)

    async def decide_approval(self, approval_id: str, *, approve: bool, justification: str = "") -> Approval:
        """Approve or reject what somebody else asked for."""
        if self.consents is None:
            raise one_person()
        return await self.consents.decide(approval_id, approve=approve, justification=justification)

    async def open(self) -> None:
        """Load the drivers; devices are reached when they are asked for."""
        if not self._opened:
            self._opened = True
            try:
                await self._fleet.open()
            except BaseException:
                await self.close()
                raise

    async def close(self) -> None:
        """Close every device and keep what was learnt of it."""
        if self._opened:
            self._opened = False
            self._memory.keep((await self._fleet.all()).values() if self._fleet.discovered else ())
            await self._fleet.close()
            self._holds.close()
            self._journal.close()

    async def devices(self, selector: Selector = EVERYTHING, *, quarantined: bool = False) -> list[Device]:
        """The devices that the selector names."""
        found = await self._fleet.select(selector, quarantined=quarantined)
        if self.identity.devices is None:
            return found
        return [device for device in found if self.identity.may_see(device.device_id)]

    async def statuses(self, devices: Sequence[Device]) -> list[DeviceStatus]:
        """The state of each device; of one that this process did not touch, the state last known."""
        return [self._status_of(managed) for managed in await self._fleet.managed_of(devices)]

    async def standings(self, devices: Sequence[Device]) -> list[Standing]:
        """How each device has fared, and what it takes to do something with it."""
        return [standing(managed, self._guard.checks) for managed in await self._fleet.managed_of(devices)]

    def _status_of(self, managed: Managed) -> DeviceStatus:
        if managed.state is not DeviceState.DISCOVERED or managed.last_seen is not None:
            return managed.status
        return self._last_known().get(managed.device.device_id, managed.status)

    def _last_known(self) -> dict[DeviceId, DeviceStatus]:
        """How earlier processes left the devices."""
        if self._remembered is None:
            self._remembered = self._memory.load()
        return self._remembered

    async def read(
        self,
        devices: Sequence[Device],
        registers: Sequence[str] = (),
        *,
        span: Span | None = None,
        options: BulkOptions | None = None,
    ) -> list[Reading]:
        """Readings in the order of the devices; quarantined devices give denied readings."""
        return await self.reads.read(devices, registers, span, options or BulkOptions())

    async def change(self, request: Request) -> Operation:
        """Carry out one guarded change; raises whatever stood in the way before the device was told."""
        managed = await self._fleet.managed(request.device_id)
        await self._settle()
        return await self._guard.change(managed, request)

    async def _settle(self) -> None:
        """Changes whose end a crashed process took along are read back and recorded, once."""
        if not self.context.read_only:
            await self._settling.settle(await self._fleet.all())

    async def lifecycle(self, verb: str, devices: Sequence[Device]) -> list[DeviceStatus]:
        """Carry out a lifecycle verb on each device; a failure shows in its state and reason.

        They open and close conversations and change no device, so a read-only context allows them;
        quarantined devices are left alone.
        """
        if verb not in LIFECYCLE_VERBS:
            hint = nearest(verb, LIFECYCLE_VERBS) or f"verbs: {', '.join(LIFECYCLE_VERBS)}"
            raise InvalidParameter(f"no lifecycle verb {verb!r}", hint=hint, target=verb)
        if verb == "scan":
            await self._fleet.rescan()
            known = await self._fleet.all()
            devices = [device for device in devices if device.device_id in known]
        chosen = await self._fleet.managed_of(devices)
        walk = Walk(self._fleet, self._guard.checks, self._last_known())
        statuses = await asyncio.gather(*(walk.go(verb, managed) for managed in chosen))
        await self._guard.admission.record_denied(f"device.{verb}", walk.denied)
        return [status or self._status_of(managed) for status, managed in zip(statuses, chosen, strict=True)]

    def stream(
        self,
        devices: Sequence[Device],
        registers: Sequence[str] = (),
        *,
        interval: float = 1.0,
        changes_only: bool = False,
    ) -> AsyncGenerator[Batch | Gap, None]:
        """A batch per tick; a receiver that is too slow gets a Gap, and then everything again."""
        return self.reads.stream(devices, registers, interval=interval, changes_only=changes_only)

    def events(self) -> AsyncGenerator[Event | Gap, None]:
        """What happens in this fleet from this call on."""
        return each(self._fleet.bus.events.listen())

    async def stop(
        self,
        devices: Sequence[Device] | None = None,
        *,
        reason: str = "",
        deadline: float = 2.0,
        scope: str = "@all",
        report: Callable[[Confirmation], None] | None = None,
    ) -> Stop:
        """Latch, then stop.  Needs no open client; a driver that cannot be loaded is named UNCONFIRMED."""
        self._opened = True
        return await self._stops.of_devices(devices, reason, scope, deadline, report)

    async def stop_selected(
        self,
        selector: Selector,
        *,
        reason: str = "",
        deadline: float = 2.0,
        report: Callable[[Confirmation], None] | None = None,
    ) -> Stop:
        """Stop what a selector names; ids are latched before any driver is asked.

        A driver that does not name its devices holds up none of the others'; what nobody can tell is
        latched, and UNCONFIRMED.  Raises DeviceNotFound where every driver answered and none has it.
        """
        if selector.everything:
            return await super().stop_selected(selector, reason=reason, deadline=deadline, report=report)
        self._opened = True
        return await self._stops.of_selector(selector, reason=reason, deadline=deadline, report=report)

    async def stops(self) -> list[Stop]:
        """The stops in force, also one that could not be latched on disk."""
        return list(self._stop_control.in_force())

    async def stop_history(self, limit: int = 50) -> list[Stop]:
        """The stops there were, newest first."""
        return self._latch.history(limit)

    async def require_release(self, stop_id: str = "", *, justification: str, approval: str = "") -> None:
        """Raise what stands in the way of a release."""
        self._stop_control.require_standing(stop_id)
        await self._guard.admission.require_release(stop_id, justification, approval, use=False)

    async def release(
        self,
        stop_id: str = "",
        *,
        justification: str,
        approval: str = "",
        standing: Sequence[str] | None = None,
    ) -> list[Stop]:
        """End one stop, or all; the policy may ask for a justification and for a second person."""
        if standing is None:
            standing = [stop.stop_id for stop in self._stop_control.in_force()]
        await self._guard.admission.require_release(stop_id, justification, approval)
        return await self._stop_control.release(stop_id, justification, frozenset(standing))

    async def audit(self, query: HistoryQuery) -> list[AuditRecord]:
        """Records of the journal of this user, newest first."""
        return await asyncio.to_thread(records_of, self._journal, query, self.context.name)

    async def audit_count(self, query: HistoryQuery) -> int:
        """How many records of the journal fit."""
        return await asyncio.to_thread(number_of, self._journal, query, self.context.name)

    async def audit_verify(self, anchor: str = "") -> AuditVerdict:
        """Check the journal's chain."""
        return await asyncio.to_thread(self._journal.verify, anchor)

    async def audit_export(self, destination: Path) -> dict[str, Any]:
        """Write where the journal ends into a small file."""
        anchor = await asyncio.to_thread(self._journal.export, destination)
        return dict(msgspec.structs.asdict(anchor))

    async def audit_restart(self, reason: str) -> AuditRecord:
        """Go on in a new segment behind a damaged journal; raises what bars a change."""
        await self._guard.admission.require_restart()
        user, context = self.identity.user, self.context.name
        return await asyncio.to_thread(self._journal.restart, reason, user, context)

    async def drivers(self) -> list[DriverInfo]:
        """Every installed driver."""
        return self._installed.all()

    async def absent(self, driver: str) -> dict[str, str] | None:
        """Parts that a driver of this context looked for in vain."""
        return await self._status.parts_absent(driver)

    async def set_driver(self, name: str, *, enabled: bool, reason: str) -> DriverInfo:
        """Enable or disable a driver; under an emergency stop none is disabled: it could not be stopped."""
        return await switch_driver(
            self._installed, self._fleet, self._guard, name, enabled=enabled, reason=reason
        )

    async def forget(self) -> int:
        """Drop what the drivers keep of their devices (what was written to simulated ones), guarded."""
        return await forget_all(self._fleet, self._guard)

    @property
    def _status(self) -> FleetStatus:
        return FleetStatus(self.context, self._fleet, self._stop_control, self._journal, self._guard.checks)

    async def system_status(self) -> dict[str, Any]:
        """What the fleet is made of and how it is."""
        return await self._status.status(await self.statuses(await self.devices(quarantined=True)))

    async def capabilities(self) -> dict[str, Any]:
        """What this context can do."""
        return await self._status.capabilities()

    async def health(self) -> dict[str, Any]:
        """Whether each part works."""
        return await self._status.health()
