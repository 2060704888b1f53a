"""Batching: reads that are asked for in the same turn of the event loop travel together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from dsmilctl.client.remote.answers import operation_result, refused, settled
from dsmilctl.client.remote.api import Api
from dsmilctl.client.remote.bulk import Bulks, Mode
from dsmilctl.client.remote.cache import Key
from dsmilctl.client.remote.failures import again
from dsmilctl.client.remote.results import OperationResult
from dsmilctl.errors import DSMILError, PermissionDenied
from dsmilctl.model.device import DeviceId
from dsmilctl.wire.operations import BulkItem, OperationAnswer, OperationData, OperationRequest
from dsmilctl.wire.values import in_path


class Batching:
    """Single reads; the same read asked for twice at the same time is asked of the server once."""

    def __init__(self, api: Api, bulks: Bulks) -> None:
        self._api = api
        self._bulks = bulks
        self._waiting: dict[Key, asyncio.Future[OperationResult]] = {}
        self._alone = False
        self._travelling: set[asyncio.Task[None]] = set()

    async def read(self, key: Key) -> OperationResult:
        """One reading; raises or returns as the same read alone would."""
        if self._alone:
            return await self._single(key)
        future = self._waiting.get(key)
        if future is None:
            loop = asyncio.get_running_loop()
            if not self._waiting:
                loop.call_soon(self._depart)
            future = self._waiting[key] = loop.create_future()
        try:
            return settled(await asyncio.shield(future))
        except DSMILError as error:
            raise again(error) from None

    @property
    def waiting(self) -> int:
        """Reads that have not been sent yet."""
        return len(self._waiting)

    def _depart(self) -> None:
        waiting, self._waiting = self._waiting, {}
        task = asyncio.get_running_loop().create_task(self._travel(waiting))
        self._travelling.add(task)
        task.add_done_callback(self._travelling.discard)

    async def _travel(self, waiting: dict[Key, asyncio.Future[OperationResult]]) -> None:
        try:
            keys = list(waiting)
            results: Sequence[OperationResult | BaseException]
            results = [await self._single(keys[0])] if len(keys) == 1 else await self._together(keys)
            for key, result in zip(keys, results, strict=True):
                if waiting[key].done():
                    continue
                if isinstance(result, BaseException):
                    _break(waiting[key], result)
                else:
                    waiting[key].set_result(result)
        except BaseException as error:
            for future in waiting.values():
                if not future.done():
                    _break(future, error)
            if not isinstance(error, Exception):
                raise

    async def _together(self, keys: Sequence[Key]) -> Sequence[OperationResult | BaseException]:
        items = [BulkItem(device_id=key[0], operation_type="READ", operation_data=_data(key)) for key in keys]
        try:
            answer = await self._bulks.run(items, Mode())
        except PermissionDenied:
            self._alone = True  # this user may read, but not in bulk
            return await asyncio.gather(*(self._single(key) for key in keys), return_exceptions=True)
        results = [operation_result(item) for item in answer.results]
        for result in results:
            if result.failure is not None:
                self._api.report(result.failure)
        return results

    async def _single(self, key: Key) -> OperationResult:
        request = OperationRequest(operation_type="READ", operation_data=_data(key))
        path = operations_path(key[0])
        try:
            answer = await self._api.post(path, OperationAnswer, request, device_id=key[0])
        except DSMILError as error:
            return refused(key[0], "READ", error)
        return operation_result(answer)

    async def close(self) -> None:
        """Wait for what is under way."""
        if self._travelling:
            await asyncio.wait(self._travelling)


def _break(future: asyncio.Future[OperationResult], error: BaseException) -> None:
    if isinstance(error, asyncio.CancelledError):
        future.cancel()
    else:
        future.set_exception(again(error) if isinstance(error, DSMILError) else error)
        future.exception()  # whoever waits hears it; nobody may be waiting any more


def _data(key: Key) -> OperationData:
    return OperationData(register=key[1], offset=key[2], length=key[3])


def operations_path(device_id: DeviceId) -> str:
    """Where operations on a device are asked for."""
    return f"{device_path(device_id)}/operations"


def device_path(device_id: DeviceId) -> str:
    """The path of a device."""
    from urllib.parse import quote

    return f"/devices/{device_id if isinstance(device_id, int) else quote(in_path(device_id), safe='')}"
