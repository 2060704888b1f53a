"""A server that records: what it keeps, how a recording ends, and what stands in its way."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from dsmilctl.archive.database import connect
from dsmilctl.archive.lock import RecorderLock, holder
from dsmilctl.archive.places import Places
from dsmilctl.archive.recording import Recording, counts, recordings
from dsmilctl.archive.store import Store
from dsmilctl.client.local import LocalClient
from dsmilctl.client.opening import connect as open_context
from dsmilctl.config.paths import paths
from dsmilctl.errors import Conflict
from dsmilctl.model.history import ReadingsQuery
from dsmilctl.server.recording import recording, registers_of
from tests.fixtures import home

__all__ = ["home"]
pytestmark = pytest.mark.usefixtures("home")


def simulator() -> LocalClient:
    """A client on simulated devices."""
    client = open_context("sim")
    assert isinstance(client, LocalClient)
    return client


def kept(places: Places) -> list[tuple[Recording, dict[str, int]]]:
    """The recordings and what they hold."""
    connection = connect(places.database, read_only=True)
    try:
        return [(item, counts(connection, item.recording_id)) for item in recordings(connection)]
    finally:
        connection.close()


async def until_kept(client: LocalClient, count: int) -> None:
    """Wait until so many readings can be asked for."""
    async with asyncio.timeout(20):
        while True:
            page = await client.readings(ReadingsQuery(limit=10_000))
            if len(page.readings) >= count:
                return
            await asyncio.sleep(0.05)


async def test_every_device_is_recorded_with_its_key_registers_and_the_readings_can_be_asked_for_at_once(
    tmp_path: Path,
) -> None:
    async with simulator() as client:
        client.archive = tmp_path / "archive"
        places = Places(client.archive)
        async with recording(client, Store(places), 0.1):
            await until_kept(client, 1000)
            assert holder(places.lock)
        page = await client.readings(ReadingsQuery(limit=10_000))

    ((found, held),) = kept(places)
    assert (found.status, found.name, found.context) == ("completed", "serve", "sim")
    assert held["readings"] >= len(page.readings) >= 1000
    assert {reading.register for reading in page.readings} == {"STATUS", "TEMP", "VOLTAGE"}
    assert 0x8009 not in {reading.device_id for reading in page.readings}, "it is quarantined"
    assert not holder(places.lock)


async def test_an_archive_that_somebody_records_into_is_left_alone(tmp_path: Path) -> None:
    places = Places(tmp_path / "archive")
    async with simulator() as client:
        with RecorderLock(places.lock), pytest.raises(Conflict):
            async with recording(client, Store(places), 1.0):
                pytest.fail("two recorders at once")


async def test_a_server_whose_recorder_fails_goes_on_and_the_recording_says_failed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    places = Places(tmp_path / "archive")
    async with simulator() as client:
        client.archive = places.folder
        async with recording(client, Store(places), 0.05):
            await until_kept(client, 100)
            (paths().journal_folder / "journal-999999.jsonl").mkdir(parents=True)  # which cannot be read
            async with asyncio.timeout(20):
                while "records no longer" not in caplog.text:
                    await asyncio.sleep(0.05)
            assert await client.read(await client.devices())

    ((found, held),) = kept(places)
    assert found.status == "failed"
    assert held["readings"] >= 100


async def test_only_registers_that_can_be_read_are_recorded() -> None:
    async with simulator() as client:
        devices = await client.devices()

    assert registers_of(devices) == ("STATUS", "TEMP", "VOLTAGE")
    assert registers_of([]) == ()
