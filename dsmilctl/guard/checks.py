"""The checks that stand before every change, in their order; the first refusal wins.

1 latch, 2 read-only, 3 quarantine, 4 identity, 5 justification, 6 approval, 7 value, 8 rate, 9 state.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from dsmilctl.drivers.lifecycle import require_command, require_known_state
from dsmilctl.drivers.managed import Managed
from dsmilctl.errors import (
    ApprovalRequired,
    Conflict,
    DeviceQuarantined,
    EmergencyStopActive,
    InvalidParameter,
    JustificationRequired,
    PermissionDenied,
    ReadOnly,
)
from dsmilctl.guard.policy import Policy
from dsmilctl.guard.rates import Bucket, Rates
from dsmilctl.model.device import Device, DeviceId
from dsmilctl.model.emergency import Stop
from dsmilctl.model.identity import Identity
from dsmilctl.model.operation import OperationType, Request
from dsmilctl.model.register import Register, Value, find_register

COMMANDS = {
    OperationType.CONFIG: "configure",
    OperationType.ACTIVATE: "activate",
    OperationType.DEACTIVATE: "deactivate",
}
"""The driver's command that carries out an operation which is not a write or a reset."""


class Checks(msgspec.Struct, frozen=True, kw_only=True):
    """What the checks know: the policy, who asks, where, and who can say whether a stop is in force."""

    policy: Policy
    identity: Identity
    context: str
    read_only: bool
    rates: Rates
    holding: Callable[[DeviceId], Stop | None]

    def before_value(self, managed: Managed, request: Request, *, bulk: bool = False) -> None:
        """Checks 1 to 6: none of them needs the device."""
        device = managed.device
        self.latch(device)
        self.writable(device)
        self.quarantine(device)
        self.clearance(device, request.type)
        self.justification(device, request, bulk=bulk)
        self.approval(device, request)

    def latch(self, device: Device) -> None:
        """Check 1: no emergency stop holds the device."""
        if stop := self.holding(device.device_id):
            raise EmergencyStopActive(
                f"{device.shown_id} is under {stop.stop_id} ({stop.reason})",
                hint=f"dsmilctl -C {self.context} emergency status, then emergency release {stop.stop_id}",
                target=device.shown_id,
            )

    def writable(self, device: Device) -> None:
        """Check 2: neither the context nor the session is read-only."""
        if self.read_only:
            raise ReadOnly(
                f"context {self.context} is read-only: {device.shown_id} was not changed",
                hint="leave --read-only out, or use a context that is not read-only",
                target=device.shown_id,
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

    def clearance(self, device: Device, operation: OperationType) -> None:
        """Check 4: the identity's clearance suffices for the operation."""
        level = self.policy.level(operation)
        if self.identity.clearance < level:
            raise PermissionDenied(
                f"{operation} on {device.shown_id} needs clearance {level.name}, "
                f"{self.identity.user} has {self.identity.clearance.name}",
                hint="ask somebody with that clearance",
                target=device.shown_id,
            )

    def justification(self, device: Device, request: Request, *, bulk: bool = False) -> None:
        """Check 5: a justification where the policy asks for one."""
        asked = device.risk in self.policy.justification.get(request.type, ())
        if asked or (bulk and self.policy.justify_bulk):
            what = f"{request.type} on {device.shown_id} (risk {device.risk})"
            self.require_justification(
                request.justification, "a bulk of changes" if bulk and not asked else what
            )

    def require_justification(self, text: str, what: str) -> None:
        """Raise JustificationRequired unless `text` has the length that the policy asks for."""
        length = len(text.strip())
        if not self.policy.shortest <= length <= self.policy.longest:
            raise JustificationRequired(
                f"{what} needs a justification of {self.policy.shortest} to {self.policy.longest} characters"
                f" ({length} given)",
                hint="--justification 'why this is done'",
                target="--justification",
            )

    def approval(self, device: Device, request: Request) -> None:
        """Check 6: a second person where the policy asks for one; a local fleet has only one identity."""
        if device.risk in self.policy.approval.get(request.type, ()):
            raise ApprovalRequired(
                f"{request.type} on {device.shown_id} needs the approval of a second person",
                hint="a local fleet knows one person only: put the fleet behind a server",
                target=device.shown_id,
            )

    def value(self, managed: Managed, request: Request) -> Register | None:
        """Check 7: the register can be written with that value, or the driver has that command."""
        if request.type is OperationType.WRITE:
            return self._register(managed.device, request)
        if request.type is not OperationType.RESET:
            command = request.command or COMMANDS.get(request.type, "")
            require_command(managed, command)
            _check_arguments(managed, command, dict(request.arguments))
        return None

    def _register(self, device: Device, request: Request) -> Register:
        register = find_register(device.registers, request.register)
        if not register.writable:
            known = ", ".join(item.name for item in device.registers if item.writable) or "none"
            raise InvalidParameter(
                f"{device.shown_id} refused the write to {register.name} (read-only register)",
                hint=f"writable registers of {device.shown_id}: {known}",
                target=register.name,
            )
        if request.value is None:
            raise InvalidParameter(f"{register.name}: no value given", target=register.name)
        register.check(request.value)
        return register

    def rate(self, device: Device, operation: OperationType) -> None:
        """Check 8: the token buckets of the identity for this operation and this risk."""
        keys: list[tuple[str, Bucket]] = []
        if bucket := self.policy.rates.get(operation):
            keys.append((f"{self.identity.user}/{operation}", bucket))
        if bucket := self.policy.device_rates.get(device.risk):
            keys.append((f"{self.identity.user}/{device.shown_id}", bucket))
        if keys:
            self.rates.take(keys)

    def state(self, managed: Managed) -> None:
        """Check 9: the lifecycle allows it."""
        require_known_state(managed)

    def read(self, managed: Managed) -> None:
        """What is asked before a read: checks 3, 4 and 8."""
        self.quarantine(managed.device)
        self.clearance(managed.device, OperationType.READ)


def compare(device: Device, register: Register, wanted: Value, found: Value | None) -> None:
    """Compare-and-set: raise Conflict unless the register holds the value that the writer expects."""
    if found is None or not register.confirms(wanted, found):
        raise Conflict(
            f"{device.shown_id} {register.name} is {register.format(found) or 'unknown'}, "
            f"not {register.format(wanted)}",
            device_id=device.device_id,
            hint=f"read it again: dsmilctl device read {device.shown_id} {register.name}",
        )


def _check_arguments(managed: Managed, name: str, arguments: dict[str, Value]) -> None:
    command = managed.driver.commands[name]
    known = {parameter.name for parameter in command.parameters}
    unknown = [] if command.any_parameter else sorted(set(arguments) - known)
    missing = [item.name for item in command.parameters if item.required and item.name not in arguments]
    if unknown or missing:
        what = f"does not take {', '.join(unknown)}" if unknown else f"needs {', '.join(missing)}"
        hint = f"{name} takes: {', '.join(sorted(known)) or 'nothing'}"
        raise InvalidParameter(f"command {name} {what}", hint=hint, target=name)
