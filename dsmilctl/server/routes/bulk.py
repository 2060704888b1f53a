"""`/operations/bulk`: many operations as one, each of which is refused, fails or succeeds on its own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import Any

import msgspec

from dsmilctl.client.interface import BulkOptions, new_bulk_id
from dsmilctl.client.local import LocalClient
from dsmilctl.clock import rfc3339
from dsmilctl.errors import DSMILError, InvalidParameter, OperationTimeout, Refused
from dsmilctl.model.device import Device, DeviceId
from dsmilctl.model.operation import Operation, OperationStatus, OperationType, Request, summarize
from dsmilctl.model.operation import bulk_status as status_of
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

FAILURES = frozenset(("HARDWARE_ERROR", "NETWORK_ERROR", "PROTOCOL_ERROR"))
"""Codes that mean: nobody said no, it just did not work."""


async def bulk(call: Call) -> BulkAnswer:
    """Many operations; each is refused, fails or succeeds on its own."""
    wanted: BulkRequest = call.body
    _check(call, wanted)
    begun = call.gateway.clock.monotonic()
    known = await call.gateway.client.devices(EVERYTHING, quarantined=True)
    run = _Bulk(call, wanted, {item.device_id: item for item in known})
    await run.all()
    found = run.answer((call.gateway.clock.monotonic() - begun) * 1000)
    call.gateway.keep_bulk(call.user, found)
    return found


def _check(call: Call, wanted: BulkRequest) -> None:
    most = call.gateway.limits.bulk_operation_max_devices
    if not 1 <= len(wanted.operations) <= most:
        message = f"a bulk has 1 to {most} operations, not {len(wanted.operations)}"
        raise InvalidParameter(message, hint="GET /api/v2/system/capabilities", target="operations")
    within(wanted.timeout_ms)


def _justification(wanted: BulkRequest) -> str | None:
    """The longest justification of a bulk of changes alone: where not even that will do, nothing is done."""
    if any(item.operation_type == "READ" for item in wanted.operations):
        return None
    texts = [item.justification or wanted.justification for item in wanted.operations]
    return max(texts, key=lambda text: len(text.strip()))


class _Bulk:
    """One bulk on its way: results in the order asked for."""

    def __init__(self, call: Call, wanted: BulkRequest, devices: dict[DeviceId, Device]) -> None:
        self._call = call
        self._wanted = wanted
        self._devices = devices
        self._bulk_id = new_bulk_id()
        self._client: LocalClient
        self._results: list[OperationAnswer | None] = [None] * len(wanted.operations)
        seconds = None if wanted.timeout_ms is None else wanted.timeout_ms / 1000
        self._ends = None if seconds is None else asyncio.get_running_loop().time() + seconds

    async def all(self) -> None:
        """All at once, so many at once, or one after the other; raises what refuses the bulk as a whole."""
        wanted, items = self._wanted, self._wanted.operations
        changes = [index for index, item in enumerate(items) if item.operation_type != "READ"]
        await self._begin(changes)
        at_once = 1 if wanted.execution_mode == "SEQUENTIAL" else wanted.max_concurrency
        if len(changes) == len(items):
            await self._change(changes, at_once)
        elif changes or at_once:
            await self._one_by_one(at_once or len(items))
        else:
            await self._read_all()

    async def _begin(self, changes: Sequence[int]) -> None:
        """Have the bulk judged and counted as a whole; a refusal is journalled for each of its changes."""
        gateway, user = self._call.gateway, self._call.user
        try:
            self._client = await gateway.client_for_bulk(
                user, changes=bool(changes), justification=_justification(self._wanted)
            )
        except DSMILError as refusal:
            asked = [self._asked(self._wanted.operations[index]) for index in changes]
            await gateway.client_for(user).record_refused(asked, refusal, self._bulk_id)
            raise

    async def _one_by_one(self, at_once: int) -> None:
        places, failed = asyncio.Semaphore(at_once), asyncio.Event()

        async def one(index: int, item: BulkItem) -> None:
            async with places:
                if self._left() == 0 or (self._wanted.stop_on_first_error and failed.is_set()):
                    return
                if item.operation_type == "READ":
                    self._results[index] = await self._read(item)
                else:
                    await self._change([index], 1)
                found = self._results[index]
                if found is None or found.status not in ("SUCCESS", "PLANNED"):
                    failed.set()

        await asyncio.gather(*(one(index, item) for index, item in enumerate(self._wanted.operations)))

    def _left(self) -> float | None:
        """Seconds until the time is over; None without a limit."""
        return None if self._ends is None else max(0.0, self._ends - asyncio.get_running_loop().time())

    # Changes

    async def _change(self, indexes: Sequence[int], at_once: int) -> None:
        """Changes travel through the guard together, as those of a local bulk do."""
        requests, places = list[Request](), list[int]()
        for index in indexes:
            item = self._wanted.operations[index]
            try:
                requests.append(self._request(item))
                places.append(index)
            except DSMILError as error:
                self._results[index] = self._refused(item, error)
                await self._client.record_refused([self._asked(item)], error, self._bulk_id)
                if self._wanted.stop_on_first_error:
                    break
        options = BulkOptions(
            concurrency=at_once,
            stop_on_error=self._wanted.stop_on_first_error,
            timeout=self._left(),
            bulk_id=self._bulk_id,
        )
        ended = await self._client.change_many(requests, options=options, progress=self._tell)
        for index, operation in zip(places, ended.results, strict=True):
            self._results[index] = self._changed(operation)

    def _tell(self, operation: Operation) -> None:
        self._call.gateway.push.changed(self._call.user, operation)

    def _request(self, item: BulkItem) -> Request:
        """A change as the guard takes it; raises what makes it none."""
        device = self._devices.get(item.device_id)
        if device is None:
            raise no_device(item.device_id)
        text = item.justification or self._wanted.justification
        request = change_request(device, item.operation_type, item.operation_data, text, item.approval_id)
        return msgspec.structs.replace(request, dry_run=self._wanted.dry_run, attempt=self._wanted.attempt)

    def _asked(self, item: BulkItem) -> Request:
        """A change as it was asked for, also one that there cannot be."""
        try:
            return self._request(item)
        except DSMILError:  # what is wrong with it is told elsewhere
            return Request(
                device_id=item.device_id,
                type=OperationType(item.operation_type),
                register=item.operation_data.register,
                value=item.operation_data.value,
                justification=item.justification or self._wanted.justification,
                approval=item.approval_id,
                dry_run=self._wanted.dry_run,
                attempt=self._wanted.attempt,
                origin="api",
            )

    def _changed(self, operation: Operation) -> OperationAnswer:
        answer = operation_answer(operation)
        if operation.status is not OperationStatus.DENIED:
            return answer
        authorization = authorization_after(operation.error_code, operation.device_id, self._call.user)
        return msgspec.structs.replace(answer, result=None, authorization=authorization)

    # Reads

    async def _read(self, item: BulkItem) -> OperationAnswer:
        text = item.justification or self._wanted.justification
        options = BulkOptions(justification=text, approval=item.approval_id)
        try:
            device = self._devices.get(item.device_id)
            if device is None:
                raise no_device(item.device_id)
            async with asyncio.timeout_at(self._ends):
                return await read(self._call, device, item.operation_data, options, self._client)
        except DSMILError as error:
            return self._refused(item, error)
        except TimeoutError:
            return self._refused(item, self._late())

    async def _read_all(self) -> None:
        """Reads of the same registers travel to the drivers together."""
        groups: dict[tuple[str, ...], list[int]] = {}
        alone: list[int] = []
        for index, item in enumerate(self._wanted.operations):
            data = item.operation_data
            if span_of(data) is not None or item.approval_id or item.device_id not in self._devices:
                alone.append(index)
            else:
                groups.setdefault(tuple(data.registers) or (data.register,), []).append(index)
        await asyncio.gather(
            *(self._read_alone(index) for index in alone),
            *(self._read_group(names, group) for names, group in groups.items()),
        )

    async def _read_alone(self, index: int) -> None:
        self._results[index] = await self._read(self._wanted.operations[index])

    async def _read_group(self, names: tuple[str, ...], indexes: Sequence[int]) -> None:
        begun = self._call.gateway.clock.monotonic()
        items = [self._wanted.operations[index] for index in indexes]
        once = {item.device_id: self._devices[item.device_id] for item in items}
        options = BulkOptions(justification=self._wanted.justification)
        try:
            async with asyncio.timeout_at(self._ends):
                registers = [name for name in names if name]
                readings = await self._client.read(list(once.values()), registers, options=options)
        except (DSMILError, TimeoutError) as error:
            problem = error if isinstance(error, DSMILError) else self._late()
            for index, item in zip(indexes, items, strict=True):
                self._results[index] = self._refused(item, problem)
            return
        per_device: dict[DeviceId, list[Reading]] = {}
        for reading in readings:
            per_device.setdefault(reading.device_id, []).append(reading)
        for index, item in zip(indexes, items, strict=True):
            found = per_device.get(item.device_id, [])
            self._results[index] = (
                read_answer(self._call, once[item.device_id], found, begun)
                if found
                else self._refused(item, InvalidParameter("no such register"))
            )

    # What became of it

    def _late(self) -> OperationTimeout:
        return OperationTimeout(f"not done within {self._wanted.timeout_ms} ms", hint="a longer timeout_ms")

    def _refused(self, item: BulkItem, error: DSMILError) -> OperationAnswer:
        status = "TIMEOUT" if isinstance(error, OperationTimeout) else "DENIED"
        if error.code in FAILURES:
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

    def answer(self, elapsed_ms: float) -> BulkAnswer:
        """The whole bulk; what has no result was not begun."""
        why = "the time of the bulk was over" if self._left() == 0 else "an earlier operation failed"
        results = [
            result or self._refused(item, Refused(f"not begun: {why}"))
            for result, item in zip(self._results, self._wanted.operations, strict=True)
        ]
        summary = summarize([OperationStatus(result.status) for result in results])
        counts: dict[str, Any] = msgspec.structs.asdict(summary)
        return BulkAnswer(
            bulk_operation_id=self._bulk_id,
            total_operations=len(results),
            status=status_of(summary),
            execution_time_ms=round(elapsed_ms, 3),
            results=results,
            summary=BulkSummary(**counts),
        )


async def bulk_status(call: Call) -> msgspec.Raw:
    """What became of a bulk of this user."""
    return call.gateway.bulks.of(call.user.user, call.path["bulk_id"])


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
