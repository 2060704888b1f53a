"""Rate limits: what a server lets through by itself, what it never holds up, and how it says no."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dsmilctl.client.local_reads import Reads
from dsmilctl.config.paths import Paths
from dsmilctl.guard import places
from dsmilctl.guard.policy import SERVER
from dsmilctl.guard.rates import Rates
from dsmilctl.model.device import Risk
from dsmilctl.model.identity import Clearance
from dsmilctl.model.operation import OperationType
from tests.server.doors import CRITICAL, MEDIUM, QUARANTINED, WHY, Doors, Wall, code, doors

CONFIG = {"register": "CONFIG", "value": 5}


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


async def test_the_changes_of_a_bulk_are_not_counted_one_by_one(home: Paths) -> None:
    writes = [
        {"device_id": 0x8024 + index, "operation_type": "WRITE", "operation_data": CONFIG}
        for index in range(24)
        if 0x8024 + index != 0x8029
    ]
    async with doors(limits=True, clock=Still()) as server:
        bulk = await server.ask(
            "operator", "POST", "/operations/bulk", {"operations": writes, "justification": WHY}
        )
    assert bulk.json()["summary"]["successful"] == 23, bulk.text


async def test_an_item_without_a_justification_is_denied_and_the_others_are_done(home: Paths) -> None:
    def item(device: int, **more: object) -> dict[str, object]:
        return {"device_id": device, "operation_type": "WRITE", "operation_data": CONFIG} | more

    mixed = [
        item(MEDIUM, justification=WHY), item(MEDIUM + 1), item(MEDIUM + 2, justification="too short"),
        {"device_id": MEDIUM + 3, "operation_type": "READ"},
    ]  # fmt: skip
    async with doors() as server:
        partial = await server.ask("operator", "POST", "/operations/bulk", {"operations": mixed})
        whole = await server.ask("operator", "POST", "/operations/bulk", {"operations": mixed[1:3]})
        rest = await server.ask("operator", "POST", "/operations/bulk", {"operations": mixed[1:]})
        reads = await server.ask("operator", "POST", "/operations/bulk", {"operations": mixed[3:]})

    found = partial.json()
    assert (partial.status_code, found["status"]) == (200, "PARTIAL")
    assert [(result["status"], result["error_code"]) for result in found["results"]] == [
        ("SUCCESS", ""), ("DENIED", "JUSTIFICATION_REQUIRED"), ("DENIED", "JUSTIFICATION_REQUIRED"),
        ("SUCCESS", ""),
    ]  # fmt: skip
    assert found["summary"] | {"failed": 0} == {
        "total": 4, "successful": 2, "failed": 0, "denied": 2, "timeouts": 0,
    }  # fmt: skip
    assert code(whole) == (422, "JUSTIFICATION_REQUIRED"), "a bulk of changes in which nothing is justified"
    assert reads.status_code == 200
    assert [item["status"] for item in rest.json()["results"]] == ["DENIED", "DENIED", "SUCCESS"]


async def test_so_many_operations_as_announced_are_under_way_at_once_and_the_others_wait(
    home: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with doors(limits=True, clock=Still()) as server:
        announced = (await server.login("operator")).json()["api_capabilities"]["max_concurrent_operations"]
        told = (await server.ask("operator", "GET", "/system/capabilities")).json()["rate_limits"]
        gate, running, most = asyncio.Event(), 0, 0
        read = Reads.read

        async def held(*arguments: Any) -> Any:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await gate.wait()
            running -= 1
            return await read(*arguments)

        monkeypatch.setattr(Reads, "read", held)
        asked = [asyncio.create_task(server.read("operator", MEDIUM + index)) for index in range(9)]
        stranger = asyncio.create_task(server.read("ada", MEDIUM))
        while running < 6:
            await asyncio.sleep(0.01)
        monkeypatch.setattr(places, "PATIENCE", 0.05)
        refused = await server.read("operator", MEDIUM)
        stop = await server.ask("operator", "POST", "/emergency/stop", {"justification": "smoke"})
        gate.set()
        answers = await asyncio.gather(*asked, stranger)

    assert announced == told["concurrent_operations"] == 5
    assert most == 6, "five of one and one of another"
    assert code(refused) == (429, "RATE_LIMITED")
    assert refused.json()["error"]["retry_after"] == 1
    assert stop.status_code == 200, "a stop needs no place"
    assert [answer.status_code for answer in answers] == [200] * 10


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


async def test_a_device_says_what_the_policy_asks_for_it(home: Paths) -> None:
    async def asked(server: Doors, device: int) -> tuple[str, bool, int | None]:
        found = (await server.ask("ada", "GET", f"/devices/{device}")).json()
        constraints = found["constraints"]
        needed = found["required_clearance"]
        return needed, constraints["requires_dual_auth"], constraints["max_operations_per_minute"]

    async with doors(limits=True) as server:
        limited = [await asked(server, device) for device in (CRITICAL, MEDIUM, QUARANTINED)]
    async with doors(limits=False) as server:
        free = await asked(server, CRITICAL)

    assert limited == [("CONFIDENTIAL", True, 10), ("CONFIDENTIAL", False, 60), ("TOP_SECRET", True, 5)]
    assert free == ("CONFIDENTIAL", True, None)


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
