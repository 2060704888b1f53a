"""Changes: writes, configurations and commands of the model's requests, over the API."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from dsmilctl.client.interface import BulkOptions
from dsmilctl.client.remote.answers import merged
from dsmilctl.client.remote.api import Api
from dsmilctl.client.remote.batching import device_path, operations_path
from dsmilctl.client.remote.bulk import Bulks, Mode, failed
from dsmilctl.client.remote.mapping import bulk_of, operation_of
from dsmilctl.client.remote.names import operation_type_of
from dsmilctl.errors import (
    DSMILError,
    NetworkError,
    NotFound,
    OperationTimeout,
    ProtocolError,
    ReadOnly,
    Refused,
)
from dsmilctl.model.device import DeviceId, show_id
from dsmilctl.model.operation import BulkResult, Operation, OperationStatus, OperationType, Request
from dsmilctl.wire.operations import (
    BulkAnswer,
    BulkItem,
    CommandRequest,
    OperationAnswer,
    OperationData,
    OperationRequest,
)
from dsmilctl.wire.values import to_wire

HINT = "leave --read-only out, or use a context that is not read-only"


class Changes:
    """Changes of one client; `read_only` is the name of a context that lets none through."""

    def __init__(self, api: Api, bulks: Bulks, *, read_only: str) -> None:
        self._api = api
        self._bulks = bulks
        self._read_only = read_only

    async def one(self, request: Request) -> Operation:
        """One change; raises what refused it, returns what failed at the device."""
        if self._read_only:
            raise self._refusal(request)
        try:
            answer = await self._ask(request)
        except DSMILError as error:
            answer = _answer_in(outcome_of(error, request.device_id))
        return self._operation(answer, request)

    async def _ask(self, request: Request) -> OperationAnswer:
        if request.type is OperationType.COMMAND:
            command = CommandRequest(
                arguments=dict(request.arguments),
                justification=request.justification,
                approval_id=request.approval,
                dry_run=request.dry_run,
                attempt=request.attempt,
            )
            path = f"{device_path(request.device_id)}/commands/{quote(request.command, safe='')}"
            return await self._api.post(path, OperationAnswer, command, device_id=request.device_id)
        operation = OperationRequest(
            operation_type=operation_type_of(request.type).value,
            operation_data=data_of(request),
            justification=request.justification,
            approval_id=request.approval,
            dry_run=request.dry_run,
            attempt=request.attempt,
        )
        path = operations_path(request.device_id)
        return await self._api.post(path, OperationAnswer, operation, device_id=request.device_id)

    async def many(
        self,
        requests: Sequence[Request],
        options: BulkOptions,
        progress: Callable[[Operation], None] | None,
    ) -> BulkResult:
        """Many changes; refusals and failures are results, in the order asked for."""
        commands = any(request.type is OperationType.COMMAND for request in requests)
        mixed = len({request.dry_run for request in requests}) > 1
        way = self._one_by_one if commands or mixed else self._together
        answer = await (self._none if self._read_only else way)(requests, options)
        operations = [self._operation(*pair) for pair in zip(answer.results, requests, strict=True)]
        for operation in operations if progress else ():
            progress(operation)  # type: ignore[misc] # the loop is empty without it
        return bulk_of(answer, operations)

    async def _together(self, requests: Sequence[Request], options: BulkOptions) -> BulkAnswer:
        items = [
            BulkItem(
                device_id=request.device_id,
                operation_type=operation_type_of(request.type).value,
                operation_data=data_of(request),
                justification=request.justification,
                approval_id=request.approval,
            )
            for request in requests
        ]
        mode = Mode(
            sequential=options.concurrency == 1,
            max_concurrency=max(0, options.concurrency),
            timeout=options.timeout,
            stop_on_first_error=options.stop_on_error,
            justification=requests[0].justification if requests else "",
            dry_run=bool(requests) and requests[0].dry_run,
            attempt=bool(requests) and requests[0].attempt,
        )
        try:
            return await self._bulks.run(items, mode)
        except DSMILError as error:
            return failed(items, outcome_of(error))

    async def _one_by_one(self, requests: Sequence[Request], options: BulkOptions) -> BulkAnswer:
        """What no bulk of the API can hold: drivers' commands, and dry runs beside real ones."""
        places = asyncio.Semaphore(options.concurrency or 16)
        broken = asyncio.Event()
        clock = self._api.clock
        ends = None if options.timeout is None else clock.monotonic() + options.timeout

        async def one(request: Request) -> OperationAnswer:
            async with places:
                if options.stop_on_error and broken.is_set():
                    return _refused(request, Refused("not begun: an earlier operation failed"))
                if ends is not None and clock.monotonic() >= ends:
                    return _refused(request, Refused("not begun: the time of the bulk was over"))
                try:
                    return await self._ask(request)
                except DSMILError as error:
                    broken.set()
                    return _refused(request, outcome_of(error, request.device_id))

        return merged([_alone(answer) for answer in await asyncio.gather(*map(one, requests))], 0.0)

    async def bulk(self, bulk_id: str) -> BulkResult:
        """What became of a bulk; one that travelled in parts has their names in its name."""
        parts = bulk_id.split("+")
        try:
            answers = [
                await self._api.get(f"/operations/bulk/{quote(part, safe='')}", BulkAnswer) for part in parts
            ]
        except NotFound:
            hint = "a server keeps the bulks of each user while it runs"
            raise NotFound(f"no bulk {bulk_id!r} in this context", hint=hint, target=bulk_id) from None
        whole = merged(answers, sum(answer.execution_time_ms for answer in answers))
        operations = [self._operation(item, _request(item)) for item in whole.results]
        return bulk_of(msgspec.structs.replace(whole, bulk_operation_id=bulk_id), operations)

    async def undo(self, bulk_id: str) -> list[Request]:
        """The writes that put the old values back, the last one first."""
        found = await self.bulk(bulk_id)
        return [
            Request(
                device_id=item.device_id, type=OperationType.WRITE, register=item.register, value=item.old
            )
            for item in reversed(found.results)
            if item.type is OperationType.WRITE
            and item.status is OperationStatus.SUCCESS
            and item.old is not None
        ]

    def _operation(self, answer: OperationAnswer, request: Request) -> Operation:
        """How a change ended; who asked is this user where the answer does not say it."""
        user = self._api.session.user.username if self._api.session.user else ""
        found = operation_of(answer, request, user)
        return msgspec.structs.replace(found, hint=self._api.own_words(found.hint)) if found.hint else found

    def _refusal(self, request: Request) -> ReadOnly:
        shown = show_id(request.device_id)
        return read_only_refusal(self._read_only, f"{shown} was not changed", target=shown)

    async def _none(self, requests: Sequence[Request], options: BulkOptions) -> BulkAnswer:
        """Every one refused, as the context is read-only."""
        del options
        refusals = [_refused(item, self._refusal(item)) for item in requests]
        return merged([_alone(refusal) for refusal in refusals], 0.0)


