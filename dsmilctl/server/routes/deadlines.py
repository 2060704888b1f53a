"""Deadlines: the time that a client gives an operation."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext

from dsmilctl.errors import InvalidParameter, OperationTimeout
from dsmilctl.model.device import Device
from dsmilctl.wire.operations import OperationRequest

LONGEST_TIMEOUT_MS = 600_000


def within(timeout_ms: int | None) -> AbstractAsyncContextManager[object]:
    """The time that a client gives an operation; raises InvalidParameter for nonsense."""
    if timeout_ms is not None and not 1 <= timeout_ms <= LONGEST_TIMEOUT_MS:
        raise InvalidParameter(
            f"timeout_ms {timeout_ms} is not 1 to {LONGEST_TIMEOUT_MS}", target="timeout_ms"
        )
    return nullcontext() if timeout_ms is None else asyncio.timeout(timeout_ms / 1000)


def too_late(wanted: OperationRequest, device: Device) -> OperationTimeout:
    """The time that the client gave is over; of a change that is the outcome."""
    change = wanted.operation_type != "READ"
    error = OperationTimeout(
        f"{wanted.operation_type} on {device.shown_id} was not done within {wanted.timeout_ms} ms"
        + (": whether it happened is not known" if change else ""),
        device_id=device.device_id,
        hint="read the register before it is tried again" if change else "a longer timeout_ms",
    )
    error.__dict__["is_outcome"] = change
    return error
