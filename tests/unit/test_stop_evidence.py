"""The evidence of an emergency stop: what the journal holds of it, whichever thread is the faster."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from dsmilctl.client.interface import HistoryQuery
from dsmilctl.config.paths import Paths
from tests.rack import Lab, Rack


class Overtaking(ThreadPoolExecutor):
    """Threads of which the first one gets to its work when the second one has done its own."""

    def __init__(self) -> None:
        super().__init__(8)
        self._given = itertools.count()
        self._overtaken = threading.Event()

    def submit(self, work: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        number = next(self._given)

        def wait_and_work() -> Any:
            if number == 0:
                self._overtaken.wait(10)
            try:
                return work(*given, **named)
            finally:
                if number == 1:
                    self._overtaken.set()

        return super().submit(wait_and_work)


async def test_the_outcome_of_a_stop_stands_behind_its_intent_whichever_thread_is_the_faster(
    home: Paths,
) -> None:
    async with Lab(home, Rack(2)).client() as client:
        asyncio.get_running_loop().set_default_executor(Overtaking())
        stop = await client.stop(reason="smoke")

        records = await client.audit(HistoryQuery(limit=0))
        told = [record.outcome for record in records if record.operation_id == stop.stop_id]
        assert told == ["SUCCESS", "INTENT"], "newest first"
        assert (await client.audit_verify()).unfinished == ()
