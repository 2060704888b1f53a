"""Responses: what is kept of the status of DSMIL devices are its changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from dsmilctl.archive.database import connect
from dsmilctl.archive.places import Places
from dsmilctl.archive.recorder import Recorder
from dsmilctl.archive.recording import new_recording
from dsmilctl.archive.responses import Response, Statuses, answering
from dsmilctl.archive.store import Store
from dsmilctl.archive.tokens import Outcome, TokenTest, begin, complete
from dsmilctl.client.connecting import connect as connect_client
from dsmilctl.client.interface import Client
from dsmilctl.clock import SYSTEM
from dsmilctl.config.paths import Paths
from dsmilctl.model.device import Device
from dsmilctl.model.operation import OperationType, Request
from dsmilctl.model.reading import Quality, Reading
from dsmilctl.model.register import Register
from tests.archive.stand import START
from tests.fixtures import home as home  # noqa: PLC0414 - a fixture of this module, too


def status(value: int, device: int | str = 0x800D) -> Reading:
    return Reading(device, "STATUS", value, START)


def changes(*readings: Reading) -> list[tuple[str, str, str]]:
    statuses = Statuses()
    return [
        (item.kind, item.previous, item.new) for reading in readings for item in statuses.changes([reading])
    ]


def test_fault_151_a_status_that_stays_is_kept_never_and_the_first_one_is_no_change() -> None:
    assert changes(status(1), status(1), status(1)) == []


def test_a_change_is_told_as_what_it_means_with_the_state_before() -> None:
    assert changes(status(0), status(1), status(0x41), status(0x40), status(0x8000_0040)) == [
        ("activation", "0x00000000", "0x00000001"),
        ("state_change", "0x00000001", "0x00000041"),
        ("deactivation", "0x00000041", "0x00000040"),
        ("error", "0x00000040", "0x80000040"),
    ]


def test_a_device_that_stops_answering_is_an_error_and_its_return_a_change() -> None:
    gone = Reading(
        0x800D, "STATUS", None, START, quality=Quality.BAD, error="no answer", error_code="TIMEOUT"
    )

    assert changes(status(1), gone, gone, status(1)) == [
        ("error", "0x00000001", "TIMEOUT"),
        ("activation", "TIMEOUT", "0x00000001"),
    ]


def test_each_device_has_a_past_of_its_own_and_its_place_in_its_group() -> None:
    statuses = Statuses()
    statuses.changes([status(1, 0x800D), status(1, 0x8000)])

    (found,) = statuses.changes([status(1, 0x8000), status(0, 0x800D)])

    assert found == Response(
        timestamp=START, group_id=1, device_id=1, kind="deactivation", previous="0x00000001", new="0x00000000"
    )


def test_other_registers_and_devices_with_names_are_no_responses() -> None:
    warm = Reading(0x8000, "TEMP", 40, START)
    hot = Reading(0x8000, "TEMP", 90, START)

    assert changes(warm, hot, status(1, "pump"), status(0, "pump")) == []


def test_only_devices_with_a_status_that_may_be_asked_are_followed() -> None:
    registers = (Register("STATUS"),)
    good = Device(0x8000, "a", "sim", registers)
    others = [
        Device("pump", "b", "sim", registers),
        Device(0x8009, "c", "sim", registers, quarantined=True),
        Device(0x8001, "d", "sim", (Register("TEMP"),)),
    ]

    assert answering([good, *others]) == [good]


@pytest_asyncio.fixture
async def client(home: Paths, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    monkeypatch.setenv("DSMIL_SIM_OPTIONS", '{"period": 1e12}')
    async with connect_client("sim") as found:
        yield found


async def test_a_device_that_is_switched_off_during_a_test_shows_as_its_response(
    client: Client, tmp_path: Path
) -> None:
    places = Places(tmp_path / "archive")
    device = (await client.devices())[1]
    with Store(places) as store:
        recording = new_recording("tour", SYSTEM.now())
        writer = store.begin(recording)
        recorder = Recorder(client, writer, recording.started, response_interval=0.05)
        begun = asyncio.Event()
        recording_task = asyncio.create_task(recorder.run([device], interval=0.05, ready=begun.set))
        await asyncio.wait_for(begun.wait(), 10)
        await asyncio.sleep(0.2)
        ids: list[int] = []
        test = TokenTest(recording_id=recording.recording_id, token_id=0x481, started=SYSTEM.now())
        writer.work(lambda connection: ids.append(begin(connection, test, test.started))).result()
        request = Request(
            device_id=device.device_id, type=OperationType.DEACTIVATE, justification="tested by night"
        )
        await client.change(request)
        await response_kept(places)
        writer.work(lambda connection: complete(connection, ids[0], Outcome(), SYSTEM.now())).result()
        recording_task.cancel()
        await asyncio.gather(recording_task, return_exceptions=True)
        store.end(writer, "completed")

    connection = connect(places.database, read_only=True)
    query = """SELECT group_id, device_id, response_type, test_id, correlation_strength, response_data
      FROM dsmil_responses"""
    rows = connection.execute(query).fetchall()
    assert [row[:5] for row in rows] == [(0, 1, "deactivation", ids[0], 1.0)]
    assert "operation_id" in rows[0][5]
    connection.close()


async def response_kept(places: Places) -> None:
    connection = connect(places.database, read_only=True)
    async with asyncio.timeout(10):
        while not connection.execute("SELECT count(*) FROM dsmil_responses").fetchone()[0]:
            await asyncio.sleep(0.02)
    connection.close()
