"""Requests leave no garbage: Python looks for it while everybody waits."""

from __future__ import annotations

import gc
from collections import Counter

from dsmilctl.errors import DeviceQuarantined
from dsmilctl.server.exchange import Exchange
from tests.server.served import Served

ROUNDS = 20
READ = {"operation_type": "READ", "operation_data": {"register": "TEMP"}}


async def test_requests_leave_nothing_behind_that_holds_itself(served: Served) -> None:
    quarantined = {"operations": [{"device_id": 0x8019, **READ}, {"device_id": 0x8000, **READ}]}
    gc.collect()
    gc.disable()
    try:
        async with served.http() as http:
            for _ in range(ROUNDS):
                await http.get("/system/status")
                await http.post("/devices/0x8000/operations", json=READ)
                answer = await http.post("/operations/bulk", json=quarantined)
        left = Counter(type(thing) for thing in gc.get_objects())
    finally:
        gc.enable()

    assert answer.json()["summary"] == {"total": 2, "successful": 1, "failed": 0, "denied": 1, "timeouts": 0}
    assert left[Exchange] <= 2
    assert left[DeviceQuarantined] == 0
