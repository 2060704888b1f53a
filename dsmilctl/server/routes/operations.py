"""`/devices/{id}/operations` and `/devices/{id}/commands`: reading and changing one device."""

from __future__ import annotations

import msgspec

from dsmilctl.client.interface import BulkOptions
from dsmilctl.model.device import Device
from dsmilctl.model.operation import OperationType, Request
from dsmilctl.server.endpoint import Call, Endpoint
from dsmilctl.server.presenting import operation_answer
from dsmilctl.server.routes.changes import change_request, finished
from dsmilctl.server.routes.deadlines import too_late, within
from dsmilctl.server.routes.devices import the_device
from dsmilctl.server.routes.reads import read
from dsmilctl.wire.operations import CommandRequest, OperationAnswer, OperationRequest

CHANGE_ERRORS = (
    "DEVICE_NOT_FOUND", "INVALID_PARAMETER", "JUSTIFICATION_REQUIRED", "APPROVAL_REQUIRED",
    "DEVICE_QUARANTINED", "DEVICE_BUSY", "CONFLICT", "EMERGENCY_STOP", "HARDWARE_ERROR",
    "TIMEOUT", "READ_ONLY", "STATE_UNAVAILABLE",
)  # fmt: skip


async def operate(call: Call) -> OperationAnswer:
    """One operation on one device; raises OperationTimeout when the time that the client gave is over."""
    wanted: OperationRequest = call.body
    device = await the_device(call)
    if wanted.timeout_ms is None:
        return await _operate(call, wanted, device)
    try:
        async with within(wanted.timeout_ms):
            return await _operate(call, wanted, device)
    except TimeoutError:
        raise too_late(wanted, device) from None


async def _operate(call: Call, wanted: OperationRequest, device: Device) -> OperationAnswer:
    if wanted.operation_type == "READ":
        options = BulkOptions(justification=wanted.justification, approval=wanted.approval_id)
        client = await call.gateway.client_for_reads(call.user)
        return await read(call, device, wanted.operation_data, options, client)
    request = change_request(
        device, wanted.operation_type, wanted.operation_data, wanted.justification, wanted.approval_id
    )
    request = msgspec.structs.replace(
        request, dry_run=wanted.dry_run, attempt=wanted.attempt, dual_auth=wanted.dual_auth_required
    )
    return finished(operation_answer(await call.change(request)))


async def command(call: Call) -> OperationAnswer:
    """A command that the device's driver declares."""
    wanted: CommandRequest = call.body
    device = await the_device(call)
    request = Request(
        device_id=device.device_id,
        type=OperationType.COMMAND,
        command=call.path["name"],
        arguments=tuple(wanted.arguments.items()),
        justification=wanted.justification,
        approval=wanted.approval_id,
        dry_run=wanted.dry_run,
        attempt=wanted.attempt,
        origin="api",
    )
    return finished(operation_answer(await call.change(request)))


ENDPOINTS = (
    Endpoint(
        method="POST", path="/devices/{device_id}/operations", handler=operate, body=OperationRequest,
        answer=OperationAnswer, summary="Read or change a device", errors=CHANGE_ERRORS, operation=True,
    ),
    Endpoint(
        method="POST", path="/devices/{device_id}/commands/{name}", handler=command, body=CommandRequest,
        answer=OperationAnswer, summary="Carry out a driver's command", errors=CHANGE_ERRORS, operation=True,
    ),
)  # fmt: skip
