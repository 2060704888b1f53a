"""Alarms on a bad day: ten thousand devices, a thousand of them dead or flapping, and nobody who reads."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from dsmilctl.client.local import LocalClient
from dsmilctl.config.paths import Paths
from dsmilctl.config.settings import Reconnect, Settings
from dsmilctl.model.alarm import Alarm, AlarmQuery, AlarmState, Condition, Priority
from tests.reliability.processes import simulated
from tests.reliability.test_large_fleets import DEVICES, dead_ids

PATIENCE = 60.0
ERRORS = AlarmQuery(priorities=frozenset({Priority.HIGH}), limit=0)


async def errors(client: LocalClient) -> list[Alarm]:
    """The alarms of devices that fail."""
    return (await client.alarms(ERRORS))[0]


async def test_every_dead_device_of_ten_thousand_has_one_alarm_and_no_living_one_has(
    home: Paths, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"devices": DEVICES, "faults": ["disconnect:*/10"], "timeout": 1.0}
    async with simulated(home, tmp_path, **options) as client:
        dead = dead_ids(DEVICES) & {device.device_id for device in await client.devices()}
        async with client.watch_alarms(0.2), asyncio.timeout(PATIENCE):
            while len(found := await errors(client)) < len(dead):
                await asyncio.sleep(0.05)
            page, total = await client.alarms(AlarmQuery(limit=10, offset=5))

    assert {alarm.device_id for alarm in found} == dead
    assert {alarm.condition for alarm in found} == {Condition.ERROR}
    assert len(found) == len(dead)
    assert (len(page), page[0].priority) == (10, Priority.HIGH)
    assert total >= len(dead)


async def test_devices_that_flap_have_one_alarm_each_however_often_they_do(
    home: Paths, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"devices": 1000, "faults": ["flapping:*/10:0.3"], "timeout": 1.0}
    options["settings"] = Settings(reconnect=Reconnect(first=0.05, cap=0.1))
    turns: dict[str, set[AlarmState]] = {}
    async with simulated(home, tmp_path, **options) as client:
        flapping = dead_ids(1000) & {device.device_id for device in await client.devices()}
        async with client.watch_alarms(0.1), asyncio.timeout(PATIENCE):
            while len(turns) < len(flapping) or any(len(states) < 2 for states in turns.values()):
                for alarm in (found := await errors(client)):
                    turns.setdefault(alarm.id, set()).add(alarm.state)
                assert len(found) <= len(flapping)
                await asyncio.sleep(0.02)

    assert {alarm.device_id for alarm in found} == flapping
    both = {AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED}
    assert all(states == both for states in turns.values())
