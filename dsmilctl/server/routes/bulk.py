"""`/operations/bulk`: many operations at once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import Any

import msgspec

from dsmilctl.client.interface import BulkOptions, Client
from dsmilctl.clock import rfc3339
from dsmilctl.errors import DSMILError, InvalidParameter, OperationTimeout, error_of
from dsmilctl.model.device import Device, DeviceId
from dsmilctl.model.operation import OperationStatus, summarize
from dsmilctl.model.reading import Reading
from dsmilctl.model.selector import EVERYTHING
from dsmilctl.server.endpoint import Call, Endpoint
from dsmilctl.server.presenting import authorization_after, operation_answer
from dsmilctl.server.routes.changes import change_request
from dsmilctl.server.routes.deadlines import within
from dsmilctl.server.routes.reads import read, read_answer, span_of
from dsmilctl.server.visible import no_device
from dsmilctl.wire.operations import BulkAnswer, BulkItem, BulkRequest, BulkSummary, OperationAnswer
from dsmilctl.wire.words import in_fields


async def bulk(call: Call) -> BulkAnswer:
    """Many operations; each is refused, fails or succeeds on its own."""
    wanted: BulkRequest = call.body
    _check_bulk(call, wanted)
    begun = call.gateway.clock.monotonic()
    known = await call.gateway.client.devices(EVERYTHING, quarantined=True)
    client = await call.gateway.client_for_bulk(
        call.user,
        changes=any(item.operation_type != "READ" for item in wanted.operations),
        justification=_justification(wanted),
    )
    run = _Bulk(call, wanted, {item.device_id: item for item in known}, client)
    try:
        async with within(wanted.timeout_ms):
            await run.all()
    except TimeoutError:
        run.time_is_over()
    elapsed = (call.gateway.clock.monotonic() - begun) * 1000
    found = run.answer(elapsed)
    call.gateway.keep_bulk(call.user, found)
    return found


def _check_bulk(call: Call, wanted: BulkRequest) -> None:
    most = call.gateway.limits.bulk_operation_max_devices
    if not 1 <= len(wanted.operations) <= most:
        message = f"a bulk has 1 to {most} operations, not {len(wanted.operations)}"
        raise InvalidParameter(message, hint="GET /api/v2/system/capabilities", target="operations")


def _justification(wanted: BulkRequest) -> str | None:
    """The longest justification of a bulk of changes alone: where not even that will do, nothing is done."""
    if any(item.operation_type == "READ" for item in wanted.operations):
        return None
    texts = [item.justification or wanted.justification for item in wanted.operations]
    return max(texts, key=lambda text: len(text.strip()))


class _Bulk:
    """One bulk on its way: results in the order asked for."""

    def __init__(
        self, call: Call, wanted: BulkRequest, devices: dict[DeviceId, Device], client: Client
    ) -> None:
        self._call = call
        self._client = client
        self._wanted = wanted
        self._devices = devices
        self._results: list[OperationAnswer | None] = [None] * len(wanted.operations)

    async def all(self) -> None:
        """All at once, so many at once, or one after the other."""
        sequential = self._wanted.execution_mode == "SEQUENTIAL"
        reads = [index for index, item in enumerate(self._wanted.operations) if item.operation_type == "READ"]
        if len(reads) == len(self._wanted.operations) and not sequential and not self._wanted.max_concurrency:
            await self._read_all(reads)
            return
        places = asyncio.Semaphore(1 if sequential else self._wanted.max_concurrency or len(self._results))
        failed = asyncio.Event()

        async def one(index: int, item: BulkItem) -> None:
            async with places:
                if self._wanted.stop_on_first_error and failed.is_set():
                    return
                self._results[index] = await self._one(item)
                if self._results[index].status not in ("SUCCESS", "PLANNED"):  # type: ignore[union-attr] # set above
                    failed.set()

        await asyncio.gather(*(one(index, item) for index, item in enumerate(self._wanted.operations)))

    async def _read_all(self, indexes: Sequence[int]) -> None:
        """Reads of the same registers travel to the drivers together."""
        groups: dict[tuple[str, ...], list[int]] = {}
        for index in indexes:
            data = self._wanted.operations[index].operation_data
            alone = span_of(data) is not None or self._wanted.operations[index].approval_id
            if alone or self._wanted.operations[index].device_id not in self._devices:
                self._results[index] = await self._one(self._wanted.operations[index])
            else:
                groups.setdefault(tuple(data.registers) or (data.register,), []).append(index)
        await asyncio.gather(*(self._read_group(names, group) for names, group in groups.items()))

    async def _read_group(self, names: tuple[str, ...], indexes: Sequence[int]) -> None:
        begun = self._call.gateway.clock.monotonic()
        devices = [self._devices[self._wanted.operations[index].device_id] for index in indexes]
        registers = [name for name in names if name]
        options = BulkOptions(justification=self._wanted.justification)
        try:
            once = list({device.device_id: device for device in devices}.values())
            readings = iter(await self._client.read(once, registers, options=options))
        except DSMILError as error:
            for index in indexes:
                self._results[index] = self._refused(self._wanted.operations[index], error)
            return
        per_device: dict[DeviceId, list[Reading]] = {}
        for reading in readings:
            per_device.setdefault(reading.device_id, []).append(reading)
        for index, device in zip(indexes, devices, strict=True):
            found = per_device.get(device.device_id, [])
            self._results[index] = (
                read_answer(self._call, device, found, begun)
                if found
                else self._refused(self._wanted.operations[index], InvalidParameter("no such register"))
            )

    async def _one(self, item: BulkItem) -> OperationAnswer:
        device = self._devices.get(item.device_id)
        try:
            if device is None:
                raise no_device(item.device_id)
            text = item.justification or self._wanted.justification
            if item.operation_type == "READ":
                options = BulkOptions(justification=text, approval=item.approval_id)
                return await read(self._call, device, item.operation_data, options, self._client)
            request = change_request(device, item.operation_type, item.operation_data, text, item.approval_id)
            request = msgspec.structs.replace(request, dry_run=self._wanted.dry_run)
            return operation_answer(await self._call.change(request, self._client))
        except DSMILError as error:
            return self._refused(item, error)

    def _refused(self, item: BulkItem, error: DSMILError) -> OperationAnswer:
        status = "TIMEOUT" if isinstance(error, OperationTimeout) else "DENIED"
        if error.code in ("HARDWARE_ERROR", "NETWORK_ERROR", "PROTOCOL_ERROR"):
            status = "FAILED"
        return OperationAnswer(
            operation_id=f"op-{os.urandom(8).hex()}",
            device_id=item.device_id,
            operation_type=item.operation_type,
            status=status,
            user_id=self._call.user.user,
            error=error.message,
            error_code=error.code,
            hint=in_fields(error.hint),
            timestamp=rfc3339(self._call.gateway.clock.now()),
            authorization=authorization_after(error.code, item.device_id, self._call.user),
        )

    def time_is_over(self) -> None:
        """What has no result yet ran out of time; a change among them has an unknown outcome."""
        late = OperationTimeout("not done within timeout_ms: the outcome is unknown")
        for index, item in enumerate(self._wanted.operations):
            if self._results[index] is None:
                self._results[index] = self._refused(item, late)

    def answer(self, elapsed_ms: float) -> BulkAnswer:
        """The whole bulk; operations that were not begun are FAILED."""
        not_begun = error_of("HARDWARE_ERROR", "not begun: an earlier operation failed")
        results = [
            result or self._refused(item, not_begun)
            for result, item in zip(self._results, self._wanted.operations, strict=True)
        ]
        summary = summarize([OperationStatus(result.status) for result in results])
        status = (
            "COMPLETED"
            if summary.successful == summary.total
            else "PARTIAL"
            if summary.successful
            else "FAILED"
        )
        counts: dict[str, Any] = msgspec.structs.asdict(summary)
        return BulkAnswer(
            bulk_operation_id=f"bulk-{os.urandom(6).hex()}",
            total_operations=len(results),
            status=status,
            execution_time_ms=round(elapsed_ms, 3),
            results=results,
            summary=BulkSummary(**counts),
        )


async def bulk_status(call: Call) -> BulkAnswer:
    """What became of a bulk of this user."""
    return call.gateway.bulk(call.user, call.path["bulk_id"])


ENDPOINTS = (
    Endpoint(
        method="POST", path="/operations/bulk", handler=bulk, body=BulkRequest, answer=BulkAnswer,
        summary="Many operations at once", errors=("JUSTIFICATION_REQUIRED", "TIMEOUT"), operation=True,
    ),
    Endpoint(
        method="GET", path="/operations/bulk/{bulk_id}", handler=bulk_status, answer=BulkAnswer,
        summary="What became of a bulk", errors=("NOT_FOUND",),
    ),
)  # fmt: skip
