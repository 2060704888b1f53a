"""Bulk results kept on disk, so that a bulk can be asked for and undone by a later command."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from dsmilctl.decoding import UNDECODABLE
from dsmilctl.errors import DSMILError, NotFound, StateUnavailable
from dsmilctl.guard.files import write_durably
from dsmilctl.guard.plan import Plan
from dsmilctl.model.operation import (
    BulkResult,
    Operation,
    OperationStatus,
    OperationType,
    Request,
    bulk_status,
    summarize,
)

KEPT = 200
"""Older bulks than this many are forgotten; the journal still has them."""

UNDONE = (
    OperationStatus.SUCCESS,
    OperationStatus.PENDING,
    OperationStatus.TIMEOUT,
    OperationStatus.FAILED,
)
"""How an operation ended that a device may have carried out; a refused one is not put back."""

_ID = re.compile(r"bulk-[0-9a-f]{12}")


def bulk_result(bulk_id: str, operations: Sequence[Operation]) -> BulkResult:
    """The operations of a bulk with their counts."""
    summary = summarize([operation.status for operation in operations])
    return BulkResult(bulk_id, bulk_status(summary), summary, tuple(operations))


def denied(request: Request, error: DSMILError, user: str, timestamp: int) -> Operation:
    """The operation that a request became which no device was found for."""
    return Operation(
        operation_id=Plan.new_id(),
        type=request.type,
        status=OperationStatus.DENIED,
        device_id=request.device_id,
        register=request.register or request.command,
        error=error.message,
        error_code=error.code,
        hint=error.hint,
        user=user,
        timestamp=timestamp,
    )


class Bulks:
    """The last bulks of one context, one file each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, result: BulkResult) -> None:
        """Keep a result, with what each register held before; raises StateUnavailable."""
        path = self._folder / f"{result.id}.json"
        try:
            write_durably(path, msgspec.json.encode(result))
            self._forget_old()
        except OSError as error:
            raise StateUnavailable(f"{path}: {error}", target=str(path)) from error

    def get(self, bulk_id: str) -> BulkResult:
        """A kept result; raises NotFound."""
        path = self._folder / f"{bulk_id}.json"
        try:
            if _ID.fullmatch(bulk_id):
                return msgspec.json.decode(path.read_bytes(), type=BulkResult)
        except FileNotFoundError:
            pass  # said below
        except (OSError, *UNDECODABLE) as error:
            raise StateUnavailable(f"{path}: {error}", target=bulk_id) from error
        hint = f"the last {KEPT} bulks of a context are kept; their ids are in: dsmilctl audit log"
        raise NotFound(f"no bulk {bulk_id!r} in this context", hint=hint, target=bulk_id)

    def undo(self, bulk_id: str) -> list[Request]:
        """The writes that put back what a bulk changed or may have changed, the last one first."""
        return [
            _put_back(operation, bulk_id)
            for operation in reversed(self.get(bulk_id).results)
            if operation.type is OperationType.WRITE
            and operation.status in UNDONE
            and operation.old is not None
        ]

    def _forget_old(self) -> None:
        kept = sorted(self._folder.glob("bulk-*.json"), key=lambda path: path.stat().st_mtime_ns)
        for path in kept[:-KEPT]:
            path.unlink(missing_ok=True)


def _put_back(operation: Operation, bulk_id: str) -> Request:
    return Request(
        device_id=operation.device_id,
        type=OperationType.WRITE,
        register=operation.register,
        value=operation.old,
        justification=f"undo of {bulk_id}",
        origin="bulk undo",
    )
