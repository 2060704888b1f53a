"""Changes: what a body asks for, as the guard takes it, and how it ended."""

from __future__ import annotations

import msgspec

from dsmilctl.errors import InvalidParameter, error_of
from dsmilctl.model.device import Device
from dsmilctl.model.operation import OperationType, Request
from dsmilctl.model.register import find_register
from dsmilctl.wire.operations import OperationAnswer, OperationData
from dsmilctl.wire.values import from_wire, written_value


def change_request(
    device: Device, kind: str, data: OperationData, justification: str, approval: str = ""
) -> Request:
    """A change as the guard takes it; raises InvalidParameter for a register or value that cannot be."""
    type_ = OperationType(kind)
    if type_ is not OperationType.WRITE:
        return Request(
            device_id=device.device_id,
            type=type_,
            arguments=tuple(data.settings.items()),
            justification=justification,
            approval=approval,
            origin="api",
        )
    register = find_register(device.registers, data.register or "DATA")
    if data.value is None:
        raise InvalidParameter("a WRITE needs a value", hint='"value": "0x00000005"', target="value")
    numeric = register.type not in ("str", "bool", "f32", "f64")
    return Request(
        device_id=device.device_id,
        type=type_,
        register=register.name,
        value=written_value(data.value) if numeric else data.value,
        if_value=from_wire(data.if_value) if numeric else data.if_value,
        verify=data.verify,
        justification=justification,
        approval=approval,
        origin="api",
    )


def finished(answer: OperationAnswer) -> OperationAnswer:
    """An answer; raises the error of an operation that was let through and then failed."""
    if answer.status in ("SUCCESS", "PLANNED", "PENDING"):
        return answer
    error = error_of(answer.error_code, answer.error, hint=answer.hint, target=str(answer.device_id))
    error.__dict__["details"] = {"operation": msgspec.to_builtins(answer)}  # a client may want all of it
    error.__dict__["is_outcome"] = True  # of what happened, which no repetition may make happen again
    raise error
