"""Reads: a READ of one device, and its answer."""

from __future__ import annotations

import os
from collections.abc import Sequence

import msgspec

from dsmilctl.client.interface import BulkOptions, Client
from dsmilctl.clock import rfc3339
from dsmilctl.errors import DeviceError, InvalidParameter, OperationTimeout, error_of
from dsmilctl.model.device import Device
from dsmilctl.model.operation import OperationStatus
from dsmilctl.model.reading import Reading, Span
from dsmilctl.model.register import Register
from dsmilctl.server.endpoint import Call
from dsmilctl.server.presenting import PASSED, authorization_after, reading_result
from dsmilctl.wire.operations import OperationAnswer, OperationData, OperationResult

DENIALS = frozenset(
    ("DEVICE_QUARANTINED", "PERMISSION_DENIED", "DEVICE_NOT_FOUND", "RATE_LIMITED", "APPROVAL_REQUIRED")
)


async def read(
    call: Call, device: Device, data: OperationData, options: BulkOptions, client: Client
) -> OperationAnswer:
    """Read one device; raises the error where nothing was read, InvalidParameter where nothing can be."""
    begun = call.gateway.clock.monotonic()
    names = data.registers or ([data.register] if data.register else [])
    readings = await client.read([device], names, span=span_of(data), options=options)
    if not readings:
        raise InvalidParameter(f"{device.shown_id} has no register to read", target="register")
    if readings[0].value is None and all(reading.value is None for reading in readings):
        error = error_of(readings[0].error_code, readings[0].error, target=device.shown_id)
        if isinstance(error, DeviceError):
            error.device_id = device.device_id
        raise error
    return read_answer(call, device, readings, begun)


def span_of(data: OperationData) -> Span | None:
    """The part of a register block that a READ is about."""
    if data.offset is None and data.length is None:
        return None
    return Span(data.offset or 0, 4 if data.length is None else data.length)


def read_answer(call: Call, device: Device, readings: Sequence[Reading], begun: float) -> OperationAnswer:
    """The answer of a READ, which is kept for the history of the device; `begun` on the monotonic clock."""
    clock, user, first = call.gateway.clock, call.user, readings[0]
    code = first.error_code if first.value is None else ""
    passed = (
        PASSED if not code and user.devices is None else authorization_after(code, device.device_id, user)
    )
    answer = OperationAnswer(
        operation_id=f"op-{os.urandom(8).hex()}",
        device_id=device.device_id,
        operation_type="READ",
        status=_status(first),
        result=_result(device, readings),
        timestamp=rfc3339(clock.now()),
        execution_time_ms=round((clock.monotonic() - begun) * 1000, 3),
        user_id=user.user,
        authorization=passed,
        error=first.error if code else "",
        error_code=code,
    )
    if not device.quarantined:  # what an approval let one person see is nobody else's
        call.gateway.reads.keep(answer)
    return answer


def _result(device: Device, readings: Sequence[Reading]) -> OperationResult:
    """What was read; of several registers the first one, with all of them in `values`."""
    results = [reading_result(reading, _register(device, reading.register)) for reading in readings]
    if len(results) == 1:
        return results[0]
    return msgspec.structs.replace(results[0], values=[msgspec.to_builtins(result) for result in results])


def _register(device: Device, name: str) -> Register | None:
    for register in device.registers:
        if register.name == name:
            return register
    return None


def _status(reading: Reading) -> str:
    if reading.value is not None:
        return OperationStatus.SUCCESS.value
    if reading.error_code == OperationTimeout.code:
        return OperationStatus.TIMEOUT.value
    return (OperationStatus.DENIED if reading.error_code in DENIALS else OperationStatus.FAILED).value
