"""RemoteClient: the client interface over a server: commands and screens work there as they do here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec

from dsmilctl.client.interface import (
    LIFECYCLE_VERBS,
    BulkOptions,
    Client,
    ContextInfo,
    HistoryQuery,
)
from dsmilctl.client.remote.approvals import Consents
from dsmilctl.client.remote.batching import device_path
from dsmilctl.client.remote.bulk import Mode
from dsmilctl.client.remote.changes import Changes, read_only_refusal
from dsmilctl.client.remote.connected import Connected
from dsmilctl.client.remote.drivers import Drivers
from dsmilctl.client.remote.evidence import Evidence
from dsmilctl.client.remote.fast_stop import stop_by_thread
from dsmilctl.client.remote.happenings import follow_events
from dsmilctl.client.remote.http import HttpTransport
from dsmilctl.client.remote.mapping import batch_of, lifecycle_of, readings_of, stop_of
from dsmilctl.client.remote.roster import Roster
from dsmilctl.client.remote.ticks import Ticks, Wanted
from dsmilctl.errors import AuthenticationError, InvalidParameter, UsageError, nearest
from dsmilctl.model.approval import Approval
from dsmilctl.model.audit import AuditRecord, AuditVerdict
from dsmilctl.model.device import Device, DeviceStatus
from dsmilctl.model.emergency import Confirmation, Stop
from dsmilctl.model.event import Event
from dsmilctl.model.history import ReadingsPage, ReadingsQuery
from dsmilctl.model.identity import Clearance, Identity
from dsmilctl.model.operation import BulkResult, Operation, Request
from dsmilctl.model.reading import Batch, Gap, Reading, Span
from dsmilctl.model.register import find_register
from dsmilctl.model.selector import EVERYTHING, Selector
from dsmilctl.wire.devices import LifecycleStatus
from dsmilctl.wire.emergency import EmergencyStatus, Release, Released, StopHistory, StopInfo, StopRequest
from dsmilctl.wire.operations import BulkItem, OperationData
from dsmilctl.wire.system import Capabilities, Health, SystemStatus

ANSWERING = 10.0
"""Seconds that the answer to a stop may take beyond the stop's own deadline."""

TRANSPORTS = {"auto": "auto", "ws": "websocket", "sse": "sse", "poll": "polling"}
"""What the command line calls the ways of a stream."""


