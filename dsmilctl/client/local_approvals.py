"""Approvals of a served fleet: asking a second person, and being one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from dsmilctl.errors import DSMILError, InvalidParameter, nearest
from dsmilctl.fleet.fleet import Fleet
from dsmilctl.fleet.registers import registers_of
from dsmilctl.guard.checks import Checks, judged_as
from dsmilctl.guard.consent import Consent
from dsmilctl.guard.evidence import Evidence
from dsmilctl.model.approval import Approval, ApprovalStatus, Subject
from dsmilctl.model.device import show_id
from dsmilctl.model.identity import Clearance, Identity
from dsmilctl.model.operation import OperationType, Request


class Consents:
    """The approvals of one fleet as one identity meets them; everything is on record."""

    def __init__(self, fleet: Fleet, checks: Checks, evidence: Evidence, consent: Consent) -> None:
        self._fleet = fleet
        self._checks = checks
        self._evidence = evidence
        self._consent = consent

    def know_approvers(self, approver: Callable[[str], Identity | None]) -> None:
        """Ask from now on who an approver is when an approval is used; None is nobody any more."""
        self._consent.approvals.approver = approver

    async def request(self, request: Request | None, justification: str, stop_id: str) -> Approval:
        """Ask for a second person; raises what would refuse the operation even with one."""
        checks = self._checks
        try:
            checks.require_justification(justification, "a request for an approval")
            if request is None:
                subject, level = self._consent.release(stop_id), checks.policy.release_level
                checks.require_level("the release of an emergency stop", level, OperationType.RESET)
            else:
                subject, level = await self._subject(request)
            return await self._kept(subject, level, justification)
        except DSMILError as refusal:
            target = "emergency" if request is None else show_id(request.device_id)
            await self._denied("approval.request", target, refusal)
            raise

    async def _kept(self, subject: Subject, level: Clearance, justification: str) -> Approval:
        await self._evidence.check()
        ask = self._consent.approvals.request
        approval = await asyncio.to_thread(ask, subject, level.name, self._checks.identity, justification)
        await self._record("approval.request", approval, justification)
        return approval

    async def _subject(self, request: Request) -> tuple[Subject, Clearance]:
        checks, managed = self._checks, await self._fleet.managed(request.device_id)
        device, kind = managed.device, judged_as(managed, request)
        checks.writable(device.shown_id)
        checks.authorised(device)
        level = checks.policy.level(kind)
        if device.quarantined:
            level = max(level, Clearance[checks.policy.quarantine])
        checks.require_level(f"{kind} on {device.shown_id}", level, kind)
        if kind is not OperationType.READ:
            checks.value(managed, request)
        else:
            (table,) = registers_of([device], [name for name in request.register.split(",") if name])
            names = ",".join(register.name for register in table)
            arguments, register = request.arguments, names
            request = Request(
                device_id=device.device_id, type=request.type, register=register, arguments=arguments
            )
        return self._consent.subject(managed, request), level

    async def all(self, status: str) -> list[Approval]:
        """The approvals of a status (or all) about devices that this identity may see, newest first."""
        if status and status.upper() not in ApprovalStatus.__members__:
            hint = nearest(status, ApprovalStatus) or f"one of {', '.join(ApprovalStatus)}"
            raise InvalidParameter(f"no status {status!r}", hint=hint, target="status")
        wanted = ApprovalStatus(status.upper()) if status else None
        found = await asyncio.to_thread(self._consent.approvals.all, wanted)
        identity = self._checks.identity
        return [
            item
            for item in found
            if item.subject.device_id is None or identity.may_see(item.subject.device_id)
        ]

    async def decide(self, approval_id: str, *, approve: bool, justification: str) -> Approval:
        """The word of the second person; raises PermissionDenied, NotFound or Conflict."""
        action = "approval.approve" if approve else "approval.reject"
        try:
            self._checks.writable(approval_id)
            await self._evidence.check()
            decided = await asyncio.to_thread(
                self._consent.approvals.decide,
                approval_id,
                self._checks.identity,
                approve=approve,
                justification=justification,
            )
        except DSMILError as refusal:
            await self._denied(action, approval_id, refusal)
            raise
        await self._record(action, decided, justification)
        return decided

    async def _record(self, action: str, approval: Approval, justification: str) -> None:
        subject = approval.subject
        said: dict[str, object] = {
            "approval": approval.approval_id,
            "operation": subject.operation_type,
            "register": subject.register,
            "value": subject.value,
            "command": subject.command,
            "stop": subject.stop_id,
            "digest": approval.digest,
            "justification": justification,
        }
        target = "emergency" if subject.device_id is None else show_id(subject.device_id)
        await self._evidence.record_if_possible([self._evidence.entry(action, target, "SUCCESS", said)])

    async def _denied(self, action: str, target: str, refusal: DSMILError) -> None:
        said: dict[str, object] = {"code": refusal.code, "error": refusal.message}
        line = self._evidence.entry(action, target, "DENIED", said, decision="DENIED")
        await self._evidence.record_if_possible([line])
