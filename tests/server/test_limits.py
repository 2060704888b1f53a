"""Rate limits: what a server lets through by itself, what it never holds up, and how it says no."""

from __future__ import annotations

import asyncio

import pytest

from dsmilctl.config.paths import Paths
from dsmilctl.guard.policy import SERVER
from dsmilctl.guard.rates import Rates
from dsmilctl.model.device import Risk
from dsmilctl.model.identity import Clearance
from dsmilctl.model.operation import OperationType
from tests.server.doors import MEDIUM, QUARANTINED, WHY, Wall, code, doors


class Still(Wall):
    """A wall clock that stands, so that buckets fill only when a test lets time pass."""

    def __init__(self) -> None:
        super().__init__()
        self.began = super().now()

    def now(self) -> int:
        return self.began + round(self.passed * 1e9)


async def test_reads_beyond_the_bucket_are_refused_with_the_time_to_wait(home: Paths) -> None:
    clock = Still()
    async with doors(limits=True, clock=clock) as server:
        answers = [await server.read("operator", MEDIUM) for _ in range(21)]
        assert [answer.status_code for answer in answers] == [200] * 20 + [429]
        error = answers[-1].json()["error"]
        assert error["code"] == "RATE_LIMITED"
        assert error["retry_after"] == pytest.approx(0.5)
        assert answers[-1].headers["retry-after"] == "1"
        assert (await server.read("ada", MEDIUM)).status_code == 200
        clock.advance(0.5)
        assert (await server.read("operator", MEDIUM)).status_code == 200


async def test_a_bulk_of_reads_costs_one_read_and_bulks_of_changes_have_a_bucket_of_their_own(
    home: Paths,
) -> None:
    reads = [
        {"device_id": 0x8024 + item % 4, "operation_type": "READ", "operation_data": {"register": "TEMP"}}
        for item in range(60)
    ]
    writes = [
        {"device_id": MEDIUM, "operation_type": "WRITE", "operation_data": {"register": "CONFIG", "value": 5}}
    ]
    async with doors(limits=True, clock=Still()) as server:
        for _ in range(19):
            bulk = await server.ask("operator", "POST", "/operations/bulk", {"operations": reads})
            assert bulk.json()["summary"]["successful"] == 60
        assert (await server.read("operator", MEDIUM)).status_code == 200
        assert (await server.read("operator", MEDIUM)).status_code == 429
        changes = {"operations": writes, "justification": WHY}
        answers = [await server.ask("operator", "POST", "/operations/bulk", changes) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]


async def test_changes_are_counted_by_operation_and_by_the_risk_of_the_device(home: Paths) -> None:
    async with doors(limits=True, clock=Still()) as server:
        answers = [await server.write("operator", MEDIUM) for _ in range(11)]
        assert [answer.status_code for answer in answers] == [200] * 10 + [429]


async def test_requests_of_any_kind_are_counted_by_clearance_but_a_stop_always_passes(home: Paths) -> None:
    async with doors(limits=True, clock=Still()) as server:
        answers = [await server.ask("analyst", "GET", "/system/status") for _ in range(61)]
        assert [answer.status_code for answer in answers] == [200] * 60 + [429]
        for _ in range(5):
            stop = await server.ask("analyst", "POST", "/emergency/stop", {"justification": "smoke"})
            assert stop.status_code == 200
        assert (await server.ask("analyst", "GET", "/emergency/status")).status_code == 200
        assert code(await server.read("analyst", 0x8023)) == (429, "RATE_LIMITED")


async def test_ticks_of_a_stream_are_not_counted(home: Paths) -> None:
    async with doors(limits=True, clock=Still()) as server:
        client = server.gateway.client
        devices = [item for item in await client.devices() if item.device_id == MEDIUM]
        stream = client.stream(devices, ["TEMP"], interval=0.01)
        for _ in range(30):
            async with asyncio.timeout(10):
                await anext(stream)
        await stream.aclose()
        assert (await server.read("operator", MEDIUM)).status_code == 200


async def test_quarantined_devices_open_five_times_a_minute(home: Paths) -> None:
    clock = Still()
    read = {"operation_type": "READ", "operation_data": {"register": "TEMP"}}
    async with doors(limits=True, clock=clock) as server:
        approvals = [await server.approved("ada", "grace", QUARANTINED, **read) for _ in range(6)]
        answers = [
            await server.read("ada", QUARANTINED, approval_id=approval, justification=WHY)
            for approval in approvals
        ]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        clock.advance(13)
        kept = await server.read("ada", QUARANTINED, approval_id=approvals[5], justification=WHY)
        assert kept.status_code == 200


async def test_a_server_without_limits_counts_nothing(home: Paths) -> None:
    async with doors(limits=False, clock=Still()) as server:
        await server.token("operator")
        answers = await asyncio.gather(*(server.read("operator", MEDIUM) for _ in range(150)))
        assert {answer.status_code for answer in answers} == {200}


async def test_what_many_take_at_once_from_one_bucket_in_memory_is_counted_once_each() -> None:
    rates, bucket = Rates(None, Still()), SERVER.rates[OperationType.READ]
    refused = 0
    for _ in range(bucket.capacity + 7):
        try:
            rates.take([("ada/READ", bucket)])
        except Exception as error:  # whatever it is, it has to be a refusal
            assert type(error).__name__ == "RateLimitError"
            refused += 1
    assert (refused, rates.waits) == (7, False)


def test_the_numbers_of_the_contract_are_what_lasts() -> None:
    def per_second(bucket: object) -> float:
        capacity: float = getattr(bucket, "capacity", 0)
        seconds: float = getattr(bucket, "per_seconds", 1)
        return capacity / seconds

    assert per_second(SERVER.rates[OperationType.READ]) == 2
    assert per_second(SERVER.rates[OperationType.WRITE]) == 1
    assert per_second(SERVER.bulk_rate) == 1 / 5
    assert per_second(SERVER.device_rates[Risk.CRITICAL]) == 10 / 60
    assert per_second(SERVER.device_rates[Risk.HIGH]) == 30 / 60
    assert per_second(SERVER.quarantine_rate) == 5 / 60
    per_minute = {
        level: per_second(SERVER.request_rate(level)) * 60
        for level in (Clearance.CONFIDENTIAL, Clearance.SECRET, Clearance.TOP_SECRET, Clearance.COSMIC)
    }
    assert list(per_minute.values()) == pytest.approx([60, 120, 300, 300])


async def test_a_stop_that_no_disk_takes_holds_for_everybody_on_the_server(home: Paths) -> None:
    for folder in (home.latch_folder, home.runtime / "latch"):
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(exist_ok=True)
        (folder / "plant").write_text("a file where the folder of the latch should be")
    async with doors() as server:
        stop = await server.ask("analyst", "POST", "/emergency/stop", {"justification": "smoke"})
        assert stop.status_code == 200
        assert stop.json()["latch_error"]
        (home.latch_folder / "plant").unlink()
        (home.runtime / "latch" / "plant").unlink()
        assert code(await server.write("operator", MEDIUM)) == (503, "EMERGENCY_STOP")
        assert (await server.ask("ada", "GET", "/emergency/status")).json()["is_active"]
