"""Approvals: the consent of a second person, kept on disk, for exactly one operation, once, for a while.

Each lies in a sealed file of its own; one that cannot be read or that was changed by hand approves nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import msgspec

from dsmilctl.clock import NANOSECONDS, SYSTEM, Clock
from dsmilctl.errors import ApprovalRequired, Conflict, NotFound, PermissionDenied, RateLimitError
from dsmilctl.guard.chain import canonical, seal, sha256, unseal
from dsmilctl.guard.files import FileLock, is_temporary, plain_name, unavailable, write_durably
from dsmilctl.model.approval import Approval, ApprovalStatus, Subject
from dsmilctl.model.identity import Clearance, Identity
from dsmilctl.model.lookalike import skeleton

LIFETIME = 900.0
"""Seconds that an approval is good for.  Source: the DSMIL API, version 2, two-person approval."""
MOST_PENDING = 50
"""Requests of one user that may wait for an answer."""
KEPT = 30 * 86400 * NANOSECONDS
"""How long an approval that is over is kept for the lists."""
URL = "/api/v2/approvals"
_HINT = "ask a second person: dsmilctl approval request"


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """An approval as it lies on disk, with what tells whether it is over and who its requester is.

    `boot` and `until` are the start of the machine and the monotonic time of expiry: setting the wall clock
    back prolongs nothing.
    """

    approval: Approval
    requester_id: str
    requester_keys: tuple[str, ...]
    boot: str
    since: float
    until: float


_decoder = msgspec.json.Decoder(_Kept)


class Approvals:
    """The approvals of one fleet.  `lifetime` is in seconds.

    `approver` tells who somebody is now (None: nobody any more); whoever does not know leaves it out.
    """

    approver: Callable[[str], Identity | None] | None = None

    def __init__(self, folder: Path, clock: Clock = SYSTEM, *, lifetime: float = LIFETIME) -> None:
        self._folder = folder
        self._clock = clock
        self._lifetime = lifetime
        self._boot = boot_id()

    def request(self, subject: Subject, level: str, requester: Identity, justification: str) -> Approval:
        """Ask for a second person; raises RateLimitError for one who has too many requests open."""
        now, since = self._clock.now(), self._clock.monotonic()
        approval = Approval(
            approval_id=f"approval-{os.urandom(9).hex()}",
            status=ApprovalStatus.PENDING,
            subject=subject,
            digest=digest_of(subject),
            level=level,
            requested_by=requester.user,
            requested_at=now,
            expires_at=now + round(self._lifetime * NANOSECONDS),
            justification=justification,
        )
        kept = _Kept(
            approval=approval,
            requester_id=requester.user_id,
            requester_keys=tuple(sorted(requester.keys)),
            boot=self._boot,
            since=since,
            until=since + self._lifetime,
        )
        with self._locked():
            self._forget_old()
            own = [item for item in self.all(ApprovalStatus.PENDING) if item.requested_by == requester.user]
            if len(own) >= MOST_PENDING:
                raise RateLimitError(
                    f"{requester.user} has {len(own)} requests open", retry_after=self._lifetime, hint="wait"
                )
            self._write(kept)
        return approval

    def all(self, status: ApprovalStatus | None = None) -> list[Approval]:
        """The approvals, newest first; of one status, or all."""
        found = [self._as_of_now(kept) for kept in self._each()]
        chosen = [item for item in found if status in (None, item.status)]
        return sorted(chosen, key=lambda item: (item.requested_at, item.approval_id), reverse=True)

    def get(self, approval_id: str) -> Approval:
        """One approval as it stands now; raises NotFound."""
        return self._as_of_now(self._find(approval_id))

    def decide(self, approval_id: str, approver: Identity, *, approve: bool, justification: str) -> Approval:
        """The word of the second person.

        Raises PermissionDenied for the requester under whatever name and for a clearance or device that does
        not suffice, Conflict for one that was decided before or is over, NotFound.
        """
        with self._locked():
            kept = self._find(approval_id)
            approval = self._as_of_now(kept)
            self._require_second_person(kept, approver)
            if approval.status is not ApprovalStatus.PENDING:
                raise Conflict(f"{approval_id} is {approval.status}", target=approval_id)
            decided = msgspec.structs.replace(
                approval,
                status=ApprovalStatus.APPROVED if approve else ApprovalStatus.REJECTED,
                decided_by=approver.user,
                decided_at=self._clock.now(),
                decision_justification=justification,
            )
            self._write(msgspec.structs.replace(kept, approval=decided))
        return decided

    def check(self, approval_id: str, subject: Subject, requester: Identity) -> None:
        """Raise ApprovalRequired unless it is good for exactly this operation of this person, now."""
        self._good(approval_id, subject, requester)

    def use(self, approval_id: str, subject: Subject, requester: Identity) -> None:
        """Use an approval up; raises as `check`, and so for everybody but the first.

        Raises StateUnavailable where that cannot be written: then it was not used, and nothing may happen.
        """
        with self._locked():
            kept = self._good(approval_id, subject, requester)
            used = msgspec.structs.replace(
                kept.approval, status=ApprovalStatus.USED, used_at=self._clock.now()
            )
            self._write(msgspec.structs.replace(kept, approval=used))

    def _good(self, approval_id: str, subject: Subject, requester: Identity) -> _Kept:
        try:
            kept = self._find(approval_id)
        except NotFound:
            _refuse(f"there is no approval {approval_id!r}", approval_id)
        approval = self._as_of_now(kept)
        if approval.status is not ApprovalStatus.APPROVED:
            _refuse(f"{approval_id} is {approval.status}", approval_id)
        if (approval.requested_by, kept.requester_id) != (requester.user, requester.user_id):
            _refuse(f"{approval_id} was given to {approval.requested_by}", approval_id)
        if approval.digest != digest_of(subject) or approval.digest != digest_of(approval.subject):
            _refuse(f"{approval_id} covers another operation, or one that was asked for earlier", approval_id)
        self._require_standing(approval)
        return kept

    def _require_standing(self, approval: Approval) -> None:
        """Refuse what was approved by somebody who could not approve it any more."""
        if self.approver is None:
            return
        approver, device_id = self.approver(approval.decided_by), approval.subject.device_id
        if (
            approver is None
            or approver.clearance < Clearance[approval.level]
            or (device_id is not None and not approver.may_see(device_id))
        ):
            why = f"{approval.decided_by}, who approved {approval.approval_id}, may not approve it any more"
            _refuse(why, approval.approval_id)

    def _require_second_person(self, kept: _Kept, approver: Identity) -> None:
        approval = kept.approval
        requester = Identity(
            approval.requested_by, "", user_id=kept.requester_id, keys=frozenset(kept.requester_keys)
        )
        if same_person(requester, approver):
            raise PermissionDenied(
                f"{approver.user} asked for {approval.approval_id}: somebody else has to decide",
                hint="the second person is a different one, under whatever name",
                target=approval.approval_id,
            )
        if approver.clearance < Clearance[approval.level]:
            raise PermissionDenied(
                f"{approval.approval_id} takes an approver of clearance {approval.level}",
                target=approval.approval_id,
                required=approval.level,
                held=approver.clearance.name,
            )
        device_id = approval.subject.device_id
        if device_id is not None and not approver.may_see(device_id):
            raise PermissionDenied(f"{approver.user} has no access to that device", target=str(device_id))

    def _as_of_now(self, kept: _Kept) -> Approval:
        approval = kept.approval
        if approval.status in (ApprovalStatus.PENDING, ApprovalStatus.APPROVED) and self._over(kept):
            return msgspec.structs.replace(approval, status=ApprovalStatus.EXPIRED)
        return approval

    def _over(self, kept: _Kept) -> bool:
        """Whether it is over by either clock; one from before the machine was started is."""
        now, monotonic = self._clock.now(), self._clock.monotonic()
        return (
            now >= kept.approval.expires_at
            or kept.boot != self._boot
            or not kept.since <= monotonic < kept.until
        )

    def _locked(self) -> FileLock:
        return FileLock(self._folder / ".lock.tmp")

    def _each(self) -> Iterator[_Kept]:
        try:
            names = [item.name for item in os.scandir(self._folder)]
        except FileNotFoundError:
            return  # nobody has asked for one yet
        except OSError as error:
            raise unavailable(f"{self._folder} cannot be read", error, self._folder) from error
        for name in names:
            if not is_temporary(name) and (kept := _read(self._folder / name)) is not None:
                yield kept

    def _find(self, approval_id: str) -> _Kept:
        kept = _read(self._path(approval_id))
        if kept is None or kept.approval.approval_id != approval_id:
            raise NotFound(f"no approval {approval_id!r}", hint="dsmilctl approval list", target=approval_id)
        return kept

    def _path(self, approval_id: str) -> Path:
        return self._folder / f"{plain_name(approval_id)}.json"

    def _write(self, kept: _Kept) -> None:
        path = self._path(kept.approval.approval_id)
        try:
            write_durably(path, seal(canonical(kept))[0])
        except OSError as error:
            raise unavailable("the approval cannot be kept", error, path) from error

    def _forget_old(self) -> None:
        for kept in list(self._each()):
            if kept.approval.expires_at + KEPT < self._clock.now():
                with suppress(OSError):  # it is over whether its file is there or not
                    self._path(kept.approval.approval_id).unlink(missing_ok=True)


def _refuse(why: str, approval_id: str) -> NoReturn:
    raise ApprovalRequired(why, hint=_HINT, target=approval_id, url=URL)


def _read(path: Path) -> _Kept | None:
    try:
        content = unseal(path.read_bytes().removesuffix(b"\n"))
        return None if content is None else _decoder.decode(content)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def digest_of(subject: Subject) -> str:
    """The SHA-256 of a subject: whatever differs in it gives another one."""
    digest: str = sha256(canonical(subject)).hexdigest()
    return digest


def hash_of(value: object) -> str:
    """The SHA-256 of the definition of a register, a command, a policy."""
    digest: str = sha256(canonical(value)).hexdigest()
    return digest


def same_person(one: Identity, other: Identity) -> bool:
    """Whether two identities are one person: same id, same key, or names that look the same."""
    if one.user_id and one.user_id == other.user_id:
        return True
    return bool(one.keys & other.keys) or skeleton(one.user) == skeleton(other.user)


def boot_id() -> str:
    """What tells one start of the machine from the next; empty where the system does not say.

    Source: random(4), /proc/sys/kernel/random/boot_id.
    """
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
