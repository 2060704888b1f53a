"""Looks into the journal: every operation is recorded once, however many there are between two looks."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from dsmilctl.archive import recorder as recorders
from dsmilctl.archive.places import Places
from dsmilctl.archive.recorder import Recorder
from dsmilctl.archive.recording import new_recording
from dsmilctl.archive.store import Store
from dsmilctl.clock import SYSTEM
from dsmilctl.config.paths import Paths
from tests.archive.stand import rows
from tests.rack import Lab, Rack, write


@pytest.mark.parametrize("page", [1, 3, 500])
async def test_each_operation_is_recorded_once_whatever_a_look_asks_for(
    home: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(recorders, "PAGE", page)
    places = Places(tmp_path / "archive")
    with Store(places) as store:
        async with Lab(home, Rack(2)).client() as client:
            begun = SYSTEM.now()
            writer = store.begin(new_recording("x", begun))
            recorder = Recorder(client, writer, begun, journal_interval=0.05)
            running = asyncio.create_task(recorder.run(await client.devices(), interval=0.1))
            for number in range(12):
                await client.change(write("rack-0", value=5 * number))
                if number % 5 == 0:
                    await asyncio.sleep(0.15)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        writer.flush()
        kept = rows(places, "SELECT sequence FROM operations")
        store.end(writer, "completed")

    found = [row[0] for row in kept]
    assert found == sorted(found)
    assert found == list(range(found[0], found[0] + 24)), "an intent and a result of each, once"
