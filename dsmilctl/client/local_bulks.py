"""Local bulks: many changes as one, and what is needed to undo them."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable, Sequence

from dsmilctl.client.bulks import Bulks, bulk_result, denied
from dsmilctl.client.interface import BulkOptions, Client, new_bulk_id
from dsmilctl.errors import DSMILError
from dsmilctl.fleet.fleet import Fleet
from dsmilctl.guard.guard import Bulk, Guard, unwatched
from dsmilctl.model.operation import BulkResult, Operation, Request


class LocalBulks(Client):
    """The part of a local client that changes many devices at once."""

    _fleet: Fleet
    _guard: Guard
    _bulks: Bulks

    @abstractmethod
    async def _settle(self) -> None: ...

    async def change_many(
        self,
        requests: Sequence[Request],
        *,
        options: BulkOptions | None = None,
        progress: Callable[[Operation], None] | None = None,
    ) -> BulkResult:
        """Carry out many guarded changes; what is needed to undo them is kept before the first one."""
        await self._settle()
        chosen = options or BulkOptions()
        bulk_id = chosen.bulk_id or new_bulk_id()
        known = await self._fleet.all()
        wanted = [(known[item.device_id], item) for item in requests if item.device_id in known]

        def keep(operations: Sequence[Operation]) -> None:
            self._bulks.keep(bulk_result(bulk_id, operations))

        bulk = Bulk(
            bulk_id=bulk_id,
            concurrency=chosen.concurrency,
            stop_on_error=chosen.stop_on_error,
            timeout=chosen.timeout,
            keep=keep,
            progress=progress or unwatched,
        )
        operations = iter(await self._guard.change_many(wanted, bulk))
        results = [
            next(operations) if item.device_id in known else await self._stranger(item) for item in requests
        ]
        return bulk_result(bulk_id, results)

    async def record_refused(self, requests: Sequence[Request], error: DSMILError, bulk_id: str) -> None:
        """Journal the changes of a bulk that was refused as a whole; those of unknown devices are none."""
        known = await self._fleet.all()
        wanted = [(known[item.device_id], item) for item in requests if item.device_id in known]
        await self._guard.refuse_many(wanted, error, Bulk(bulk_id=bulk_id))

    async def _stranger(self, request: Request) -> Operation:
        """The operation on a device that is not here."""
        try:
            await self._fleet.managed(request.device_id)
        except DSMILError as error:
            return denied(request, error, self.identity.user, self._fleet.clock.now())
        raise AssertionError(f"{request.device_id} is here after all")

    async def bulk(self, bulk_id: str) -> BulkResult:
        """What became of a bulk."""
        return await asyncio.to_thread(self._bulks.get, bulk_id)

    async def undo_requests(self, bulk_id: str) -> list[Request]:
        """The writes that would put back what a bulk changed."""
        return await asyncio.to_thread(self._bulks.undo, bulk_id)
