"""Answers: the wire's operations as the SDK's results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from dsmilctl.client.remote.failures import RETURNED, again
from dsmilctl.client.remote.names import register_of
from dsmilctl.client.remote.results import BulkResult, OperationResult, failure_of
from dsmilctl.errors import DeviceError, DSMILError, error_of
from dsmilctl.model.device import DeviceId
from dsmilctl.wire.operations import BulkAnswer, BulkSummary, OperationAnswer
from dsmilctl.wire.values import from_wire
from dsmilctl.wire.words import in_options

GOOD = frozenset({"SUCCESS", "PENDING", "PLANNED"})


def operation_result(answer: OperationAnswer) -> OperationResult:
    """An operation's answer as a result."""
    found = answer.result
    failure: dict[str, Any] = {"success": answer.status in GOOD}
    if not failure["success"] or (found and found.error and answer.status not in GOOD):
        failure = failure_of(item_error(answer))
    if found is None:
        return OperationResult(**failure, **_common(answer))
    several = {str(item.get("register", "")): _value(item) for item in found.values}
    return OperationResult(
        **failure,
        **_common(answer),
        register=register_of(found.register) if found.register else None,
        data=_value({"value": found.value, "data": found.data}),
        values=several or ({found.register: _value({"value": found.value, "data": found.data})}),
        unit=found.unit,
        quality=found.quality,
        type=found.type,
        old=found.old,
        read_back=found.read_back,
    )


def _common(answer: OperationAnswer) -> dict[str, Any]:
    stamped = answer.result.timestamp if answer.result else ""
    return {
        "device_id": answer.device_id,
        "operation_type": answer.operation_type,
        "status": answer.status,
        "timestamp": stamped or answer.timestamp,
        "operation_id": answer.operation_id,
        "audit_trail_id": answer.audit_trail_id,
        "execution_time_ms": answer.execution_time_ms,
    }


def _value(found: dict[str, Any]) -> Any:
    """The value; a server without that extension sends hex text in `data` alone."""
    return found["value"] if found.get("value") is not None else from_wire(found.get("data"))


def item_error(answer: OperationAnswer) -> DSMILError:
    """The error of an operation that did not go well."""
    code = answer.error_code or (answer.result.error_code if answer.result else "")
    message = answer.error or (answer.result.error if answer.result else "") or answer.status
    by_status = {"TIMEOUT": "TIMEOUT", "DENIED": "PERMISSION_DENIED"}
    hint = in_options(answer.hint)
    error = error_of(code or by_status.get(answer.status, "HARDWARE_ERROR"), message, hint=hint)
    if isinstance(error, DeviceError):
        error.device_id = answer.device_id
    return error


def refused(device_id: DeviceId, operation_type: str, error: DSMILError) -> OperationResult:
    """The result of an operation that the server refused (403, 422, 503); every other error is raised."""
    if error.code not in RETURNED:
        raise error
    return OperationResult(
        **failure_of(error), device_id=device_id, operation_type=operation_type, status="DENIED"
    )


def settled(result: OperationResult) -> OperationResult:
    """A result out of a bulk as the same operation alone would have ended: raised or returned."""
    if not result.success and result.failure is not None and result.error_code not in RETURNED:
        raise again(result.failure)
    return result


def merged(parts: Sequence[BulkAnswer], elapsed_ms: float) -> BulkAnswer:
    """Several bulks as one, in their order."""
    results = [result for part in parts for result in part.results]
    statuses = [result.status for result in results]
    summary = BulkSummary(
        total=len(results),
        successful=sum(status in GOOD for status in statuses),
        failed=statuses.count("FAILED"),
        denied=statuses.count("DENIED"),
        timeouts=statuses.count("TIMEOUT"),
    )
    whole = (
        "COMPLETED" if summary.successful == summary.total else "PARTIAL" if summary.successful else "FAILED"
    )
    return BulkAnswer(
        bulk_operation_id="+".join(part.bulk_operation_id for part in parts),
        total_operations=len(results),
        status=whole,
        execution_time_ms=elapsed_ms,
        results=results,
        summary=summary,
    )


def bulk_result(answer: BulkAnswer) -> BulkResult:
    """A bulk's answer as a result."""
    return BulkResult(
        bulk_operation_id=answer.bulk_operation_id,
        status=answer.status,
        summary=answer.summary,
        results=tuple(operation_result(item) for item in answer.results),
        execution_time_ms=answer.execution_time_ms,
    )


def aged(result: OperationResult, age: float) -> OperationResult:
    """A kept result as it is so many seconds later."""
    return msgspec.structs.replace(result, age=age)
