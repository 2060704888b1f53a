"""Bulks that are cut by their time, or refused as a whole: what is told and journalled of each operation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from dsmilctl.client.interface import BulkOptions, Client
from dsmilctl.client.opening import connect
from dsmilctl.client.remote.client import DSMILClient
from dsmilctl.config.paths import Paths
from dsmilctl.drivers.sim.driver import SimDriver
from dsmilctl.model.device import Device
from dsmilctl.model.operation import OperationType, Request
from tests.server.doors import LOW, MEDIUM, PASSWORD, WHY, Doors, code, doors

IDS = [MEDIUM + number for number in range(5)]
STUCK = IDS[1]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The devices that were told to write; the second one never answers."""
    reached: list[int] = []
    write = SimDriver.write

    async def hanging(driver: SimDriver, device: Device, *how: Any) -> None:
        assert isinstance(device.device_id, int)
        reached.append(device.device_id)
        if device.device_id == STUCK:
            await asyncio.Event().wait()
        await write(driver, device, *how)

    monkeypatch.setattr(SimDriver, "write", hanging)
    return reached


def item(device: int, kind: str = "WRITE") -> dict[str, Any]:
    data = {"register": "CONFIG"} | ({"value": 5} if kind == "WRITE" else {})
    return {"device_id": device, "operation_type": kind, "operation_data": data, "justification": WHY}


async def bulk(server: Doors, operations: list[dict[str, Any]], **how: Any) -> Any:
    return await server.ask("ada", "POST", "/operations/bulk", {"operations": operations} | how)


def how_they_ended(answer: Any) -> list[tuple[str, str]]:
    return [(result["status"], result["error_code"]) for result in answer.json()["results"]]


CUT = [("SUCCESS", ""), ("TIMEOUT", "TIMEOUT")] + [("DENIED", "REFUSED")] * 3


@pytest.mark.parametrize("mixed", [False, True])
async def test_of_a_sequential_bulk_that_is_cut_only_what_was_under_way_is_unknown(
    home: Paths, told: list[int], mixed: bool
) -> None:
    operations = [item(device) for device in IDS] + [item(LOW, "READ")] * mixed
    async with doors() as server:
        answer = await bulk(server, operations, execution_mode="SEQUENTIAL", timeout_ms=700)
        journal = {
            record["target"]: record["outcome"]
            for record in reversed(await server.journal())
            if record["action"] == "device.write"
        }

    assert how_they_ended(answer) == CUT + [("DENIED", "REFUSED")] * mixed
    results = answer.json()["results"]
    assert "outcome is unknown" in results[1]["error"]
    assert {result["error"] for result in results[2:]} == {"not begun: the time of the bulk was over"}
    assert answer.json()["summary"] == {
        "total": 5 + mixed, "successful": 1, "failed": 0, "denied": 3 + mixed, "timeouts": 1,
    }  # fmt: skip
    assert told == IDS[:2]
    assert journal[f"0x{STUCK:04X}"] == "UNKNOWN"


@pytest.mark.parametrize("concurrency", [0, 2])
async def test_a_parallel_bulk_that_is_cut_tells_the_others_as_they_ended(
    home: Paths, told: list[int], concurrency: int
) -> None:
    async with doors() as server:
        operations = [item(device) for device in IDS]
        answer = await bulk(server, operations, timeout_ms=700, max_concurrency=concurrency)

    assert how_they_ended(answer) == [CUT[0], CUT[1], CUT[0], CUT[0], CUT[0]]


@asynccontextmanager
async def near_and_far(server: Doors) -> AsyncIterator[list[Client]]:
    async with connect("sim") as here, DSMILClient(server.url) as there:
        (await there.authenticate("ada", PASSWORD)).raise_for_status()
        yield [here, there]


