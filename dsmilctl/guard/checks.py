"""The checks that stand before every change, in their order; the first refusal wins.

1 latch, 2 read-only, 3 quarantine, 4 identity, 5 justification, 6 approval, 7 value, 8 rate, 9 state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

from dsmilctl.drivers.managed import Managed
from dsmilctl.drivers.requirements import require_known_state
from dsmilctl.errors import (
    ApprovalRequired,
    DeviceBusy,
    DeviceQuarantined,
    DSMILError,
    EmergencyStopActive,
    InvalidParameter,
    JustificationRequired,
    PermissionDenied,
    ReadOnly,
    StateUnavailable,
)
from dsmilctl.guard.consent import Consent
from dsmilctl.guard.policy import Policy
from dsmilctl.guard.rates import Bucket, Rates
from dsmilctl.guard.values import require_operation, writable_register
from dsmilctl.model.device import Device, DeviceId
from dsmilctl.model.emergency import Stop
from dsmilctl.model.identity import Clearance, Identity
from dsmilctl.model.operation import OperationType, Request
from dsmilctl.model.register import Register

if TYPE_CHECKING:
    from dsmilctl.guard.since import Since


class Checks(msgspec.Struct, frozen=True, kw_only=True):
    """What the checks know: the policy, who asks, where, and who can say which stops are in force, or come.

    `policy_problem` says why the policy could not be read: nothing is changed then, and reads go on.
    `consent` is what a server knows of second persons; a local fleet has none.  With `part_of_bulk` each
    change is judged as one of a bulk.
    """

    policy: Policy
    identity: Identity
    context: str
    read_only: bool
    rates: Rates
    holding: Callable[[DeviceId], Stop | None]
    since: Callable[[], Since]
    policy_problem: DSMILError | None = None
    consent: Consent | None = None
    part_of_bulk: bool = False

    def in_bulk(self) -> Checks:
        """The checks for the parts of a bulk, which was counted as a whole: devices still count."""
        policy = msgspec.structs.replace(self.policy, rates={})
        return msgspec.structs.replace(self, policy=policy, part_of_bulk=True)

    def before_device(
        self, managed: Managed, request: Request, stops: Sequence[Stop], *, bulk: bool = False
    ) -> Register | None:
        """Checks 1 to 7 as far as none of them needs the device; the register, if one is to be written."""
        device, kind = managed.device, judged_as(managed, request)
        self.under_none_of(stops, device)
        self.writable(device.shown_id)
        self.quarantine(managed, request)
        self.authorised(device)
        self.clearance(device.shown_id, kind)
        self.justification(device, kind, request.justification, bulk=bulk or self.part_of_bulk)
        self.approval(managed, request, kind)
        if self.consent is None:
            self.without_approval(request.approval)
        return self.value(managed, request)

    def latch(self, device: Device) -> None:
        """Check 1, looked at anew: no emergency stop holds the device."""
        if stop := self.holding(device.device_id):
            raise stopped(stop, device.shown_id, self.context)

    def under_none_of(self, stops: Sequence[Stop], device: Device) -> None:
        """Check 1 for one of many devices: none of the stops in force holds it."""
        for stop in stops:
            if stop.covers(device.device_id):
                raise stopped(stop, device.shown_id, self.context)

    def writable(self, target: str) -> None:
        """Check 2: neither the context nor the session is read-only."""
        if self.read_only:
            raise ReadOnly(
                f"context {self.context} is read-only: {target} was not changed",
                hint="leave --read-only out, or use a context that is not read-only",
                target=target,
            )

    def quarantine(self, managed: Managed, request: Request) -> None:
        """Check 3: a quarantined device is neither read nor changed without an approval that names it."""
        device = managed.device
        if not device.quarantined:
            return
        what = f"{device.shown_id} ({device.name}) is quarantined"
        if self.consent is None:
            hint = "quarantined devices need an approval by two persons, which only a server can give"
            raise _quarantined(device, what, hint)
        level = self.policy.quarantine
        if self.policy_problem is not None or self.identity.clearance < Clearance[level]:
            raise _quarantined(
                device, f"{what}: it takes clearance {level}", "ask somebody with that clearance"
            )
        try:
            self.consent.check(self.identity, managed, request)
        except ApprovalRequired as refusal:
            raise _quarantined(device, f"{what}: {refusal.message}", refusal.hint) from None

    def authorised(self, device: Device) -> None:
        """Check 4, first half: the device is among those of the identity."""
        if not self.identity.may_see(device.device_id):
            raise PermissionDenied(
                f"{self.identity.user} has no access to {device.shown_id}",
                hint="ask for the device to be added to your account",
                target=device.shown_id,
            )

    def clearance(self, target: str, kind: OperationType) -> None:
        """Check 4: the policy can be read, and the identity's clearance suffices for the operation."""
        if self.policy_problem is not None:
            if kind is OperationType.READ:
                return
            raise StateUnavailable(
                f"{target} was not changed, as the policy cannot be used: {self.policy_problem.message}",
                hint=self.policy_problem.hint or "mend the policy file",
                target=self.policy_problem.target,
            )
        self.require_level(f"{kind} on {target}", self.policy.level(kind), kind)

    def administration(self, target: str, kind: OperationType) -> None:
        """Check 4 of what touches everybody: a server asks for TOP_SECRET and the sight of all devices."""
        self.clearance(target, kind)
        if self.consent is None:
            return
        what = f"the administration of the server on {target}"
        self.require_level(what, Clearance.TOP_SECRET, kind)
        if self.identity.devices is not None:
            raise PermissionDenied(
                f"{target} serves devices that {self.identity.user} is kept from",
                hint="ask somebody who may see every device",
                target=target,
            )

    def require_level(self, what: str, level: Clearance, kind: OperationType) -> None:
        """Raise PermissionDenied unless the identity has that clearance."""
        if self.policy_problem is not None and kind is not OperationType.READ:
            self.clearance(what, kind)
        if self.identity.clearance < level:
            raise PermissionDenied(
                f"{what} needs clearance {level.name}, "
                f"{self.identity.user} has {self.identity.clearance.name}",
                hint=f"ask somebody whose clearance is {level.name} or higher",
                target=what.rpartition(" on ")[2],
                required=level.name,
                held=self.identity.clearance.name,
            )

    def justification(self, device: Device, kind: OperationType, text: str, *, bulk: bool = False) -> None:
        """Check 5: a justification where the policy asks for one."""
        asked = device.quarantined or device.risk in self.policy.justification.get(kind, ())
        if asked or (bulk and self.policy.justify_bulk):
            what = f"{kind} on {device.shown_id} (risk {device.risk})" if asked else "a bulk of changes"
            self.require_justification(text, what)

    def require_justification(self, text: str, what: str) -> None:
        """Raise JustificationRequired unless `text` says as much as the policy asks for."""
        least, most = self.policy.shortest, self.policy.longest
        length = len(text.strip())
        if not least <= length <= most or readable(text) < least:
            raise JustificationRequired(
                f"{what} needs a justification of {least} to {most} characters ({readable(text)} given)",
                hint="--justification 'why this is done'",
                target="--justification",
            )

    def approval(self, managed: Managed, request: Request, kind: OperationType) -> None:
        """Check 6: a second person where the policy asks for one; a local fleet has only one identity."""
        device = managed.device
        if not (request.dual_auth or self.needs_approval(device, kind)):
            return
        if self.consent is None:
            raise ApprovalRequired(
                f"{kind} on {device.shown_id} needs the approval of a second person",
                hint="a local fleet knows one person only and can take no approval: put it behind a server",
                target=device.shown_id,
            )
        self.consent.check(self.identity, managed, request)

    def needs_approval(self, device: Device, kind: OperationType) -> bool:
        """Whether a second person is needed: a quarantined device, or where the policy asks."""
        return device.quarantined or device.risk in self.policy.approval.get(kind, ())

    def use_approval(self, managed: Managed, request: Request, kind: OperationType) -> bool:
        """Checks 3 and 6 once more, where the device is: the approval is still good, and is used up now.

        False where none was needed.
        """
        needed = request.dual_auth or self.needs_approval(managed.device, kind)
        if self.consent is None or not needed:
            return False
        self.consent.use(self.identity, managed, request)
        return True

    def without_approval(self, approval: str) -> None:
        """Check 6, the other way round: nothing may look as if somebody had approved of it."""
        if approval:
            raise InvalidParameter(
                f"there are no approvals in context {self.context}, so there is no {approval!r}",
                hint="leave --approval out: a local fleet knows one person only, approvals need a server",
                target="--approval",
            )

    def value(self, managed: Managed, request: Request) -> Register | None:
        """Check 7: the register can be written with that value, or the driver has that command."""
        if request.type is OperationType.WRITE:
            return writable_register(managed.device, request)
        if request.if_value is not None:
            raise InvalidParameter(
                f"{request.type} writes no register that could be compared",
                hint="leave --if-value out",
                target="--if-value",
            )
        require_operation(managed, request)
        return None

    def rate(self, wanted: Iterable[tuple[Device, OperationType]], rates: Rates) -> list[DSMILError | None]:
        """Check 8: the token buckets of the identity, for one change after the other; who is refused and why.

        May wait for other processes that count in the same file.
        """
        return [self._take(self.buckets(device, kind), rates) for device, kind in wanted]

    def buckets(self, device: Device, kind: OperationType) -> list[tuple[str, Bucket]]:
        """The buckets that a change takes a token from: its operation's, and its device's by risk."""
        keys: list[tuple[str, Bucket]] = []
        if bucket := self.policy.rates.get(kind):
            keys.append((f"{self.identity.user}/{kind}", bucket))
        if bucket := self.policy.device_rates.get(device.risk):
            keys.append((f"{self.identity.user}/{device.shown_id}", bucket))
        return keys + self.quarantine_buckets(device)

    def quarantine_buckets(self, device: Device) -> list[tuple[str, Bucket]]:
        """The bucket of everything that an identity does to quarantined devices."""
        bucket = self.policy.quarantine_rate if device.quarantined else None
        return [(f"{self.identity.user}/quarantined", bucket)] if bucket else []

    def read_buckets(self) -> list[tuple[str, Bucket]]:
        """The bucket that a read takes one token from, however many devices it is about."""
        bucket = None if self.policy_problem else self.policy.rates.get(OperationType.READ)
        return [(f"{self.identity.user}/{OperationType.READ}", bucket)] if bucket else []

    def request_buckets(self) -> list[tuple[str, Bucket]]:
        """The buckets of everything that an identity asks for, and of what everybody does."""
        keys: list[tuple[str, Bucket]] = []
        if self.policy_problem is None:
            if bucket := self.policy.request_rate(self.identity.clearance):
                keys.append((f"{self.identity.user}/requests", bucket))
            if self.policy.total_rate:
                keys.append(("everybody", self.policy.total_rate))
        return keys

    def allowances(self) -> tuple[int | None, int | None]:
        """Requests per minute and operations at once that the identity may have; None is any number."""
        if self.policy_problem is not None:
            return None, None
        level = self.identity.clearance
        bucket = self.policy.request_rate(level)
        requests = None if bucket is None else round(60 * bucket.capacity / bucket.per_seconds)
        return requests, self.policy.most_at_once(level)

    def bulk_buckets(self) -> list[tuple[str, Bucket]]:
        """The bucket that a bulk of changes takes one token from."""
        bucket = self.policy.bulk_rate
        return [(f"{self.identity.user}/BULK", bucket)] if bucket else []

    @staticmethod
    def _take(keys: list[tuple[str, Bucket]], rates: Rates) -> DSMILError | None:
        try:
            if keys:
                rates.take(keys)
        except DSMILError as error:
            return error
        return None

    def state(self, managed: Managed, *, held: bool) -> None:
        """Check 9: the lifecycle allows it, and nobody else holds the device."""
        require_known_state(managed)
        if not held:
            device = managed.device
            raise DeviceBusy(
                f"{device.shown_id} is being changed by somebody else",
                device_id=device.device_id,
                hint="try again when that is done, or wait longer for it with --timeout",
            )

    def reads_freely(self) -> bool:
        """Whether check 4 lets every read pass that check 3 lets pass."""
        return self.identity.devices is None and (
            self.policy_problem is not None
            or self.identity.clearance >= self.policy.level(OperationType.READ)
        )

    def read(self, managed: Managed, request: Request | None = None) -> None:
        """What is asked of each device before a read: checks 3 to 5.

        Without a request (a stream, a lifecycle verb) nothing opens a quarantined device.
        """
        device = managed.device
        asked = request or Request(device_id=device.device_id, type=OperationType.READ)
        self.quarantine(managed, asked)
        self.authorised(device)
        self.clearance(device.shown_id, OperationType.READ)
        if device.quarantined:
            self.justification(device, OperationType.READ, asked.justification)


def _quarantined(device: Device, message: str, hint: str) -> DeviceQuarantined:
    return DeviceQuarantined(message, device_id=device.device_id, hint=hint, target=device.shown_id)


def judged_as(managed: Managed, request: Request) -> OperationType:
    """What the policy judges a change as: a command as what its driver declares it to be."""
    if request.command and request.type is not OperationType.WRITE:
        declared = managed.driver.commands.get(request.command)
        return declared.operation if declared else request.type
    return request.type


def stopped(stop: Stop, target: str, context: str) -> EmergencyStopActive:
    """The refusal under an emergency stop."""
    return EmergencyStopActive(
        f"{target} is under {stop.stop_id} ({stop.reason})",
        hint=f"dsmilctl -C {context} emergency status, then emergency release {stop.stop_id}",
        target=target,
        stop_id=stop.stop_id,
    )


def readable(text: str) -> int:
    """How many characters of a text somebody can read."""
    return sum(character.isprintable() for character in text.strip())