def read_only_refusal(context: str, what: str, hint: str = HINT, target: str = "") -> ReadOnly:
    """The refusal of a context that lets no change through."""
    return ReadOnly(f"context {context} is read-only: {what}", hint=hint, target=target)


def outcome_of(error: DSMILError, device_id: DeviceId = "") -> DSMILError:
    """What an error says of a change: where the conversation broke behind it, nobody knows what it did."""
    broken = isinstance(error, NetworkError) and not error.unsent
    if not broken and not isinstance(error, ProtocolError):
        return error
    hint = error.hint or "read it back before it is sent again"
    message = f"the outcome is unknown: {error.message}"
    return OperationTimeout(message, device_id=device_id, hint=hint, target=error.target)


def data_of(request: Request) -> OperationData:
    """What a request changes, as the API takes it."""
    if request.type is not OperationType.WRITE:
        return OperationData(settings=dict(request.arguments))
    return OperationData(
        register=request.register,
        value=to_wire(request.value),
        if_value=to_wire(request.if_value),
        verify=request.verify,
    )


def _answer_in(error: DSMILError) -> OperationAnswer:
    """The operation that an error tells of, which was let through and failed then; else raises it."""
    told: dict[str, Any] = getattr(error, "details", {})
    try:
        return msgspec.convert(told["operation"], OperationAnswer)
    except (KeyError, msgspec.ValidationError):
        raise error from None


def _refused(request: Request, error: DSMILError) -> OperationAnswer:
    try:
        return _answer_in(error)
    except DSMILError:
        answer = OperationAnswer(
            operation_id="",
            device_id=request.device_id,
            operation_type=request.type.value,
            status="TIMEOUT" if error.code == "TIMEOUT" else "DENIED",
            error=error.message,
            error_code=error.code,
            hint=error.hint,
        )
    return answer


def _alone(answer: OperationAnswer) -> BulkAnswer:
    whole = merged([], 0.0)
    return msgspec.structs.replace(whole, results=[answer], bulk_operation_id=answer.operation_id)


def _request(answer: OperationAnswer) -> Request:
    return Request(device_id=answer.device_id, type=OperationType(answer.operation_type))
