"""Admission: what the guard asks before reads, releases, bulks as a whole, and requests of any kind."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext

from dsmilctl.drivers.managed import Managed
from dsmilctl.errors import ApprovalRequired, DSMILError, ReadOnly
from dsmilctl.guard.checks import Checks
from dsmilctl.guard.evidence import Evidence
from dsmilctl.guard.places import Places
from dsmilctl.guard.rates import Bucket
from dsmilctl.guard.writer import RESTART
from dsmilctl.model.operation import OperationType, Request


class Admission:
    """Stands before whatever is no change of a device."""

    def __init__(self, checks: Checks, evidence: Evidence) -> None:
        self._checks = checks
        self._evidence = evidence

    async def require_release(
        self, stop_id: str, justification: str, approval: str = "", *, use: bool = True
    ) -> None:
        """Raise, and journal, what bars a release; with `use` an approval that it takes is used up."""
        checks, policy = self._checks, self._checks.policy
        try:
            if checks.read_only:
                message = f"context {checks.context} is read-only: nothing was released"
                raise ReadOnly(message, hint="use a context that is not read-only")
            checks.require_level(
                "the release of an emergency stop", policy.release_level, OperationType.RESET
            )
            if policy.justify_release:
                checks.require_justification(justification, "the release of an emergency stop")
            if policy.approve_release and checks.consent is None:
                hint = "a local fleet knows one person only: put it behind a server"
                raise ApprovalRequired("a release needs the approval of a second person", hint=hint)
            if checks.consent is None:
                checks.without_approval(approval)
            elif policy.approve_release and use:
                await asyncio.to_thread(checks.consent.use_for_release, checks.identity, stop_id, approval)
        except DSMILError as refusal:
            await self.record_denied("emergency.release", {stop_id or "all": refusal})
            raise

    async def require_restart(self) -> None:
        """Raise, and journal where that is possible, what bars a new segment of the journal.

        It is allowed under an emergency stop.  No intent is journalled: the journal may be what is damaged.
        """
        try:
            self._checks.writable("the journal")
            self._checks.administration("the journal", OperationType.CONFIG)
        except DSMILError as refusal:
            await self.record_denied(RESTART, {"journal": refusal})
            raise

    async def count_read(self) -> None:
        """Check 8 of a read, whether of one device or of thousands; raises RateLimitError."""
        await self._take(self._checks.read_buckets())

    async def count_request(self) -> None:
        """Check 8 of anything at all that an identity asks of a server; raises RateLimitError."""
        await self._take(self._checks.request_buckets())

    async def begin_bulk(self, justification: str | None) -> None:
        """Checks 4, 5 and 8 of a bulk of changes as a whole; raises the refusal.

        `justification` is the best that one of its changes has, or None where something else is left to do:
        each change is judged on its own, too.
        """
        checks = self._checks
        checks.clearance("a bulk", OperationType.WRITE)
        if checks.policy.justify_bulk and justification is not None:
            checks.require_justification(justification, "a bulk of changes")
        await self._take(checks.bulk_buckets())

    def place(self, places: Places) -> AbstractAsyncContextManager[None]:
        """A place among the operations of the identity that are under way; entering raises RateLimitError."""
        _, most = self._checks.allowances()
        if most is None:
            return nullcontext()
        return places.one(self._checks.identity.user, most)

    async def _take(self, keys: list[tuple[str, Bucket]]) -> None:
        if keys and self._checks.rates.waits:
            await asyncio.to_thread(self._checks.rates.take, keys)
        elif keys:
            self._checks.rates.take(keys)

    async def open_quarantine(self, managed: Managed, request: Request) -> None:
        """Checks 6 and 8 of a read of a quarantined device, which is on record before it happens.

        Raises the refusal, or StateUnavailable where it cannot be recorded.
        """
        await self._take(self._checks.quarantine_buckets(managed.device))
        await self._evidence.check()
        await asyncio.to_thread(self._checks.use_approval, managed, request, OperationType.READ)
        said: dict[str, object] = {
            "register": request.register,
            "justification": request.justification,
            "approval": request.approval,
        }
        line = self._evidence.entry("device.read", managed.device.shown_id, "SUCCESS", said)
        await self._evidence.record([line])

    async def record_denied(self, action: str, denied: Mapping[str, DSMILError]) -> None:
        """Journal what was refused although it changes nothing, by the devices' shown ids."""
        entries = [
            self._evidence.entry(action, shown, "DENIED", {"code": error.code}, decision="DENIED")
            for shown, error in denied.items()
        ]
        await self._evidence.record_if_possible(entries)
