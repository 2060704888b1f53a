"""The client interface: all that a command, a screen or a program may ask, whatever is behind it."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from dsmilctl.errors import ApprovalRequired, InvalidParameter, NotFound
from dsmilctl.model.approval import Approval
from dsmilctl.model.audit import AuditRecord, AuditVerdict
from dsmilctl.model.device import Device, DeviceId, DeviceStatus
from dsmilctl.model.emergency import Confirmation, Stop
from dsmilctl.model.event import Event
from dsmilctl.model.history import ReadingsPage, ReadingsQuery
from dsmilctl.model.identity import Identity
from dsmilctl.model.operation import BulkResult, Operation, Request
from dsmilctl.model.reading import Batch, Gap, Reading, Span
from dsmilctl.model.selector import EVERYTHING, Selector

LIFECYCLE_VERBS = ("scan", "initialize", "connect", "disconnect", "state", "cleanup")


class ContextInfo(msgspec.Struct, frozen=True):
    """The context that a client is open on: `kind` is `local` or `remote`, `target` what it talks to."""

    name: str
    kind: str
    target: str
    read_only: bool = False


class DriverInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One installed driver.  `problem` says why it cannot be used and `fix` what to do about it."""

    name: str
    version: str = ""
    summary: str = ""
    distribution: str = ""
    enabled: bool = True
    reason: str = ""
    changed: int | None = None
    capabilities: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    problem: str = ""
    fix: str = ""


class BulkOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a bulk runs: `concurrency` 0 is all at once, 1 is one after the other.

    After `timeout` seconds nothing more is begun: what was not is refused, and of a change that is under way
    then the outcome is unknown.  `bulk_id` is the name under which the result is kept; without one the client
    makes one up.  `justification` and `approval` are those of a read of a quarantined device.
    """

    concurrency: int = 0
    stop_on_error: bool = False
    timeout: float | None = None
    bulk_id: str = ""
    justification: str = ""
    approval: str = ""


def new_bulk_id() -> str:
    """A name for a bulk that begins now."""
    return f"bulk-{os.urandom(6).hex()}"


class HistoryQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which records of the journal are wanted, newest first; times in nanoseconds UTC.

    `limit` at most (0: all) behind the `offset` newest ones.
    `action` is one of ACTIONS, or a group of them: `device.*`.
    """

    device_id: DeviceId | None = None
    since: int | None = None
    until: int | None = None
    action: str = ""
    outcome: str = ""
    user: str = ""
    limit: int = 50
    offset: int = 0


def one_person() -> ApprovalRequired:
    """The refusal of a client that knows no second person."""
    return ApprovalRequired(
        "a local fleet knows one person: there is nobody to ask for an approval",
        hint="put the fleet behind a server: dsmilctl serve FLEET",
    )


