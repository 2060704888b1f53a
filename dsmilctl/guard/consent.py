"""Consent: what a request has to say to be the one that a second person approved."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from dsmilctl.drivers.managed import Managed
from dsmilctl.errors import ApprovalRequired, InvalidParameter
from dsmilctl.guard.approvals import URL, Approvals, hash_of
from dsmilctl.guard.values import COMMANDS
from dsmilctl.model.approval import RELEASE, Subject
from dsmilctl.model.emergency import Stop
from dsmilctl.model.identity import Identity
from dsmilctl.model.operation import OperationType, Request
from dsmilctl.model.register import find_register

"""The operation type of a release of an emergency stop."""


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """The approvals of one fleet under one policy, whose hash is `epoch`; `in_force` tells its stops."""

    approvals: Approvals
    fleet: str
    epoch: str
    in_force: Callable[[], Sequence[Stop]]

    def check(self, identity: Identity, managed: Managed, request: Request) -> None:
        """Raise ApprovalRequired unless the approval that a request names covers exactly it."""
        self._require(request.approval, f"{request.type} on {managed.device.shown_id}")
        self.approvals.check(request.approval, self.subject(managed, request), identity)

    def use(self, identity: Identity, managed: Managed, request: Request) -> None:
        """Use the approval of a request up; raises as `check`."""
        self._require(request.approval, f"{request.type} on {managed.device.shown_id}")
        self.approvals.use(request.approval, self.subject(managed, request), identity)

    def use_for_release(self, identity: Identity, stop_id: str, approval: str) -> None:
        """Use the approval for the release of a stop up; raises ApprovalRequired."""
        self._require(approval, "the release of an emergency stop")
        self.approvals.use(approval, self.release(stop_id), identity)

    @staticmethod
    def _require(approval: str, what: str) -> None:
        if not approval:
            raise ApprovalRequired(
                f"{what} needs the approval of a second person",
                hint="ask for one: dsmilctl approval request",
                url=URL,
            )

    def subject(self, managed: Managed, request: Request) -> Subject:
        """What an approval of this request is about."""
        register, definition = _defined(managed, request)
        return Subject(
            fleet=self.fleet,
            operation_type=request.type.value,
            device_id=managed.device.device_id,
            register=register,
            value=request.value,
            if_value=request.if_value,
            verify=request.verify,
            command=request.command,
            arguments=tuple(sorted(request.arguments, key=lambda item: item[0])),
            definition=definition,
            epoch=self.epoch,
        )

    def release(self, stop_id: str) -> Subject:
        """What an approval of a release is about: a stop, or all that are in force now, and no later one."""
        stops = "" if stop_id else hash_of(sorted(stop.stop_id for stop in self.in_force()))
        return Subject(
            fleet=self.fleet, operation_type=RELEASE, stop_id=stop_id, definition=stops, epoch=self.epoch
        )


def _defined(managed: Managed, request: Request) -> tuple[str, str]:
    """The register's own name, and the hash of what it (or the command) is defined as just now."""
    device = managed.device
    facts: list[object] = [device.driver, device.risk, device.quarantined]
    if request.type is OperationType.READ:
        names = request.register.split(",")
        return request.register, hash_of([*facts, [item for item in device.registers if item.name in names]])
    if request.type is OperationType.WRITE:
        try:
            register = find_register(device.registers, request.register)
        except InvalidParameter:
            return request.register, ""  # no approval is about a register that is not there
        return register.name, hash_of([*facts, register])
    name = request.command or COMMANDS.get(request.type, "")
    return request.register, hash_of([*facts, managed.driver.commands.get(name)])
