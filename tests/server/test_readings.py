"""`GET /readings`: what was recorded, over a real server, beside the same question asked here."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from dsmilctl.archive import extra
from dsmilctl.archive.places import Places
from dsmilctl.archive.recording import new_recording
from dsmilctl.archive.store import Store
from dsmilctl.client.interface import Client
from dsmilctl.client.opening import connect_context
from dsmilctl.client.remote.client import DSMILClient
from dsmilctl.client.remote.sync import SyncDSMILClient
from dsmilctl.clock import rfc3339
from dsmilctl.config.contexts import Context, DriverUse
from dsmilctl.config.paths import paths
from dsmilctl.drivers.sim.failures import HOUR
from dsmilctl.errors import DSMILError, InvalidParameter
from dsmilctl.model.history import ReadingsPage, ReadingsQuery, RecordedReading
from dsmilctl.model.reading import Quality, Reading
from tests.server.served import PASSWORDS, PATIENCE, TLS, Served
from tests.unit.homes import throw_away_home

MINUTE = HOUR // 60
STEP = 7_000_000_001
NAME = "rack"
KINDS = (21.5, 7, True, "märz", 2**60, None)
"""A value of every kind that the archive tells apart."""


def rack(**options: Any) -> Context:
    """Simulated devices with 30 days behind them."""
    settings = {"past_days": 30, "persist": False} | options
    return Context(name=NAME, drivers=(DriverUse("sim", settings),), target="simulated", fleet=NAME)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home for the server of this module."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        folder = tmp_path_factory.mktemp("readings")
        throw_away_home(folder, monkeypatch)
        yield folder


@pytest.fixture(scope="module")
def past(home: Path) -> Iterator[Served]:
    """A server whose devices have a past, and in whose archive the last minutes were recorded."""
    with Served(context=rack()) as server:
        record(server)
        yield server


def record(server: Served) -> None:
    """Put recordings of this context and of another one into the archive."""
    begun = server.gateway.clock.now()
    for context, shift in ((NAME, 0), ("another", 1000)):
        with Store(Places(paths().archive_folder)) as store:
            recording = new_recording("tour", begun, context=context)
            writer = store.begin(recording)
            writer.readings([
                Reading(
                    0x8000 + number % 3, "TEMP", 20.0 + shift + number / 4, begun + number // 3 * STEP,
                    "°C", sequence=number + 1, latency_ms=1.25,
                )
                for number in range(300)
            ])  # fmt: skip
            writer.readings([
                Reading(0x8003, "DATA", value, begun + place, raw="0x7", sequence=5)
                for place, value in enumerate(KINDS)
            ])  # fmt: skip
            writer.readings([
                Reading(0x8004, "TEMP", None, begun, "°C", Quality.BAD, None, None, "silent", "TIMEOUT", 9)
            ])  # fmt: skip
            writer.readings([
                Reading(0x8005, "DATA", number, begun, sequence=3) for number in range(7)
            ])  # fmt: skip
            store.end(writer, "completed")


@contextlib.asynccontextmanager
async def remote(server: Served, user: str = "admin") -> Any:
    """The client of a user over the network."""
    async with DSMILClient(server.url) as client:
        assert (await client.authenticate(user, PASSWORDS[user])).success
        yield client


async def whole(client: Client, query: ReadingsQuery, limit: int) -> list[RecordedReading]:
    """Every reading, page by page."""
    found: list[RecordedReading] = []
    cursor = ""
    while True:
        page = await client.readings(msgspec.structs.replace(query, cursor=cursor, limit=limit))
        assert len(page.readings) <= limit
        found += page.readings
        cursor = page.cursor
        if not cursor:
            return found


def at(server: Served, query: ReadingsQuery) -> ReadingsPage:
    """The same question asked where the devices are."""
    return asyncio.run_coroutine_threadsafe(server.client.readings(query), server.loop).result(PATIENCE)


QUESTIONS = (
    ReadingsQuery(device_ids=(0x8000, 0x8001), registers=("TEMP",)),
    ReadingsQuery(device_ids=(0x8003,), registers=("DATA",)),
    ReadingsQuery(device_ids=(0x8004,), registers=("temp",)),
    *(
        ReadingsQuery(device_ids=(0x8002, 0x8000), registers=("TEMP",), every=HOUR, aggregate=aggregate)
        for aggregate in ("mean", "min", "max", "sum", "count", "first", "last")
    ),
)


@pytest.mark.parametrize("query", QUESTIONS, ids=str)
async def test_a_remote_context_tells_the_same_readings_field_by_field(
    past: Served, query: ReadingsQuery
) -> None:
    recent = msgspec.structs.replace(query, since=past.gateway.clock.now() - 5 * HOUR, limit=10_000)

    async with remote(past) as client:
        told = await client.readings(recent)

    assert told == at(past, recent)
    assert len(told.readings) > 5
    assert not told.cursor


async def test_recorded_values_come_back_as_what_they_were(past: Served) -> None:
    async with remote(past) as client:
        page = await client.readings(ReadingsQuery(device_ids=(0x8003,), registers=("DATA",), limit=10_000))
    recorded = [reading for reading in page.readings if reading.recording]

    assert [reading.value for reading in recorded] == list(KINDS)
    assert {reading.raw for reading in recorded} == {"0x7"}
    bad = at(past, ReadingsQuery(device_ids=(0x8004,), registers=("TEMP",), limit=10_000)).readings[-1]
    assert (bad.quality, bad.error, bad.error_code, bad.value) == (Quality.BAD, "silent", "TIMEOUT", None)


async def test_pages_of_any_size_give_every_reading_once_and_in_order(past: Served) -> None:
    since = past.gateway.clock.now() - 3 * HOUR
    query = ReadingsQuery(device_ids=(0x8000, 0x8001, 0x8003), registers=("TEMP", "DATA"), since=since)

    async with remote(past) as client:
        at_once = await whole(client, query, 10_000)
        for size in (13, 100):
            assert await whole(client, query, size) == at_once

    assert [reading.key for reading in at_once] == sorted(reading.key for reading in at_once)
    assert {reading.recording == "" for reading in at_once} == {True, False}, "both sides of the beginning"


@pytest.mark.parametrize("size", [1, 2, 3, 7])
async def test_readings_of_one_moment_and_number_are_told_once_each(past: Served, size: int) -> None:
    since = past.gateway.clock.now() - HOUR
    query = ReadingsQuery(device_ids=(0x8005,), registers=("DATA",), since=since)

    async with remote(past) as client:
        found = await whole(client, query, size)

    assert sorted((reading.value for reading in found if reading.recording), key=str) == list(range(7))


async def test_what_another_context_recorded_is_not_told(past: Served) -> None:
    page = at(past, ReadingsQuery(device_ids=(0x8000,), registers=("TEMP",), limit=10_000))

    assert max(reading.value for reading in page.readings if isinstance(reading.value, float)) < 500


async def test_devices_of_others_and_quarantined_ones_are_listed_as_denied(past: Served) -> None:
    since = past.gateway.clock.now() - HOUR
    query = ReadingsQuery(device_ids=(0x8000, 0x8040, 0x8009), registers=("TEMP",), since=since)

    async with remote(past, "analyst") as client:
        page = await client.readings(query)
        everything = await whole(client, ReadingsQuery(registers=("TEMP",), since=since), 10_000)

    assert {reading.device_id for reading in page.readings} == {0x8000}
    denied = {item.device_id: item.code for item in page.denied}
    assert denied[0x8040] == "PERMISSION_DENIED"
    assert denied.keys() == {0x8040, 0x8009}
    told = {reading.device_id for reading in everything}
    assert 0x8009 not in told, "a quarantined device has to be named"
    assert told <= set(range(0x8000, 0x8024))


async def test_a_page_goes_on_for_a_user_only_as_far_as_that_user_may_see(past: Served) -> None:
    query = ReadingsQuery(device_ids=(0x8000, 0x8040), registers=("TEMP",), limit=5)
    async with remote(past) as admin:
        cursor = (await admin.readings(query)).cursor
    async with remote(past, "analyst") as analyst:
        page = await analyst.readings(msgspec.structs.replace(query, cursor=cursor, limit=10_000))

    assert {reading.device_id for reading in page.readings} == {0x8000}


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("device_ids=0x9999", 404, "DEVICE_NOT_FOUND"),
        ("device_ids=0xZZ", 422, "INVALID_PARAMETER"),
        ("registers=TEMPO", 422, "INVALID_PARAMETER"),
        ("every=soon", 422, "INVALID_PARAMETER"),
        ("every=0s", 422, "INVALID_PARAMETER"),
        ("aggregate=average", 422, "INVALID_PARAMETER"),
        ("since=yesterday", 422, "INVALID_PARAMETER"),
        ("since=9999-12-31T23:59:59Z", 422, "INVALID_PARAMETER"),
        ("since=2026-11-02&until=2026-11-01", 422, "INVALID_PARAMETER"),
        ("limit=0", 422, "INVALID_PARAMETER"),
        ("limit=10001", 422, "INVALID_PARAMETER"),
        ("device_id=0x8000", 422, "INVALID_PARAMETER"),
        ("cursor=%00", 422, "INVALID_PARAMETER"),
        ("cursor=kQ", 422, "INVALID_PARAMETER"),
    ],
)
async def test_a_wrong_question_gets_the_envelope(past: Served, query: str, status: int, code: str) -> None:
    async with past.http("admin") as http:
        answer = await http.get(f"/readings?{query}")

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text


def test_a_cursor_is_good_for_its_own_question_alone(past: Served) -> None:
    first = at(past, ReadingsQuery(device_ids=(0x8000,), limit=5))
    assert first.cursor

    with pytest.raises(InvalidParameter, match="another question"):
        at(past, ReadingsQuery(device_ids=(0x8001,), cursor=first.cursor))


async def test_the_endpoint_is_counted_and_needs_a_login(past: Served) -> None:
    async with past.http("admin") as http:
        answer = await http.get("/readings?device_ids=0x8000&limit=1")
        text = (await http.get("/monitoring/metrics")).text
    stranger = httpx.get(f"{past.url}/api/v2/readings", timeout=PATIENCE, verify=TLS)

    assert answer.status_code == 200
    assert 'route="/readings",status="200"' in text
    assert stranger.status_code == 401


def test_a_program_without_a_loop_asks_the_same(past: Served) -> None:
    query = ReadingsQuery(device_ids=(0x8000,), registers=("TEMP",), every=HOUR)

    with SyncDSMILClient(past.url) as client:
        assert client.authenticate("admin", PASSWORDS["admin"]).success
        assert client.readings(query).readings == at(past, query).readings


async def test_a_median_over_the_beginning_of_the_recording_is_refused_and_not_made_up(past: Served) -> None:
    query = ReadingsQuery(device_ids=(0x8000,), registers=("TEMP",), every=24 * 30 * HOUR, aggregate="median")

    with pytest.raises(DSMILError, match="in part only"):
        at(past, query)


async def test_a_long_question_ends_when_the_client_goes_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    throw_away_home(tmp_path, monkeypatch)
    with Served(context=rack(past_interval=2)) as server:
        async with server.http("admin") as http:
            for _ in range(4):
                with pytest.raises(httpx.ReadTimeout):
                    await http.get("/readings?every=1h&limit=10000", timeout=0.3)

            answer = await http.get("/readings?device_ids=0x8000&registers=TEMP&limit=5", timeout=12)

    assert answer.json()["returned"] == 5, "the threads were free again"


async def test_where_nothing_was_recorded_the_answer_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    throw_away_home(tmp_path, monkeypatch)
    with Served(context=rack(past_days=0)) as server:
        async with server.http("admin") as http:
            answer = (await http.get("/readings?device_ids=0x8000")).json()["error"]

    assert answer["code"] == "NOT_FOUND"
    assert "serve --record" in answer["details"]["hint"]


async def test_a_server_without_the_packages_of_an_archive_says_so(
    past: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extra, "PACKAGES", ("a_package_that_is_not_there",))

    async with past.http("admin") as http:
        answer = (await http.get("/readings?device_ids=0x8000")).json()["error"]

    assert answer["code"] == "NOT_FOUND"
    assert "not installed" in answer["message"]


async def test_a_local_client_tells_of_what_this_user_recorded(home: Path, past: Served) -> None:
    del home
    query = ReadingsQuery(device_ids=(0x8000,), registers=("TEMP",), since=past.gateway.clock.now() - MINUTE)

    async with connect_context(rack(past_days=0)) as client:
        page = await client.readings(query)

    assert page.readings
    assert all(reading.recording for reading in page.readings)
    assert rfc3339(page.readings[0].timestamp, 9)
