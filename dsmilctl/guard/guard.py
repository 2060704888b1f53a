"""The guard: every change is checked, journalled, carried out, read back and journalled again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.drivers.lifecycle import Lifecycle
from dsmilctl.drivers.managed import Managed
from dsmilctl.errors import DSMILError, Refused, StateUnavailable
from dsmilctl.guard.admission import Admission
from dsmilctl.guard.checks import Checks, judged_as, stopped
from dsmilctl.guard.delivery import Delivery
from dsmilctl.guard.evidence import Evidence
from dsmilctl.guard.holds import Holds
from dsmilctl.guard.judgement import Judgement, passed, refuse
from dsmilctl.guard.plan import Plan
from dsmilctl.model.device import Device, DeviceId
from dsmilctl.model.emergency import Stop
from dsmilctl.model.operation import Operation, OperationStatus, OperationType, Request

LOGGER = logging.getLogger("dsmilctl.guard")
T = TypeVar("T")

MOST_AT_ONCE = 500
"""Devices that are told at once; with many more the event loop, not the device, would miss the deadline."""

BRIEFLY = 1.0
"""Seconds that somebody who breaks off a change before its device was told waits for a slow journal."""

TIME_IS_OVER = "the time of the bulk was over"


def nothing_kept(operations: Sequence[Operation]) -> None:
    """Keep nothing of a change: the journal has what it takes to undo it."""
    del operations


def unwatched(operation: Operation) -> None:
    """Report progress to nobody."""
    del operation


class Bulk(msgspec.Struct, frozen=True, kw_only=True):
    """How several changes run: `concurrency` 0 is all at once.

    After `timeout` seconds nothing more is begun, and of what is under way nobody knows the outcome.  `keep`
    is called before the first device is told and after the last one, with what each register held
    and what became of it; `progress` with every operation that ended.
    """

    bulk_id: str = ""
    concurrency: int = 0
    stop_on_error: bool = False
    timeout: float | None = None
    keep: Callable[[Sequence[Operation]], None] = nothing_kept
    progress: Callable[[Operation], None] = unwatched


ALONE = Bulk()


class Guard:
    """Stands before every change of one fleet."""

    def __init__(
        self,
        *,
        checks: Checks,
        lifecycle: Lifecycle,
        evidence: Evidence,
        holds: Holds,
        in_force: Callable[[], Sequence[Stop]],
        all_released: Callable[[str], None],
        clock: Clock = SYSTEM,
        deadline: float = 2.0,
    ) -> None:
        self.checks = checks
        self.admission = Admission(checks, evidence)
        self._evidence = evidence
        self._holds = holds
        self._in_force = in_force
        self._all_released = all_released
        self._clock = clock
        self._deadline = deadline
        self._judgement = Judgement(checks, lifecycle, evidence, in_force, deadline)
        self._delivery = Delivery(lifecycle, checks, in_force, deadline)
        self._finishing = set[asyncio.Task[None]]()

    async def change(self, managed: Managed, request: Request) -> Operation:
        """Carry out one change.

        Raises whatever stood in the way before the device was told anything; what happened afterwards is in
        the operation that comes back.
        """
        plan = self._plan(managed, request, ALONE)
        await self._run([plan], ALONE)
        if plan.refused and plan.error is not None:
            raise plan.error
        return self._ended(plan)

    async def change_many(self, wanted: Sequence[tuple[Managed, Request]], bulk: Bulk) -> list[Operation]:
        """Carry out many changes: all checked and their intents journalled at once, then the devices told.

        Refusals and failures are operations like the others, in the order asked for.
        """
        plans = [self._plan(managed, request, bulk) for managed, request in wanted]
        await self._run(plans, bulk)
        return [self._ended(plan) for plan in plans]

    async def refuse_many(
        self, wanted: Sequence[tuple[Managed, Request]], error: DSMILError, bulk: Bulk
    ) -> None:
        """Journal changes that are refused for a reason which lies outside them."""
        plans = [self._plan(managed, request, bulk) for managed, request in wanted]
        refuse(plans, error)
        await self._intend(plans, bulk)

    def break_off(self) -> None:
        """Break off every change that is under way to a device under an emergency stop."""
        self._delivery.underway.break_off()

    async def administer(
        self,
        action: str,
        target: str,
        kind: OperationType,
        parameters: dict[str, object],
        act: Callable[[], Awaitable[T]],
        *,
        under_stop: bool = False,
        everywhere: bool = False,
        justification: str | None = None,
    ) -> T:
        """Carry out a change of what stands around the devices, checked and journalled like the others.

        Raises the refusal, or what `act` raises.  `under_stop` lets it happen during an emergency stop; one
        that takes effect `everywhere` waits for the release of every fleet.  A `justification` that is given
        must say something.
        """

        def check() -> None:
            if not under_stop and (stops := self._in_force()):
                raise stopped(stops[0], target, self.checks.context)
            if everywhere and not under_stop:
                self._all_released(target)
            self.checks.writable(target)
            self.checks.administration(target, kind)
            if justification is not None:
                self.checks.require_justification(justification, f"{action} of {target} for everybody")

        return await self._on_record(action, target, parameters, check, act)

    async def respond(
        self,
        action: str,
        device: Device,
        parameters: dict[str, object],
        act: Callable[[], Awaitable[T]],
        *,
        permit: Callable[[], object],
        justification: str,
        always: bool,
    ) -> T:
        """Carry out what a person does to an alarm of a device, checked and journalled like a write of it.

        It is allowed under an emergency stop.  `permit` raises where the alarm's state does not allow it;
        with `always` it takes a justification whatever the risk.
        """
        target = device.shown_id

        def check() -> None:
            self.checks.writable(target)
            self.checks.authorised(device)
            self.checks.clearance(target, OperationType.WRITE)
            if always:
                self.checks.require_justification(justification, f"{action} of {target}")
            self.checks.justification(device, OperationType.WRITE, justification)
            permit()

        return await self._on_record(action, target, parameters, check, act)

    async def _on_record(
        self,
        action: str,
        target: str,
        parameters: dict[str, object],
        check: Callable[[], None],
        act: Callable[[], Awaitable[T]],
    ) -> T:
        """Journal the refusal that a check raises, or what is going to be done and how it ended."""
        entry = self._evidence.entry
        try:
            check()
        except DSMILError as refusal:
            line = entry(action, target, "DENIED", parameters | _problem(refusal), decision="DENIED")
            await self._evidence.record_if_possible([line])
            raise
        operation_id = Plan.new_id()
        line = entry(action, target, "INTENT", parameters, operation_id=operation_id)
        intent = self._evidence.queue([line])
        outcome, known = "DENIED", _problem(Refused("not begun: it was broken off"))
        try:
            await self._evidence.written(intent)
            outcome, known = "UNKNOWN", {}
            result = await act()
            outcome = "SUCCESS"
        except DSMILError as error:
            outcome, known = "FAILED", _problem(error)
            raise
        finally:
            decision = "DENIED" if outcome == "DENIED" else "ALLOWED"
            line = entry(action, target, outcome, known, decision=decision, operation_id=operation_id)
            work = self._evidence.record_if_possible([line], behind=intent)
            await self._finish(work, briefly=outcome == "DENIED")
        return result

    async def _finish(self, work: Coroutine[Any, Any, None], *, briefly: bool) -> None:
        """See an end onto record, also when cancelled; `briefly` leaves a slow journal behind to itself."""
        task = asyncio.create_task(work)
        self._finishing.add(task)
        task.add_done_callback(self._finishing.discard)
        _, late = await asyncio.wait((task,), timeout=BRIEFLY if briefly else None)
        if late:
            LOGGER.error("what was broken off is not in the journal yet: a disk or another process is slow")
        else:
            task.result()

    def _plan(self, managed: Managed, request: Request, bulk: Bulk) -> Plan:
        return Plan(managed, request, judged_as(managed, request), self._clock, bulk.bulk_id)

    def _ended(self, plan: Plan) -> Operation:
        return plan.operation or plan.ended(self.checks.identity.user)

    async def _run(self, plans: Sequence[Plan], bulk: Bulk) -> None:
        """All of a change, for one or for many; a dry run is the same up to the driver."""
        ends = None if bulk.timeout is None else asyncio.get_running_loop().time() + bulk.timeout
        await self._judgement.alone(plans, bulk=bulk is not ALONE)
        held = set[DeviceId]()
        try:
            try:
                async with asyncio.timeout_at(ends):
                    held |= await self._hold(passed(plans))
                    await self._judgement.with_devices(passed(plans), held)
            except TimeoutError:
                refuse(passed(plans), Refused(f"not begun: {TIME_IS_OVER}"))
            for plan in plans:
                if plan.error is not None or plan.request.dry_run:
                    self._tell_progress(plan, bulk)
            await self._intend(plans, bulk)
            await self._carry_out([plan for plan in plans if plan.intended], bulk, ends)
        finally:
            self._holds.release(held)
            untold = all(plan.operation is None and not plan.sent for plan in plans if plan.intended)
            await self._finish(self._conclude(plans, bulk), briefly=untold)

    async def _hold(self, plans: Sequence[Plan]) -> set[DeviceId]:
        """Hold the devices; those that others hold longer than the deadline are left out."""
        wanted = {plan.managed.device.device_id for plan in plans}
        try:
            return await self._holds.take(wanted, self._deadline)
        except StateUnavailable as error:
            refuse(plans, error)
            return set()

    async def _intend(self, plans: Sequence[Plan], bulk: Bulk) -> None:
        """Journal what was refused and what is to be done now; where that fails nothing is done.

        A cancelled one is intended all the same: nothing takes its intent out of the journal's queue.
        """
        live = [plan for plan in passed(plans) if not plan.request.dry_run]
        refused = [plan for plan in plans if plan.error is not None and plan.request.is_evidence]
        _log("refused", refused)
        refusals = [plan.refusal(self._evidence, self._ended(plan)) for plan in refused]
        if not live:
            await self._evidence.record_if_possible(refusals)
            return
        pending = [plan.as_operation(self.checks.identity.user, OperationStatus.PENDING) for plan in live]
        try:
            await asyncio.to_thread(bulk.keep, pending)
            intents = [plan.intent(self._evidence) for plan in live]
            intended = self._evidence.queue([*refusals, *intents])
            for plan in live:
                plan.intended = intended
            await self._evidence.written(intended)
        except StateUnavailable as error:
            refuse(live, error)
            for plan in live:
                plan.intended = None
            return
        _log("intended", live)

    async def _carry_out(self, plans: Sequence[Plan], bulk: Bulk, ends: float | None) -> None:
        """Tell the devices: the changes of one device one after the other, the devices side by side."""
        together = min(bulk.concurrency or MOST_AT_ONCE, MOST_AT_ONCE)
        chains = iter(_by_device(plans) if together > 1 else [list(plans)])
        failed = False

        async def work() -> None:
            nonlocal failed
            for chain in chains:
                for plan in chain:
                    if bulk.stop_on_error and failed:
                        plan.error = Refused("not begun: an earlier change failed")
                    else:
                        await self._delivery.carry_out(plan)
                    failed = failed or not plan.ended(self.checks.identity.user).success
                    self._tell_progress(plan, bulk)
                    if plan.refused:
                        await asyncio.sleep(0)  # thousands that a stop refuses must not keep the loop

        try:
            async with asyncio.timeout_at(ends):
                await asyncio.gather(*(work() for _ in range(min(together, len(plans)))))
        except TimeoutError:
            for plan in plans:
                if plan.operation is None:
                    plan.break_off(TIME_IS_OVER)
                    self._tell_progress(plan, bulk)

    async def _conclude(self, plans: Sequence[Plan], bulk: Bulk) -> None:
        """Journal and keep what became of everything that was begun, also when somebody broke it off."""
        begun = [plan for plan in plans if plan.intended]
        if not begun:
            return
        for plan in begun:
            if plan.operation is None:
                plan.break_off("it was broken off" if plan.sent else "it was broken off before it was sent")
                self._ended(plan)
        outcomes = [plan.outcome(self._evidence) for plan in begun]
        await self._evidence.record_if_possible(outcomes, behind=begun[0].intended)
        _log("ended", begun)
        try:
            await asyncio.to_thread(bulk.keep, [self._ended(plan) for plan in plans])
        except StateUnavailable as error:
            LOGGER.error("what became of %s could not be kept: %s", bulk.bulk_id, error)

    def _tell_progress(self, plan: Plan, bulk: Bulk) -> None:
        try:
            bulk.progress(self._ended(plan))
        except Exception:  # whoever watches must not stop what is under way
            LOGGER.exception("the progress of %s could not be told", plan.operation_id)


def _log(moment: str, plans: Sequence[Plan]) -> None:
    """Tell the log what became of changes; what that takes is loaded only where somebody reads it."""
    if plans and LOGGER.isEnabledFor(logging.INFO):
        from dsmilctl.guard.chronicle import tell

        tell(moment, plans)


def _problem(error: DSMILError) -> dict[str, object]:
    return {"code": error.code, "error": error.message}


def _by_device(plans: Iterable[Plan]) -> list[list[Plan]]:
    chains: dict[DeviceId, list[Plan]] = {}
    for plan in plans:
        chains.setdefault(plan.managed.device.device_id, []).append(plan)
    return list(chains.values())
