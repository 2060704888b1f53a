"""Pages of what happened: total and offset are those of everything that fits, whatever is asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from dsmilctl.client.interface import Client, HistoryQuery
from dsmilctl.client.opening import connect
from dsmilctl.client.remote.client import DSMILClient
from dsmilctl.config.paths import Paths
from tests.server.doors import LOW, MEDIUM, PASSWORD, WHY, Doors, doors


async def seven_writes(server: Doors) -> None:
    """Seven writes that are done, and two that are refused, on two devices."""
    for number in range(7):
        assert (await server.write("ada", MEDIUM, f"0x{number + 1:X}")).status_code == 200
    for _ in range(2):
        assert (await server.write("ada", MEDIUM, "0x5", register="NOPE")).status_code == 422
        assert (await server.write("ada", 0x8001, "0x5")).status_code == 403
    assert (await server.write("ada", LOW, "0x5")).status_code == 200


async def pages(server: Doors, path: str, key: str, **filters: Any) -> tuple[list[Any], list[dict[str, Any]]]:
    """Everything, page by page of three, and what each page says of itself."""
    items: list[Any] = []
    told: list[dict[str, Any]] = []
    while not told or told[-1]["has_more"]:
        query = "&".join(f"{name}={value}" for name, value in (filters | {"offset": len(items)}).items())
        answer = (await server.ask("ada", "GET", f"{path}?limit=3&{query}")).json()
        items += answer[key]
        told.append(answer["pagination"])
    return items, told


async def test_the_history_of_a_device_is_paged_with_its_true_total(home: Paths) -> None:
    async with doors() as server:
        await seven_writes(server)
        for _ in range(4):
            assert (await server.read("ada", MEDIUM)).status_code == 200
        everything, told = await pages(server, f"/devices/{MEDIUM}/history", "operations")
        writes, of_writes = await pages(
            server, f"/devices/{MEDIUM}/history", "operations", operation_type="WRITE"
        )
        beyond = (await server.ask("ada", "GET", f"/devices/{MEDIUM}/history?offset=500")).json()

    assert [page["total"] for page in told] == [11] * 4
    assert [page["offset"] for page in told] == [0, 3, 6, 9]
    assert [page["returned"] for page in told] == [3, 3, 3, 2]
    assert [operation["operation_type"] for operation in everything] == ["READ"] * 4 + ["WRITE"] * 7
    assert [page["total"] for page in of_writes] == [7] * 3
    assert [operation["result"]["value"] for operation in writes] == [7, 6, 5, 4, 3, 2, 1]
    assert [operation["result"]["old"] for operation in writes][:3] == [6, 5, 4]
    assert beyond["pagination"] == {"total": 11, "returned": 0, "offset": 500, "has_more": False}


async def test_the_journal_is_paged_with_its_true_total_and_filters_count(home: Paths) -> None:
    async with doors() as server:
        await seven_writes(server)
        everything, told = await pages(server, "/audit", "records")
        denied, of_denied = await pages(server, "/audit", "records", outcome="DENIED", device_id="0x8001")
        ended, of_ended = await pages(server, "/audit", "records", outcome="SUCCESS", action="device.write")
        beyond = (await server.ask("ada", "GET", "/audit?offset=500&limit=1")).json()["pagination"]
        quick = (await server.ask("ada", "GET", "/audit?limit=1&count=false")).json()["pagination"]

    sequences = [record["sequence"] for record in everything]
    assert sequences == sorted(set(sequences), reverse=True), "no record twice, none left out"
    assert {page["total"] for page in told} == {len(everything)} == {2 * 8 + 2}
    assert [page["offset"] for page in told] == list(range(0, 18, 3))
    assert (len(denied), {page["total"] for page in of_denied}) == (2, {2})
    assert (len(ended), {page["total"] for page in of_ended}) == (8, {8})
    assert beyond == {"total": 18, "returned": 0, "offset": 500, "has_more": False}
    assert quick == {"total": None, "returned": 1, "offset": 0, "has_more": True}


async def test_the_stops_there_were_are_paged_too(home: Paths) -> None:
    async with doors() as server:
        for number in range(5):
            body = {"scope": "SINGLE_DEVICE", "target_devices": [MEDIUM + number]}
            assert (await server.ask("ada", "POST", "/emergency/stop", body)).status_code == 200
        stops, told = await pages(server, "/emergency/history", "stops")

    assert [stop["target_devices"] for stop in stops] == [[MEDIUM + number] for number in (4, 3, 2, 1, 0)]
    assert [(page["total"], page["offset"], page["returned"]) for page in told] == [(5, 0, 3), (5, 3, 2)]


@asynccontextmanager
async def two_clients(server: Doors) -> AsyncIterator[list[Client]]:
    """Here, over a journal with as many records, and there."""
    async with connect("sim") as here, DSMILClient(server.url) as there:
        (await there.authenticate("ada", PASSWORD)).raise_for_status()
        yield [here, there]


async def test_a_client_counts_and_leaves_out_the_same_here_and_over_the_api(home: Paths) -> None:
    from dsmilctl.model.operation import OperationType, Request
    from tests.server.test_bulks import IDS

    requests = [
        Request(device_id=device, type=OperationType.WRITE, register="CONFIG", value=5, justification=WHY)
        for device in IDS
    ]
    async with doors() as server, two_clients(server) as clients:
        found = []
        for client in clients:
            assert (await client.change_many(requests)).status == "COMPLETED"
            query = HistoryQuery(action="device.write", outcome="SUCCESS", user=client.identity.user)
            page = await client.audit(HistoryQuery(action="device.write", limit=3, offset=4))
            whole = await client.audit(HistoryQuery(action="device.write", limit=0))
            found.append((await client.audit_count(query), page == whole[4:7], len(whole)))
        history = await clients[1].get_device_history(IDS[0], limit=1)  # type: ignore[attr-defined] # the SDK's

    assert found[0][:2] == (5, True)
    assert found[1][:2] == (5, True)
    assert history.pagination.total == 1
