"""Large fleets: ten thousand devices of which a thousand are dead, and the living on schedule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dsmilctl.clock import NANOSECONDS
from dsmilctl.config.paths import Paths
from dsmilctl.config.settings import Reconnect, Settings
from dsmilctl.model.reading import Batch
from tests.reliability.processes import simulated

DEVICES = 10_000
FAULTS = ["silent:*/20", "disconnect:*/10"]
"""Every twentieth does not answer, and of the others every tenth refuses: a thousand in all."""


def dead_ids(devices: int) -> set[int]:
    return {0x8000 + number - 1 for number in range(1, devices + 1) if number % 10 == 0}


async def test_the_living_of_ten_thousand_devices_are_read_and_the_dead_are_named(
    home: Paths, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"devices": DEVICES, "faults": FAULTS, "timeout": 1.0}
    async with simulated(home, tmp_path, **options) as client:
        devices = [device for device in await client.devices() if not device.quarantined]
        readings = await client.read(devices, ["TEMP"])
        status = await client.system_status()

    dead = dead_ids(DEVICES)
    failed = {reading.device_id for reading in readings if reading.value is None}
    assert len(readings) == len(devices)
    assert failed == dead & {device.device_id for device in devices}
    assert all(reading.error for reading in readings if reading.value is None)
    assert status["device_summary"]["error_devices"] == len(failed)


async def test_the_living_of_ten_thousand_devices_stream_on_schedule(home: Paths, tmp_path: Path) -> None:
    ticks, interval = 6, 1.0
    options: dict[str, Any] = {"devices": DEVICES, "faults": FAULTS, "timeout": 1.0}
    whole: list[Batch] = []
    async with simulated(home, tmp_path, **options) as client:
        devices = await client.devices()
        stream = client.stream(devices, ["TEMP"], interval=interval)
        async for item in stream:
            assert isinstance(item, Batch)
            if not item.partial:
                whole.append(item)
            if len(whole) == ticks:
                break
        await stream.aclose()

    dead = dead_ids(DEVICES)
    living = {device.device_id for device in devices} - dead
    for batch in whole:
        fresh = {reading.device_id for reading in batch.readings if reading.good}
        assert fresh == living
        assert {*batch.failed, *batch.pending} == dead & {device.device_id for device in devices}
    times = [batch.timestamp / NANOSECONDS for batch in whole]
    assert times[-1] - times[0] < 3 * interval * (ticks - 1), "the dead delay nobody"
    assert [batch.sequence for batch in whole] == sorted(batch.sequence for batch in whole)


@pytest.mark.parametrize("changes_only", [True, False])
async def test_a_thousand_devices_flapping_are_always_known_for_what_they_are(
    home: Paths, tmp_path: Path, changes_only: bool
) -> None:
    options: dict[str, Any] = {"devices": 1000, "faults": ["flapping:*/10:0.3"], "timeout": 1.0}
    options["settings"] = Settings(reconnect=Reconnect(first=0.05, cap=0.1))
    failed, answered = set[Any](), set[Any]()
    async with simulated(home, tmp_path, **options) as client:
        devices = {device.device_id for device in await client.devices()}
        stream = client.stream(await client.devices(), ["TEMP"], interval=0.1, changes_only=changes_only)
        flapping = devices & dead_ids(1000)
        async for item in stream:
            assert isinstance(item, Batch)
            failed |= set(item.failed)
            answered |= {reading.device_id for reading in item.readings if reading.good}
            if failed >= flapping and answered >= devices:
                break
        await stream.aclose()

    assert failed == flapping, "each was seen failing and answering, and no other one failing"
