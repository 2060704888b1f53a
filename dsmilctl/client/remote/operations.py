"""Operations: the SDK's reads and changes of devices, one by one and in bulk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from dsmilctl.client.remote.answers import bulk_result, merged, operation_result, refused
from dsmilctl.client.remote.batch_context import BatchContext
from dsmilctl.client.remote.batching import operations_path
from dsmilctl.client.remote.bulk import Mode, failed, mode_of
from dsmilctl.client.remote.connected import Connected
from dsmilctl.client.remote.failures import RETURNED
from dsmilctl.client.remote.names import BulkOperation, operation_type_of
from dsmilctl.client.remote.results import BulkResult, OperationResult
from dsmilctl.errors import DSMILError
from dsmilctl.model.device import DeviceId
from dsmilctl.wire.operations import BulkAnswer, BulkItem, OperationAnswer, OperationData, OperationRequest
from dsmilctl.wire.values import to_wire

CHANGES = frozenset({"WRITE", "CONFIG", "RESET", "ACTIVATE", "DEACTIVATE"})


class Operations(Connected):
    """What is asked of devices.

    An operation that the server refuses (403, 422, 503) returns a result with `success` False; unknown,
    busy and quarantined devices, rate limits, logins that are over, networks and timeouts raise.
    """

    async def read_device(
        self,
        device_id: DeviceId,
        register: str = "STATUS",
        offset: int | None = None,
        length: int | None = None,
        *,
        fresh: bool = False,
    ) -> OperationResult:
        """Read a register, or `length` bytes of its block from `offset`; `fresh` passes the cache by.

        Reads that are asked for at the same time travel as one request.
        """
        key = (device_id, str(register), offset, length)
        kept = None if fresh else self._cache.get(key)
        if kept is not None:
            return kept
        era = self._cache.era
        result = await self._batching.read(key)
        self._cache.put(key, result, era)
        return result

    async def read_device_multiple(self, device_id: DeviceId, registers: Iterable[str]) -> OperationResult:
        """Read several registers of a device in one go; `values` holds them by their names."""
        names = [str(register) for register in registers]
        return await self._operate(device_id, "READ", OperationData(registers=names), "")

    async def write_device(
        self,
        device_id: DeviceId,
        register: str,
        data: Any,
        justification: str = "",
        *,
        approval_id: str = "",
        dry_run: bool = False,
        if_value: Any = None,
        verify: bool = True,
    ) -> OperationResult:
        """Write a register, once, however often the request has to be repeated."""
        wanted = OperationData(
            register=str(register), value=to_wire(data), if_value=to_wire(if_value), verify=verify
        )
        return await self._operate(
            device_id, "WRITE", wanted, justification, approval_id=approval_id, dry_run=dry_run
        )

    async def configure_device(
        self,
        device_id: DeviceId,
        config_data: Mapping[str, Any],
        justification: str = "",
        *,
        approval_id: str = "",
    ) -> OperationResult:
        """Change settings of a device, all of them or none."""
        wanted = OperationData(settings=dict(config_data))
        return await self._operate(device_id, "CONFIG", wanted, justification, approval_id=approval_id)

    async def activate_device(
        self, device_id: DeviceId, justification: str = "", *, approval_id: str = ""
    ) -> OperationResult:
        """Have a device begin its work."""
        return await self._operate(
            device_id, "ACTIVATE", OperationData(), justification, approval_id=approval_id
        )

    async def deactivate_device(
        self, device_id: DeviceId, justification: str = "", *, approval_id: str = ""
    ) -> OperationResult:
        """Have a device end its work."""
        return await self._operate(
            device_id, "DEACTIVATE", OperationData(), justification, approval_id=approval_id
        )

    async def reset_device(
        self, device_id: DeviceId, justification: str = "", *, approval_id: str = ""
    ) -> OperationResult:
        """Put a device back to its beginning."""
        return await self._operate(
            device_id, "RESET", OperationData(), justification, approval_id=approval_id
        )

    async def _operate(
        self,
        device_id: DeviceId,
        kind: str,
        data: OperationData,
        justification: str,
        *,
        approval_id: str = "",
        dry_run: bool = False,
    ) -> OperationResult:
        request = OperationRequest(
            operation_type=operation_type_of(kind).value,
            operation_data=data,
            justification=justification,
            approval_id=approval_id,
            dry_run=dry_run,
        )
        path = operations_path(device_id)
        if kind in CHANGES:
            self._cache.drop(device_id)
        try:
            answer = await self._api.post(path, OperationAnswer, request, device_id=device_id)
        except DSMILError as error:
            return refused(device_id, kind, error)
        finally:
            if kind in CHANGES:
                self._cache.drop(device_id)
        return operation_result(answer)

    async def bulk_read(
        self,
        device_ids: Iterable[DeviceId],
        register: str = "STATUS",
        *,
        execution_mode: str = "parallel",
        max_concurrency: int | None = None,
        timeout: float | None = None,
    ) -> BulkResult:
        """Read a register of many devices; a device that fails is a result with its error.

        `timeout` is in seconds for the whole bulk: what is not done by then is a result with code TIMEOUT.
        """
        mode = mode_of(execution_mode, max_concurrency, timeout)
        data = OperationData(register=str(register))
        return await self._bulk([_item(device_id, "READ", data) for device_id in device_ids], mode)

    async def bulk_write(
        self,
        write_data: Mapping[DeviceId, Any],
        register: str = "CONFIG",
        justification: str = "",
        *,
        execution_mode: str = "parallel",
        max_concurrency: int | None = None,
        timeout: float | None = None,
    ) -> BulkResult:
        """Write a register of many devices, each its own value; refusals are per device."""
        mode = msgspec.structs.replace(
            mode_of(execution_mode, max_concurrency, timeout), justification=justification
        )
        items = [
            _item(device_id, "WRITE", OperationData(register=str(register), value=to_wire(value)))
            for device_id, value in write_data.items()
        ]
        return await self._bulk(items, mode)

    async def bulk_execute(
        self,
        operations: Iterable[BulkOperation],
        justification: str = "",
        *,
        execution_mode: str = "parallel",
        max_concurrency: int | None = None,
        timeout: float | None = None,
        stop_on_first_error: bool = False,
    ) -> BulkResult:
        """Operations of any kind, each ending on its own."""
        mode = msgspec.structs.replace(
            mode_of(execution_mode, max_concurrency, timeout),
            justification=justification,
            stop_on_first_error=stop_on_first_error,
        )
        return await self._bulk([item_of(operation) for operation in operations], mode)

    async def _bulk(self, items: Sequence[BulkItem], mode: Mode) -> BulkResult:
        changed = {item.device_id for item in items if item.operation_type in CHANGES}
        self._drop(changed)
        try:
            answer = await self._bulks.run(items, mode)
        except DSMILError as error:
            if error.code not in RETURNED:
                raise
            answer = await self._without_changes(items, mode, error)
        finally:
            self._drop(changed)
        result = bulk_result(answer)
        for item in result:
            if item.failure is not None:
                self._api.report(item.failure)
        return result

    async def _without_changes(self, items: Sequence[BulkItem], mode: Mode, error: DSMILError) -> BulkAnswer:
        """What is left of a bulk that was refused as a whole: its changes are denied, its reads are not."""
        reads = [item for item in items if item.operation_type == "READ"]
        denied = failed(items, error)
        if not reads or len(reads) == len(items):
            return denied
        found = iter((await self._bulks.run(reads, mode)).results)
        results = [
            next(found) if item.operation_type == "READ" else refusal
            for item, refusal in zip(items, denied.results, strict=True)
        ]
        return merged([msgspec.structs.replace(denied, results=results)], 0.0)

    def _drop(self, device_ids: Iterable[DeviceId]) -> None:
        for device_id in device_ids:
            self._cache.drop(device_id)

    def batch_context(self, justification: str = "") -> BatchContext:
        """Collect operations and send them together: `async with client.batch_context() as batch`."""

        async def execute(operations: Sequence[BulkOperation], reason: str) -> BulkResult:
            return await self.bulk_execute(operations, justification=reason)

        return BatchContext(execute, justification)


def _item(device_id: DeviceId, kind: str, data: OperationData) -> BulkItem:
    return BulkItem(device_id=device_id, operation_type=operation_type_of(kind).value, operation_data=data)


def item_of(operation: BulkOperation) -> BulkItem:
    """An operation of a bulk as it travels; raises InvalidParameter for an unknown kind."""
    kind = operation_type_of(operation.operation)
    data = OperationData(register=str(operation.register), offset=operation.offset, length=operation.length)
    if kind == "WRITE":
        data = msgspec.structs.replace(data, value=to_wire(operation.data))
    elif kind == "CONFIG":
        data = OperationData(settings=dict(operation.data or {}))
    return BulkItem(
        device_id=operation.device_id,
        operation_type=kind.value,
        operation_data=data,
        justification=operation.justification,
        approval_id=operation.approval_id,
    )