class RemoteClient(Drivers, Connected, Client):
    """A fleet behind a server.  The guard, the journal and the latch are the server's."""

    def __init__(
        self, base_url: str | None = None, *, context: str = "", read_only: bool = False, **settings: Any
    ) -> None:
        super().__init__(base_url, **settings)
        self.context = ContextInfo(context or "remote", "remote", self.config.base_url, read_only)
        self._roster = Roster(self._api)
        self._changes = Changes(self._api, self._bulks, read_only=self.context.name if read_only else "")
        self._consents = Consents(self._api)
        self._way = "auto"
        self._evidence = Evidence(self._api)
        if context:
            self._api.own_context = context

    @property
    def identity(self) -> Identity:  # type: ignore[override] # it changes with every login
        """Who one is to the server; nobody before the login."""
        user = self._api.session.user
        if user is None:
            return Identity(self.config.username, self.config.base_url, Clearance.UNCLASSIFIED, "server")
        clearance = Clearance.__members__.get(user.clearance_level, Clearance.UNCLASSIFIED)
        return Identity(
            user=user.username,
            host=self.config.base_url,
            clearance=clearance,
            source="server",
            devices=None if user.all_devices else frozenset(user.authorized_devices),
            user_id=user.user_id,
            compartments=tuple(user.compartment_access),
        )

    async def open(self) -> None:
        """Nothing is sent before the first question."""

    async def close(self) -> None:
        """Close every connection."""
        await super().close()

    async def devices(self, selector: Selector = EVERYTHING, *, quarantined: bool = False) -> list[Device]:
        """The devices that the selector names, of those that this user may see."""
        return await self._roster.select(selector, quarantined=quarantined)

    async def statuses(self, devices: Sequence[Device]) -> list[DeviceStatus]:
        """The state of each device, as the server knows it."""
        return await self._roster.statuses([device.device_id for device in devices])

    async def read(
        self,
        devices: Sequence[Device],
        registers: Sequence[str] = (),
        *,
        span: Span | None = None,
        options: BulkOptions | None = None,
    ) -> list[Reading]:
        """Readings in the order of the devices, never out of the cache."""
        wanted = [_names(device, registers) for device in devices]
        if registers and devices and not any(wanted):
            find_register(devices[0].registers, registers[0])
        asked = [
            (device, names) for device, names in zip(devices, wanted, strict=True) if names or not registers
        ]
        chosen = options or BulkOptions()
        items = [
            BulkItem(
                device_id=device.device_id,
                operation_type="READ",
                justification=chosen.justification,
                approval_id=chosen.approval,
                operation_data=OperationData(
                    register=names[0] if len(names) == 1 else "",
                    registers=list(names) if len(names) > 1 else [],
                    offset=span.offset if span else None,
                    length=span.length if span else None,
                ),
            )
            for device, names in asked
        ]
        mode = Mode(
            sequential=chosen.concurrency == 1,
            max_concurrency=max(0, chosen.concurrency),
            stop_on_first_error=chosen.stop_on_error,
            justification=chosen.justification,
        )
        answer = await self._bulks.run(items, mode)
        return [
            reading
            for result, (device, names) in zip(answer.results, asked, strict=True)
            for reading in readings_of(result, names or (device.default_register,))
        ]

    async def change(self, request: Request) -> Operation:
        """Carry out one change, once, however often the request has to be repeated."""
        self._cache.drop(request.device_id)
        try:
            return await self._changes.one(request)
        finally:
            self._cache.drop(request.device_id)

    async def change_many(
        self,
        requests: Sequence[Request],
        *,
        options: BulkOptions | None = None,
        progress: Callable[[Operation], None] | None = None,
    ) -> BulkResult:
        """Carry out many changes; the server keeps what is needed to undo them."""
        self._cache.drop()
        try:
            return await self._changes.many(requests, options or BulkOptions(), progress)
        finally:
            self._cache.drop()

    async def bulk(self, bulk_id: str) -> BulkResult:
        """What became of a bulk."""
        return await self._changes.bulk(bulk_id)

    async def undo_requests(self, bulk_id: str) -> list[Request]:
        """The writes that would put back what a bulk changed."""
        return await self._changes.undo(bulk_id)

    async def lifecycle(self, verb: str, devices: Sequence[Device]) -> list[DeviceStatus]:
        """Carry out a lifecycle verb on each device; a failure shows in its state and reason."""
        if verb not in LIFECYCLE_VERBS:
            hint = nearest(verb, LIFECYCLE_VERBS) or f"verbs: {', '.join(LIFECYCLE_VERBS)}"
            raise InvalidParameter(f"no lifecycle verb {verb!r}", hint=hint, target=verb)
        places = asyncio.Semaphore(8)

        async def one(device: Device) -> DeviceStatus:
            path = f"{device_path(device.device_id)}/lifecycle/{verb}"
            async with places:
                found = await self._api.post(path, LifecycleStatus, {}, device_id=device.device_id)
            return lifecycle_of(found)

        return list(await asyncio.gather(*(one(device) for device in devices)))

    async def stream(
        self,
        devices: Sequence[Device],
        registers: Sequence[str] = (),
        *,
        interval: float = 1.0,
        changes_only: bool = False,
    ) -> AsyncGenerator[Batch | Gap, None]:
        """A batch per tick of the server; what was missed on the way is a Gap."""
        wanted = Wanted(
            device_ids=tuple(device.device_id for device in devices),
            registers=tuple(registers),
            interval=interval,
            changes_only=changes_only,
        )
        number = 0
        async with aclosing(Ticks(self._api, self._bulks).follow(wanted, self._way)) as ticks:
            async for item in ticks:
                if isinstance(item, Gap):
                    self._gaps += item.missed
                    yield item
                else:
                    number += 1
                    yield batch_of(item, number)

    def choose_transport(self, kind: str) -> None:
        """How streams come from now on: auto, ws, sse or poll."""
        self._way = TRANSPORTS[kind]

    def events(self) -> AsyncGenerator[Event | Gap, None]:
        """What happens at the server from now on."""
        return follow_events(self._api)

    async def stop(
        self,
        devices: Sequence[Device] | None = None,
        *,
        reason: str = "",
        deadline: float = 2.0,
        scope: str = "@all",
        report: Callable[[Confirmation], None] | None = None,
    ) -> Stop:
        """Have the server latch and stop; it goes out at once, whatever failed before."""
        wanted = StopRequest(
            justification=reason,
            scope="ALL" if devices is None else "SINGLE_DEVICE",
            target_devices=[] if devices is None else [device.device_id for device in devices],
            deadline_s=deadline,
            selector="" if devices is None else scope[:512],
        )
        self._cache.drop()
        stop = msgspec.structs.replace(await self._order(wanted, deadline + ANSWERING), scope=scope)
        for confirmation in stop.confirmations if report else ():
            report(confirmation)  # type: ignore[misc] # the loop is empty without it
        return stop

    async def _order(self, wanted: StopRequest, patience: float) -> Stop:
        """The shortest way: without importing an HTTP library, where none was used before."""
        token, transport = self._api.session.access_token, self.transport
        if token and isinstance(transport, HttpTransport) and not transport.opened and not self._api.old:
            try:
                return await stop_by_thread(self.config, token, wanted, deadline=patience)
            except AuthenticationError:
                until = self.clock.monotonic() + patience
                await self._api.renew(token, until, urgent=True)  # and then the long way
        info = await self._api.post("/emergency/stop", StopInfo, wanted, urgent=True, deadline=patience)
        return stop_of(info)

    async def stops(self) -> list[Stop]:
        """The stops in force."""
        return [stop_of(item) for item in (await self._api.get("/emergency/status", EmergencyStatus)).stops]

    async def stop_history(self, limit: int = 50) -> list[Stop]:
        """The stops there were, newest first."""
        found = await self._api.get("/emergency/history", StopHistory, {"limit": limit})
        return [stop_of(item) for item in found.stops]

    async def release(
        self,
        stop_id: str = "",
        *,
        justification: str,
        approval: str = "",
        standing: Sequence[str] | None = None,
    ) -> list[Stop]:
        """End one stop, or all of them; the server may ask for a second person."""
        self._require_writable("nothing was released")
        seen = None if standing is None else list(standing)
        wanted = Release(stop_id=stop_id, justification=justification, approval_id=approval, standing=seen)
        return [
            stop_of(item) for item in (await self._api.post("/emergency/release", Released, wanted)).stops
        ]

    async def request_approval(
        self, request: Request | None, *, justification: str, stop_id: str = ""
    ) -> Approval:
        """Ask a second person; the server tells whom it would take."""
        self._require_writable("nobody was asked")
        return await self._consents.request(request, justification, stop_id)

    async def approvals(self, status: str = "") -> list[Approval]:
        """The approvals that this user may see, newest first."""
        return await self._consents.all(status)

    async def decide_approval(self, approval_id: str, *, approve: bool, justification: str = "") -> Approval:
        """Approve or reject what somebody else asked for."""
        self._require_writable("nothing was decided")
        return await self._consents.decide(approval_id, approve=approve, justification=justification)

    async def readings(self, query: ReadingsQuery) -> ReadingsPage:
        """One page of what the server recorded."""
        from dsmilctl.client.remote.history import page_of

        return await page_of(self._api, query)

    async def audit(self, query: HistoryQuery) -> list[AuditRecord]:
        """Records of the server's journal, newest first."""
        return await self._evidence.records(query)

    async def audit_count(self, query: HistoryQuery) -> int:
        """How many records of the server's journal fit."""
        return await self._evidence.count(query)

    async def audit_verify(self, anchor: str = "") -> AuditVerdict:
        """Have the server check its journal."""
        return await self._evidence.verify(anchor)

    async def audit_export(self, destination: Path) -> dict[str, Any]:
        """Write where the server's journal ends into a small file here."""
        return await self._evidence.export(destination)

    async def audit_restart(self, reason: str) -> AuditRecord:
        """Have the server go on behind its damaged journal."""
        if self.context.read_only:
            raise read_only_refusal(self.context.name, "the journal was not changed", target="the journal")
        return await self._evidence.restart(reason)

    async def forget(self) -> int:
        """Only where the devices are."""
        raise self._not_here("what the simulated devices keep is forgotten", "device reset SEL")

    async def system_status(self) -> dict[str, Any]:
        """How the server and its fleet are."""
        found: dict[str, Any] = msgspec.to_builtins(await self._api.get("/system/status", SystemStatus))
        return found

    async def capabilities(self) -> dict[str, Any]:
        """What the server can do."""
        found: dict[str, Any] = msgspec.to_builtins(await self._api.get("/system/capabilities", Capabilities))
        types = found.pop("operation_types")
        return found | ({"supported_operations": types} if types else {})

    async def health(self) -> dict[str, Any]:
        """Whether the parts of the server work."""
        login = self._api.session.logged_in
        found = await self._api.get("/monitoring/health", Health, login=login)
        return {field: getattr(found, field) for field in Health.__struct_fields__}

    async def require_release(self, stop_id: str = "", *, justification: str, approval: str = "") -> None:
        """Raise ReadOnly; what else stands in the way of a release the server says when asked."""
        del stop_id, justification, approval
        self._require_writable("nothing was released")

    def _require_writable(self, what: str) -> None:
        if self.context.read_only:
            hint = "use a context that is not read-only"
            raise read_only_refusal(self.context.name, what, hint)

    def _not_here(self, what: str, instead: str) -> UsageError:
        message = f"{what} on the machine of the server, not over {self.config.base_url}"
        hint = f"do it there; over the network: dsmilctl -C {self.context.name} {instead}"
        return UsageError(message, hint=hint, target=self.context.name)


def _names(device: Device, registers: Sequence[str]) -> tuple[str, ...]:
    """Those of the registers that the device has, by their right names."""
    known = {register.name.casefold(): register.name for register in device.registers}
    by_address = {register.address: register.name for register in device.registers}
    found = []
    for wanted in registers:
        name = known.get(wanted.casefold())
        if name is None and wanted[:1].isdigit():
            try:
                name = by_address.get(int(wanted, 0))
            except ValueError:
                name = None
        if name is not None:
            found.append(name)
    return tuple(found)