class Client(ABC):
    """One open context.  Use it as an asynchronous context manager.

    Reading never raises for a device that fails: a reading carries its error.  What stands in the way of a
    change before its device is told anything (a refusal of the guard, a device that does not answer) is
    raised by `change`; `change_many` reports it per item and never raises for one.
    """

    context: ContextInfo
    identity: Identity

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    @abstractmethod
    async def open(self) -> None:
        """Make ready; cheap: devices are reached when they are asked for."""

    @abstractmethod
    async def close(self) -> None:
        """Close every device and let go of every resource."""

    @abstractmethod
    async def devices(self, selector: Selector = EVERYTHING, *, quarantined: bool = False) -> list[Device]:
        """The devices that the selector names; raises DeviceNotFound where it names none."""

    @abstractmethod
    async def statuses(self, devices: Sequence[Device]) -> list[DeviceStatus]:
        """The lifecycle state of each device, in the same order."""

    @abstractmethod
    async def read(
        self,
        devices: Sequence[Device],
        registers: Sequence[str] = (),
        *,
        span: Span | None = None,
        options: BulkOptions | None = None,
    ) -> list[Reading]:
        """Readings in the order of the devices; without `registers` each device's default register.

        Raises InvalidParameter for a register that none of the devices has.
        """

    @abstractmethod
    async def change(self, request: Request) -> Operation:
        """Carry out one guarded change; raises what stood in its way.

        What happened after the device was told is in the operation that comes back; TIMEOUT means that nobody
        knows, and that it was not sent again.  A dry run ends with status PLANNED.
        """

    @abstractmethod
    async def change_many(
        self,
        requests: Sequence[Request],
        *,
        options: BulkOptions | None = None,
        progress: Callable[[Operation], None] | None = None,
    ) -> BulkResult:
        """Carry out many guarded changes; refusals and failures are results, in the order asked for."""

    @abstractmethod
    async def bulk(self, bulk_id: str) -> BulkResult:
        """What became of a bulk; raises NotFound."""

    @abstractmethod
    async def undo_requests(self, bulk_id: str) -> list[Request]:
        """The changes that would put back what a bulk changed; raises NotFound."""

    @abstractmethod
    async def lifecycle(self, verb: str, devices: Sequence[Device]) -> list[DeviceStatus]:
        """Carry out one of LIFECYCLE_VERBS on each device; a failure shows in the state and its reason."""

    @abstractmethod
    def stream(
        self,
        devices: Sequence[Device],
        registers: Sequence[str] = (),
        *,
        interval: float = 1.0,
        changes_only: bool = False,
    ) -> AsyncGenerator[Batch | Gap, None]:
        """A batch of readings per tick, on a fixed schedule, until the iterator is closed.

        With `changes_only` a batch holds what changed since the batch before (the first one holds all);
        a receiver that is too slow gets a Gap instead of a growing queue.
        """

    def choose_transport(self, kind: str) -> None:
        """How streams come from now on: auto, ws, sse or poll; raises InvalidParameter for none of them."""
        if kind not in ("auto", "poll"):
            message = f"a local context has no transport {kind}"
            raise InvalidParameter(message, hint="auto or poll", target="--transport")

    @abstractmethod
    def events(self) -> AsyncGenerator[Event | Gap, None]:
        """What happens from now on, until the iterator is closed."""

    @abstractmethod
    async def stop(
        self,
        devices: Sequence[Device] | None = None,
        *,
        reason: str = "",
        deadline: float = 2.0,
        scope: str = "@all",
        report: Callable[[Confirmation], None] | None = None,
    ) -> Stop:
        """Emergency stop: latch first, then drive every device to its safe state, all at once.

        `devices` None is the whole fleet.  Never refuses; what did not work is in the result.
        """

    async def stop_selected(
        self,
        selector: Selector,
        *,
        reason: str = "",
        deadline: float = 2.0,
        report: Callable[[Confirmation], None] | None = None,
    ) -> Stop:
        """Emergency stop of what a selector names, also quarantined devices.

        Raises DeviceNotFound, and whatever else keeps the devices from being known: nothing is stopped then.
        """
        devices = None
        if not selector.everything:
            await self.open()
            devices = await self.devices(selector, quarantined=True)
        return await self.stop(devices, reason=reason, deadline=deadline, scope=selector.text, report=report)

    @abstractmethod
    async def stops(self) -> list[Stop]:
        """The emergency stops in force, oldest first."""

    @abstractmethod
    async def stop_history(self, limit: int = 50) -> list[Stop]:
        """The emergency stops there were, newest first."""

    async def require_release(self, stop_id: str = "", *, justification: str, approval: str = "") -> None:
        """Raise what stands in the way of a release, so that a person is not asked for nothing."""
        del stop_id, justification, approval  # whoever cannot tell beforehand lets `release` say it

    @abstractmethod
    async def release(
        self,
        stop_id: str = "",
        *,
        justification: str,
        approval: str = "",
        standing: Sequence[str] | None = None,
    ) -> list[Stop]:
        """End one stop, or all of them; returns what was released.

        All are those that stand when this is called, or the `standing` ones that somebody has seen: a stop
        that comes meanwhile stays in force.
        """

    async def request_approval(
        self, request: Request | None, *, justification: str, stop_id: str = ""
    ) -> Approval:
        """Ask a second person to let exactly this request through, once.

        Without a request: the release of the emergency stop `stop_id` (empty: of all).  Raises what would
        refuse the request anyway, and ApprovalRequired where nobody can be asked.
        """
        raise one_person()

    async def approvals(self, status: str = "") -> list[Approval]:
        """The approvals, newest first; of one status (PENDING, APPROVED, REJECTED, USED, EXPIRED) or all."""
        raise one_person()

    async def decide_approval(self, approval_id: str, *, approve: bool, justification: str = "") -> Approval:
        """Approve or reject; raises PermissionDenied for whoever asked, NotFound, Conflict."""
        raise one_person()

    async def readings(self, query: ReadingsQuery) -> ReadingsPage:
        """One page of what was recorded of this context, by device, register and time.

        Devices whose readings the identity may not see are in `denied`.  Raises InvalidParameter,
        DeviceNotFound, NotFound where nothing was ever recorded, OperationTimeout.
        """
        del query  # whoever keeps no readings has none
        raise NotFound("no readings were recorded here", target=self.context.name)

    async def permissions(self) -> list[str]:
        """What one may do here, as far as the policy goes: DEVICE_READ, DEVICE_WRITE, EMERGENCY_RELEASE, …"""
        return []

    @abstractmethod
    async def audit(self, query: HistoryQuery) -> list[AuditRecord]:
        """Records of the journal, newest first."""

    async def audit_count(self, query: HistoryQuery) -> int:
        """How many records fit, whatever the limit and offset of the query."""
        return len(await self.audit(msgspec.structs.replace(query, limit=0, offset=0)))

    @abstractmethod
    async def audit_verify(self, anchor: str = "") -> AuditVerdict:
        """Check the journal's chain; `anchor` is a hash that has to be in it."""

    @abstractmethod
    async def audit_export(self, destination: Path) -> dict[str, Any]:
        """Write where the journal ends into a small file: `sequence`, `hash`, `time`, `records`."""

    @abstractmethod
    async def audit_restart(self, reason: str) -> AuditRecord:
        """Go on in a new segment behind a damaged journal; the first record of it."""

    @abstractmethod
    async def forget(self) -> int:
        """Drop what the drivers keep of their devices; for how many devices there was something."""

    @abstractmethod
    async def drivers(self) -> list[DriverInfo]:
        """Every installed driver, also those that cannot be used."""

    async def absent(self, driver: str) -> dict[str, str] | None:
        """Parts that a driver of this context looked for and did not find, each with the reason.

        None for a driver that this context does not use: it looked for nothing.
        """
        del driver
        return None

    @abstractmethod
    async def set_driver(self, name: str, *, enabled: bool, reason: str) -> DriverInfo:
        """Enable or disable a driver and remember why and when."""

    @abstractmethod
    async def system_status(self) -> dict[str, Any]:
        """What the fleet is made of and how it is: counts, stops, performance."""

    @abstractmethod
    async def capabilities(self) -> dict[str, Any]:
        """What this context can do: operations, limits, drivers."""

    @abstractmethod
    async def health(self) -> dict[str, Any]:
        """Whether each part works: drivers, journal, latch, state folder."""
