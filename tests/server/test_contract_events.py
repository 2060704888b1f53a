"""Server-Sent Events of the contract, event by event, over real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest

from dsmilctl.server.push import event_stream
from tests.server.served import PATIENCE, Served

Event = dict[str, Any]


async def events(http: httpx.AsyncClient, path: str, most: int = 100, last: str = "") -> list[Event]:
    """The events of a stream until its end, or the first `most`."""
    found: list[Event] = []
    headers = {"Last-Event-ID": last} if last else {}
    async with asyncio.timeout(PATIENCE), http.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200, await answer.aread()
        async for event in parsed(answer):
            found.append(event)
            if len(found) == most:
                break
    return found


async def parsed(answer: httpx.Response) -> AsyncIterator[Event]:
    event: Event = {}
    async for line in answer.aiter_lines():
        name, _, value = line.partition(": ")
        if line.startswith(":"):
            yield {"comment": line}
        elif name == "data":
            event["data"] = json.loads(value)
        elif line:
            event[name] = value
        elif event:
            yield event
            event = {}


def data_of(found: list[Event]) -> list[Event]:
    return [event for event in found if event.get("event") == "device_data"]


async def test_a_stream_of_one_device_carries_its_registers_until_its_time_is_over(served: Served) -> None:
    async with served.http() as http:
        found = await events(
            http, "/devices/0x8001/stream?registers=STATUS,TEMP&interval_ms=100&duration_s=0.35"
        )

    data = data_of(found)
    assert len(data) >= 2
    assert data[0]["data"]["device_id"] == 0x8001
    assert set(data[0]["data"]["data"]) == {"STATUS", "TEMP"}
    assert data[0]["data"]["data"]["STATUS"].startswith("0x")
    assert data[0]["data"]["timestamp"].endswith("Z")
    assert data[0]["retry"] == "1000"
    numbers = [int(event["id"]) for event in data]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert found[-1]["event"] == "end"
    assert found[-1]["data"]["reason"] == "duration"


async def test_one_stream_carries_many_devices(served: Served) -> None:
    async with served.http() as http:
        found = await events(
            http, "/stream?device_ids=0x8001,32770&registers=TEMP&interval_ms=100&duration_s=0.15"
        )

    assert {event["data"]["device_id"] for event in data_of(found)} == {0x8001, 0x8002}


async def test_a_stream_that_broke_goes_on_after_the_last_event_that_arrived(served: Served) -> None:
    path = "/devices/0x8003/stream?registers=TEMP&interval_ms=100"
    async with served.http() as http:
        before = data_of(await events(http, path, 3))
        await asyncio.sleep(0.5)
        after = data_of(await events(http, path, 7, last=before[-1]["id"]))

    numbers = [int(event["id"]) for event in before + after]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "nothing is missing, nothing twice"


async def test_a_stream_that_cannot_go_on_says_so_with_a_gap(served: Served) -> None:
    path = "/devices/0x8004/stream?registers=TEMP&interval_ms=100&duration_s=0.15"
    async with served.http() as http:
        found = await events(http, path, last="17")

    assert found[1]["event"] == "gap"
    assert found[1]["data"] == {"missed": None}


async def test_a_device_that_fails_is_an_event_of_its_own(served: Served) -> None:
    from dsmilctl.model.reading import Batch, Quality, Reading
    from dsmilctl.server.push.ticks import Tick

    bad = Reading(0x8001, "TEMP", None, 0, quality=Quality.BAD, error="no answer", error_code="TIMEOUT")

    name, data = Tick(Batch(1, 0, (bad,))).events[0]

    assert name == "device_error"
    told = msgspec.json.decode(data)
    assert told["device_id"] == 0x8001
    assert (told["error"], told["error_code"]) == ("no answer", "TIMEOUT")


async def test_a_comment_keeps_a_quiet_stream_alive(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "COMMENT_EVERY", 0.1)
    async with served.http() as http:
        found = await events(http, "/devices/0x8001/stream?interval_ms=3600000&duration_s=0.35")

    assert [event["comment"] for event in found if "comment" in event][1:] == [": alive"] * 3


async def test_a_hundred_clients_on_the_same_devices_cost_one_poll(served: Served) -> None:
    path = "/devices/0x8005/stream?registers=TEMP&interval_ms=200&duration_s=1.5"
    async with served.http() as http:
        await events(http, "/devices/0x8005/stream?registers=TEMP&interval_ms=200&duration_s=0.1")
        before = len(served.gateway.push.feeds)
        found = await asyncio.gather(*(events(http, path) for _ in range(100)))

    assert len(served.gateway.push.feeds) == before
    heard = [event["id"] for each in found for event in data_of(each)]
    assert len(heard) >= 300
    assert len(set(heard)) <= len(heard) / 10, "they hear the same events"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/devices/0x8001/stream?interval_ms=99", 422, "INVALID_PARAMETER"),
        ("/devices/0x8001/stream?interval_ms=ten", 422, "INVALID_PARAMETER"),
        ("/devices/0x8001/stream?duration_s=0", 422, "INVALID_PARAMETER"),
        ("/devices/0x8001/stream?duration_s=nan", 422, "INVALID_PARAMETER"),
        ("/devices/0x8001/stream?registers=TEMPO", 422, "INVALID_PARAMETER"),
        ("/devices/0x8001/stream?colour=red", 422, "INVALID_PARAMETER"),
        ("/devices/0x8053/stream", 403, "PERMISSION_DENIED"),
        ("/stream?device_ids=0x8001,0x8053", 403, "PERMISSION_DENIED"),
        ("/devices/0x9000/stream", 404, "DEVICE_NOT_FOUND"),
        ("/devices/0x8009/stream", 423, "DEVICE_QUARANTINED"),
        ("/stream?device_ids=0x8001,0x9000", 404, "DEVICE_NOT_FOUND"),
        ("/stream?device_ids=0x80zz", 422, "INVALID_PARAMETER"),
    ],
)
async def test_a_stream_that_cannot_be_is_refused_before_it_begins(
    served: Served, path: str, status: int, code: str
) -> None:
    async with served.http() as http:
        answer = await http.get(path)

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text


async def test_a_malformed_last_event_id_is_refused(served: Served) -> None:
    async with served.http() as http:
        answer = await http.get("/devices/0x8001/stream", headers={"Last-Event-ID": "1; drop"})

    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["target"] == "Last-Event-ID"


async def test_a_stream_needs_a_login(served: Served) -> None:
    async with served.http(None) as http:
        answer = await http.get("/stream")

    assert answer.status_code == 401


async def test_a_refused_attempt_at_a_quarantined_device_is_in_the_journal(served: Served) -> None:
    async with served.http() as http, served.http("admin") as admin:
        await http.get("/devices/0x800A/stream")
        records = (await admin.get("/audit?device_id=0x800A")).json()["records"]

    assert records[0]["decision"] == "DENIED"
    assert records[0]["user"] == "operator"
