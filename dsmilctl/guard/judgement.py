"""Judgement: the guard's checks over one change or thousands, with their devices asked side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet

from dsmilctl.drivers.lifecycle import Lifecycle
from dsmilctl.errors import DSMILError, NetworkError, StateUnavailable
from dsmilctl.guard.checks import Checks
from dsmilctl.guard.evidence import Evidence
from dsmilctl.guard.plan import Plan
from dsmilctl.guard.values import compare
from dsmilctl.model.device import DeviceId
from dsmilctl.model.emergency import Stop
from dsmilctl.model.reading import Reading

UNREACHED = ("TIMEOUT", "NETWORK_ERROR", "PROTOCOL_ERROR")
"""Codes of a reading that tell that the device did not answer, whatever its register holds."""

AT_ONCE = 500
"""Changes that are judged before others get a turn on the event loop."""


class Judgement:
    """Puts into each plan what stands in its way; a plan without an error has passed."""

    def __init__(
        self,
        checks: Checks,
        lifecycle: Lifecycle,
        evidence: Evidence,
        in_force: Callable[[], Sequence[Stop]],
        deadline: float,
    ) -> None:
        self.checks = checks
        self._lifecycle = lifecycle
        self._evidence = evidence
        self._in_force = in_force
        self._deadline = deadline

    async def alone(self, plans: Sequence[Plan], *, bulk: bool) -> None:
        """Checks 1 to 7, as far as they need no device."""
        stops = self._in_force()
        for number, plan in enumerate(plans, 1):
            try:
                plan.register = self.checks.before_device(plan.managed, plan.request, stops, bulk=bulk)
            except DSMILError as refusal:
                plan.error = refusal
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)

    async def with_devices(self, plans: Sequence[Plan], held: AbstractSet[DeviceId]) -> None:
        """Checks 1 (again, for waiting takes time), 7 to 9, and whether anything can be journalled.

        `held` are the devices that nobody else has.
        """
        since, stops = self.checks.since(), self._in_force()
        for plan in plans:
            plan.since = since
        for plan in plans if stops else ():
            try:
                self.checks.under_none_of(stops, plan.managed.device)
            except DSMILError as refusal:
                plan.error = refusal
        silent = await self._compare(passed(plans))
        await self._count(passed(plans))
        for plan in passed(plans):
            try:
                self.checks.state(plan.managed, held=plan.managed.device.device_id in held)
                plan.error = silent.get(plan.operation_id)
            except DSMILError as refusal:
                plan.error = refusal
        if left := passed(plans):
            try:
                await self._evidence.check()
            except StateUnavailable as error:
                refuse(left, error)
        if any(plan.request.approval for plan in plans):
            await asyncio.to_thread(self._use_approvals, passed(plans))

    def _use_approvals(self, plans: Sequence[Plan]) -> None:
        """Checks 3 and 6 once more, now that nothing else stands in the way; a dry run uses nothing up."""
        for plan in plans:
            if not plan.request.dry_run:
                try:
                    plan.approved = self.checks.use_approval(plan.managed, plan.request, plan.kind)
                except DSMILError as refusal:
                    plan.error = refusal

    async def _compare(self, plans: Sequence[Plan]) -> dict[str, DSMILError]:
        """Check 7 where it needs the device: what each register holds now, compared where that is asked for.

        Answers, by operation, which devices did not say.  Nothing is written to those: what cannot be read
        before cannot be put back, and a write to it would end as unknown.
        """
        silent: dict[str, DSMILError] = {}

        async def read(plans_of_driver: Sequence[Plan]) -> None:
            wanted = [(plan.managed, [plan.register]) for plan in plans_of_driver if plan.register]
            answers = await self._lifecycle.read_many(wanted, deadline=self._deadline)
            for plan, (reading,) in zip(plans_of_driver, answers, strict=True):
                if (problem := _compared(plan, reading)) is not None:
                    silent[plan.operation_id] = problem

        async def reach(plan: Plan) -> None:
            try:
                await self._lifecycle.connect(plan.managed, self._deadline)
            except DSMILError as error:
                silent[plan.operation_id] = _unreached(plan, error.message)

        blind = [plan for plan in plans if plan.register is None or not plan.register.readable]
        await asyncio.gather(*map(read, _by_driver(plans)), *map(reach, blind))
        return silent

    async def _count(self, plans: Sequence[Plan]) -> None:
        """Check 8; a dry run takes its tokens from a copy of the buckets."""
        for dry_run in (True, False):
            counted = [
                plan
                for plan in plans
                if plan.request.dry_run is dry_run and self.checks.buckets(plan.managed.device, plan.kind)
            ]
            if not counted:
                continue
            rates = self.checks.rates
            try:
                chosen = await asyncio.to_thread(rates.rehearsal) if dry_run else rates
            except StateUnavailable as error:
                refuse(counted, error)
                continue
            asked = [(plan.managed.device, plan.kind) for plan in counted]
            if chosen.waits:
                refusals = await asyncio.to_thread(self.checks.rate, asked, chosen)
            else:
                refusals = self.checks.rate(asked, chosen)
            for plan, refusal in zip(counted, refusals, strict=True):
                plan.error = refusal


def passed(plans: Iterable[Plan]) -> list[Plan]:
    """The plans that nothing stands in the way of."""
    return [plan for plan in plans if plan.error is None]


def refuse(plans: Iterable[Plan], error: DSMILError) -> None:
    """Put the same error into several plans."""
    for plan in plans:
        plan.error = error


def _compared(plan: Plan, reading: Reading) -> DSMILError | None:
    """Keep what the register holds; the refusal is in the plan, why the device did not say is the answer."""
    plan.old, device, register = reading.value, plan.managed.device, plan.register
    if plan.request.if_value is not None and register is not None:
        try:
            compare(device, register, plan.request.if_value, reading)
        except DSMILError as refusal:
            plan.error = refusal
    elif reading.value is None and reading.error_code in UNREACHED:
        return _unreached(plan, reading.error)
    return None


def _unreached(plan: Plan, why: str) -> NetworkError:
    message = f"nothing was {'written' if plan.register else 'ordered'}: {why}"
    hint = "dsmilctl doctor, or a longer --timeout"
    return NetworkError(message, hint=hint, target=plan.managed.device.shown_id)


def _by_driver(plans: Iterable[Plan]) -> list[list[Plan]]:
    """The plans that write a register which can be read, by driver."""
    groups: dict[str, list[Plan]] = {}
    for plan in plans:
        if plan.register is not None and plan.register.readable:
            groups.setdefault(plan.managed.driver.name, []).append(plan)
    return list(groups.values())
