"""Changes: writes, commands and resets, each sent at most once, with what the other side calls them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from dsmilctl.client.remote.api import Api
from dsmilctl.client.remote.batching import device_path, operations_path
from dsmilctl.drivers.dsmil.consents import NEEDS_ONE, Consents
from dsmilctl.drivers.dsmil.conversation import Conversation
from dsmilctl.drivers.dsmil.members import Members
from dsmilctl.drivers.errand import under_way
from dsmilctl.errors import (
    Conflict,
    DeviceBusy,
    DeviceQuarantined,
    DSMILError,
    PermissionDenied,
    Refused,
    UsageError,
)
from dsmilctl.model.device import Device
from dsmilctl.model.operation import Reference
from dsmilctl.model.register import Register, Value
from dsmilctl.wire.emergency import ApprovalRequest
from dsmilctl.wire.operations import CommandRequest, OperationAnswer, OperationData, OperationRequest
from dsmilctl.wire.values import to_wire

Body = OperationRequest | CommandRequest
REFUSALS = (Refused, PermissionDenied, DeviceQuarantined, DeviceBusy, Conflict, UsageError)
"""What the other server says instead of doing something."""
LONGEST = 512
"""Characters of a justification.  Source: the DSMIL API, version 2."""


class Changes:
    """Changes of one driver on one server, whose guard judges, carries out, reads back and journals them."""

    def __init__(self, conversation: Conversation, members: Members) -> None:
        self._conversation = conversation
        self._members = members
        self._consents = Consents(conversation)

    async def put(self, device: Device, register: Register, value: Value) -> None:
        """Have a register written and read back there."""
        data = OperationData(register=register.name, value=to_wire(value), verify=not register.volatile)
        await self._operate(device, OperationRequest(operation_type="WRITE", operation_data=data))

    async def restart(self, device: Device) -> None:
        """Have a device reset."""
        await self._operate(device, OperationRequest(operation_type="RESET"))

    async def order(self, device: Device, name: str, arguments: Mapping[str, Value]) -> Value | None:
        """Have a command carried out; what it brought."""
        why, theirs = self._justification(), self._members.theirs(device)
        asked = CommandRequest(arguments=dict(arguments), justification=why)
        wish = ApprovalRequest(
            device_id=theirs,
            operation_type="COMMAND",
            operation_data=OperationData(settings=dict(arguments)),
            justification=why,
            command=name,
        )
        path = f"{device_path(theirs)}/commands/{quote(name, safe='')}"
        answer = await self._ask(device, path, asked, wish)
        found: Value | None = answer.result.read_back if answer.result else None
        return found

    async def _operate(self, device: Device, wanted: OperationRequest) -> None:
        theirs = self._members.theirs(device)
        asked = msgspec.structs.replace(wanted, justification=self._justification())
        wish = ApprovalRequest(
            device_id=theirs,
            operation_type=wanted.operation_type,
            operation_data=wanted.operation_data,
            justification=asked.justification,
        )
        await self._ask(device, operations_path(theirs), asked, wish)

    async def _ask(self, device: Device, path: str, body: Body, wish: ApprovalRequest) -> OperationAnswer:
        """Ask, and where a second person there is needed ask with the consent that was given to this."""
        try:
            try:
                return await self._once(device, path, body)
            except NEEDS_ONE as refusal:
                approval = await self._consents.given(wish, refusal)
            return await self._once(device, path, msgspec.structs.replace(body, approval_id=approval))
        except DSMILError as error:
            under_way().refused = isinstance(error, REFUSALS) and not _was_begun(error)
            raise self._conversation.as_ours(error, device) from error

    async def _once(self, device: Device, path: str, body: Body) -> OperationAnswer:
        """Ask once: after a lost answer nobody repeats it, whoever waits here finds out by a read."""
        seconds = self._conversation.options.timeout
        theirs = self._members.theirs(device)

        async def post(api: Api) -> OperationAnswer:
            how: dict[str, Any] = {"device_id": theirs, "repeatable": False, "deadline": seconds}
            return await api.post(path, OperationAnswer, body, **how)

        try:
            answer = await self._conversation.call(post)
        except DSMILError as error:
            told: dict[str, Any] = getattr(error, "details", {}).get("operation", {})
            self._note(told.get("operation_id", ""), told.get("audit_trail_id", ""))
            raise
        self._note(answer.operation_id, answer.audit_trail_id)
        return answer

    def _note(self, operation_id: str, journal: str) -> None:
        if operation_id:
            server = self._conversation.options.server
            under_way().reference = Reference(server, operation_id, journal)

    def _justification(self) -> str:
        """Why it is done, and for whom: the other journal tells the whole story."""
        errand = under_way()
        why = errand.justification or self._conversation.options.justification
        whose = f" ({errand.operation_id} of {errand.user} at the gateway)" if errand.operation_id else ""
        return f"{why[: LONGEST - len(whose)]}{whose}"


def _was_begun(error: DSMILError) -> bool:
    """Whether it was let through there and went wrong then."""
    return "operation" in getattr(error, "details", {})
