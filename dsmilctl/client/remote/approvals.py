"""Approvals: asking a second person, and being one, over the API."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from dsmilctl.client.remote.api import Api
from dsmilctl.client.remote.changes import data_of
from dsmilctl.client.remote.connected import Connected
from dsmilctl.client.remote.mapping import approval_of
from dsmilctl.client.remote.names import operation_type_of
from dsmilctl.model.approval import RELEASE
from dsmilctl.model.approval import Approval as Kept
from dsmilctl.model.device import DeviceId
from dsmilctl.model.operation import OperationType, Request
from dsmilctl.wire.emergency import Approval, ApprovalRequest, Approvals, ApprovalVerdict
from dsmilctl.wire.operations import OperationData
from dsmilctl.wire.values import to_wire


class Consents:
    """The approvals of one server in the words of the model."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def request(self, request: Request | None, justification: str, stop_id: str) -> Kept:
        """Ask for a second person; without a request for the release of a stop."""
        return approval_of(await ask(self._api, _wanted(request, justification, stop_id)))

    async def all(self, status: str) -> list[Kept]:
        """The approvals of a status, or all, newest first."""
        return [approval_of(item) for item in await every(self._api, status)]

    async def decide(self, approval_id: str, *, approve: bool, justification: str) -> Kept:
        """The word of the second person."""
        return approval_of(await verdict(self._api, approval_id, justification, approve=approve))


class ApprovalRequests(Connected):
    """The SDK's methods about the consent of a second person.  A refusal raises."""

    async def create_approval(
        self,
        device_id: DeviceId | None = None,
        operation: str = "WRITE",
        register: str = "",
        data: Any = None,
        justification: str = "",
        *,
        settings: dict[str, Any] | None = None,
        command: str = "",
        stop_id: str = "",
    ) -> Approval:
        """Ask a second person to let exactly this operation through, once; the id goes with the operation.

        `operation` EMERGENCY_RELEASE is about `stop_id` (empty: all stops) instead of a device.
        """
        kind = operation if operation in (RELEASE, "COMMAND") else operation_type_of(operation).value
        wanted = ApprovalRequest(
            device_id=device_id,
            operation_type=kind,
            operation_data=OperationData(
                register=str(register), value=to_wire(data), settings=dict(settings or {})
            ),
            justification=justification,
            stop_id=stop_id,
            command=command,
        )
        return await ask(self._api, wanted)

    async def list_approvals(self, status: str = "") -> list[Approval]:
        """The approvals that this user may see, newest first: those of a status, or all."""
        return await every(self._api, status)

    async def get_approval(self, approval_id: str) -> Approval:
        """One approval; raises NotFound."""
        return await self._api.get(f"/approvals/{quote(approval_id, safe='')}", Approval)

    async def approve(self, approval_id: str, justification: str = "") -> Approval:
        """Consent to what somebody else asked for; raises PermissionDenied for whoever asked."""
        return await verdict(self._api, approval_id, justification, approve=True)

    async def reject(self, approval_id: str, justification: str = "") -> Approval:
        """Refuse what somebody else asked for."""
        return await verdict(self._api, approval_id, justification, approve=False)


async def ask(api: Api, wanted: ApprovalRequest) -> Approval:
    """Ask for an approval."""
    return await api.post("/approvals", Approval, wanted, device_id=wanted.device_id)


async def every(api: Api, status: str) -> list[Approval]:
    """The approvals of a status, or all."""
    return (await api.get("/approvals", Approvals, {"status": status.upper()})).approvals


async def verdict(api: Api, approval_id: str, justification: str, *, approve: bool) -> Approval:
    """Approve or reject."""
    path = f"/approvals/{quote(approval_id, safe='')}/{'approve' if approve else 'reject'}"
    return await api.post(path, Approval, ApprovalVerdict(justification=justification))


def _wanted(request: Request | None, justification: str, stop_id: str) -> ApprovalRequest:
    if request is None:
        return ApprovalRequest(operation_type=RELEASE, justification=justification, stop_id=stop_id)
    if request.type is OperationType.READ:
        names = [name for name in request.register.split(",") if name]
        data = OperationData(registers=names)
    else:
        data = data_of(request)
    return ApprovalRequest(
        device_id=request.device_id,
        operation_type=request.type.value,
        operation_data=data,
        justification=justification,
        command=request.command,
    )
