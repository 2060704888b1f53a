"""The checks that stand before every change, in their order; the first refusal wins.

1 latch, 2 read-only, 3 quarantine, 4 identity, 5 justification, 6 approval, 7 value, 8 rate, 9 state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from dsmilctl.drivers.lifecycle import require_known_state
from dsmilctl.drivers.managed import Managed
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
from dsmilctl.guard.policy import Policy
from dsmilctl.guard.rates import Bucket, Rates
from dsmilctl.guard.values import require_operation, writable_register
from dsmilctl.model.device import Device, DeviceId
from dsmilctl.model.emergency import Stop
from dsmilctl.model.identity import Identity
from dsmilctl.model.operation import OperationType, Request
from dsmilctl.model.register import Register


class Checks(msgspec.Struct, frozen=True, kw_only=True):
    """What the checks know: the policy, who asks, where, and who can say whether a stop is in force.

    `policy_problem` says why the policy could not be read: nothing is changed then, and reads go on.
    """

    policy: Policy
    identity: Identity
    context: str
    read_only: bool
    rates: Rates
    holding: Callable[[DeviceId], Stop | None]
    policy_problem: DSMILError | None = None

    def before_device(
        self, managed: Managed, request: Request, stops: Sequence[Stop], *, bulk: bool = False
    ) -> Register | None:
        """Checks 1 to 7 as far as none of them needs the device; the register, if one is to be written."""
        device, kind = managed.device, judged_as(managed, request)
        self.under_none_of(stops, device)
        self.writable(device.shown_id)
        self.quarantine(device)
        self.clearance(device.shown_id, kind)
        self.justification(device, kind, request.justification, bulk=bulk)
        self.approval(device, kind)
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

    def quarantine(self, device: Device) -> None:
        """Check 3: a quarantined device is neither read nor changed without an approval that names it."""
        if device.quarantined:
            raise DeviceQuarantined(
                f"{device.shown_id} ({device.name}) is quarantined",
                device_id=device.device_id,
                hint="quarantined devices need an approval by two persons, which only a server can give",
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
        level = self.policy.level(kind)
        if self.identity.clearance < level:
            raise PermissionDenied(
                f"{kind} on {target} needs clearance {level.name}, "
                f"{self.identity.user} has {self.identity.clearance.name}",
                hint=f"ask somebody whose clearance is {level.name} or higher",
                target=target,
            )

    def justification(self, device: Device, kind: OperationType, text: str, *, bulk: bool = False) -> None:
        """Check 5: a justification where the policy asks for one."""
        asked = device.risk in self.policy.justification.get(kind, ())
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

    def approval(self, device: Device, kind: OperationType) -> None:
        """Check 6: a second person where the policy asks for one; a local fleet has only one identity."""
        if device.risk in self.policy.approval.get(kind, ()):
            raise ApprovalRequired(
                f"{kind} on {device.shown_id} needs the approval of a second person",
                hint="a local fleet knows one person only and can take no approval: put it behind a server",
                target=device.shown_id,
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
        return keys

    def read_buckets(self) -> list[tuple[str, Bucket]]:
        """The bucket that a read takes one token from, however many devices it is about."""
        bucket = None if self.policy_problem else self.policy.rates.get(OperationType.READ)
        return [(f"{self.identity.user}/{OperationType.READ}", bucket)] if bucket else []

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

    def read(self, managed: Managed) -> None:
        """What is asked of each device before a read: checks 3 and 4."""
        self.quarantine(managed.device)
        self.clearance(managed.device.shown_id, OperationType.READ)


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
    )


def readable(text: str) -> int:
    """How many characters of a text somebody can read."""
    return sum(character.isprintable() for character in text.strip())