async def test_a_bulk_that_is_cut_is_told_the_same_here_and_over_the_api(
    home: Paths, told: list[int]
) -> None:
    requests = [
        Request(device_id=device, type=OperationType.WRITE, register="CONFIG", value=5, justification=WHY)
        for device in IDS
    ]
    async with doors() as server, near_and_far(server) as clients:
        found = [
            await client.change_many(requests, options=BulkOptions(concurrency=1, timeout=0.7))
            for client in clients
        ]

    here, there = (
        [(operation.status, operation.error_code, operation.error) for operation in result.results]
        for result in found
    )
    assert here == there
    assert [(status.value, code) for status, code, _ in here] == CUT
    assert found[0].summary == found[1].summary


async def test_the_parts_of_a_long_bulk_share_its_time(home: Paths, told: list[int]) -> None:
    """A server that takes two at once: the third part would begin when the time is over."""
    from dsmilctl.server.assembly import ServerOptions
    from dsmilctl.server.gateway import Limits
    from tests.server.doors import CHEAP

    options = ServerOptions(limits=Limits(bulk_operation_max_devices=2), password_cost=CHEAP)
    devices = [IDS[0], STUCK, *(IDS[2:]), *range(LOW, LOW + 20)]
    async with doors(options=options) as server, DSMILClient(server.url) as there:
        (await there.authenticate("ada", PASSWORD)).raise_for_status()
        requests = [
            Request(device_id=device, type=OperationType.WRITE, register="CONFIG", value=5, justification=WHY)
            for device in devices
        ]
        found = await there.change_many(requests, options=BulkOptions(concurrency=1, timeout=0.7))

    assert [result.status.value for result in found.results] == ["SUCCESS", "TIMEOUT"] + ["DENIED"] * 23
    assert told == IDS[:2]


async def test_a_bulk_that_is_refused_as_a_whole_is_journalled_for_each_device(home: Paths) -> None:
    async with doors(limits=True) as server:
        unjustified = [item(device) | {"justification": ""} for device in IDS]
        why = await bulk(server, unjustified)
        who = await server.ask("analyst", "POST", "/operations/bulk", {"operations": [item(0x8010)]})
        often = [await bulk(server, [item(IDS[0])]) for _ in range(4)][-1]
        records = [record for record in await server.journal() if record["outcome"] == "DENIED"]

    assert [code(answer) for answer in (why, who, often)] == [
        (422, "JUSTIFICATION_REQUIRED"), (403, "PERMISSION_DENIED"), (429, "RATE_LIMITED"),
    ]  # fmt: skip
    told = {(record["target"], record["parameters"]["code"], record["user"]) for record in records}
    assert told >= {(f"0x{device:04X}", "JUSTIFICATION_REQUIRED", "ada") for device in IDS}
    assert told >= {("0x8010", "PERMISSION_DENIED", "analyst"), (f"0x{IDS[0]:04X}", "RATE_LIMITED", "ada")}
    assert {record["action"] for record in records} == {"device.write"}
    assert all(record["parameters"]["bulk"] for record in records)


async def test_a_change_that_cannot_be_is_journalled_with_the_others(home: Paths) -> None:
    wrong = item(MEDIUM) | {"operation_data": {"register": "NOPE", "value": 5}}
    async with doors() as server:
        answer = await bulk(server, [wrong, item(MEDIUM + 1), item(0x9999)])
        records = [record for record in await server.journal() if record["action"] == "device.write"]

    assert [result["error_code"] for result in answer.json()["results"]] == [
        "INVALID_PARAMETER", "", "DEVICE_NOT_FOUND",
    ]  # fmt: skip
    bulk_id = answer.json()["bulk_operation_id"]
    assert {record["parameters"]["bulk"] for record in records if record["parameters"].get("bulk")} == {
        bulk_id
    }
    refused = next(record for record in records if record["outcome"] == "DENIED")
    assert (refused["target"], refused["parameters"]["register"]) == (f"0x{MEDIUM:04X}", "NOPE")
