"""Limits: a critical temperature stops the fleet, and a stop that fails is ordered again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from dsmilctl.archive.limits import Limits
from dsmilctl.archive.places import Places
from dsmilctl.archive.recording import new_recording
from dsmilctl.archive.store import Store
from dsmilctl.archive.writer import Writer
from dsmilctl.client.local import LocalClient
from dsmilctl.config.paths import Paths
from dsmilctl.errors import NetworkError
from dsmilctl.model.device import Device
from dsmilctl.model.emergency import Stop
from dsmilctl.model.reading import Quality, Reading
from dsmilctl.model.register import Register
from dsmilctl.testing.clock import START, StandingClock
from tests.archive.stand import rows
from tests.fixtures import home as home  # noqa: PLC0414 - a fixture of this module, too
from tests.rack import LEVEL, WHY, Lab, Rack

HEAT = Register("HEAT", 0, type="f64", unit="°C")
GONE = NetworkError("connection reset")


class Oven:
    """Limits that are fed temperatures, on a fleet of which the stop fails as long as there is a `fault`."""

    def __init__(self, client: LocalClient, writer: Writer, devices: Sequence[Device], archive: Path) -> None:
        self.clock = StandingClock()
        self.client = client
        self.fault: Exception | None = None
        self.orders = 0
        self._archive = archive
        self._writer = writer
        self._limits = Limits(client, writer, devices, critical=90, stops=True, clock=self.clock)

    async def feed(self, *values: float, device: str = "rack-0", after: float = 0.25, **facts: Any) -> int:
        """Take readings, each so many seconds after the one before; how many stops were ordered."""
        before = self.orders
        for value in values:
            self.clock.advance(after)
            reading = Reading(device, HEAT.name, value, self.clock.now(), unit="°C", **facts)
            self._limits.readings([reading])
            if self._limits._stopping is not None:
                await asyncio.wait([self._limits._stopping])
        return self.orders - before

    def events(self, type: str) -> list[str]:
        """What the events of this type say."""
        self._writer.flush()
        query = "SELECT message FROM events WHERE type = ? ORDER BY event_id"
        return [message for (message,) in rows(Places(self._archive), query, type)]


@pytest.fixture
async def oven(home: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Oven]:
    rack, archive = Rack(2), tmp_path / "archive"
    for number in range(2):
        rack.change(number, registers=(HEAT, LEVEL))
    with Store(Places(archive)) as store:
        writer = store.begin(new_recording("x", START))
        async with Lab(home, rack).client() as client:
            oven, stop = Oven(client, writer, rack.devices, archive), client.stop

            async def stopping(**options: Any) -> Stop:
                oven.orders += 1
                if oven.fault is not None:
                    raise oven.fault
                return await stop(**options)

            monkeypatch.setattr(client, "stop", stopping)
            yield oven
            await oven._limits.close()
        store.end(writer, "completed")


@pytest.mark.parametrize(
    "fault", [GONE, RuntimeError("a wire came off")], ids=lambda item: type(item).__name__
)
async def test_a_stop_that_fails_is_ordered_again_each_second_until_it_succeeds(
    oven: Oven, fault: Exception
) -> None:
    oven.fault = fault
    assert await oven.feed(*[95.0] * 9) == 3  # two seconds: at once, and after each of them

    oven.fault = None
    assert await oven.feed(*[95.0] * 9) == 1

    assert len(await oven.client.stops()) == 1
    assert len(oven.events("limit.crossed")) == len(oven.events("limit.stopped")) == 1
    first, count = oven.events("limit.not-stopped")
    assert str(fault) in first
    assert count == "a stop was ordered 3 times in vain"


async def test_a_reading_that_cannot_be_trusted_ends_no_heat(oven: Oven) -> None:
    oven.fault = GONE
    await oven.feed(95)
    oven.fault = None

    assert await oven.feed(20, after=1, quality=Quality.BAD) == 1
    assert len(await oven.client.stops()) == 1


async def test_a_stop_that_somebody_released_is_ordered_again_only_after_the_heat_was_over(
    oven: Oven,
) -> None:
    assert await oven.feed(95, 95) == 1
    await oven.client.release(justification=WHY)
    assert await oven.feed(*[96.0] * 9) == 0
    assert await oven.feed(80, 80, 95, 95) == 1


async def test_the_heat_of_another_device_has_no_second_stop_ordered_while_one_is_in_force(
    oven: Oven,
) -> None:
    assert await oven.feed(95) == 1
    assert await oven.feed(*[95.0] * 9, device="rack-1") == 0
    await oven.client.release(justification=WHY)
    assert await oven.feed(*[95.0] * 9, device="rack-1") == 0


async def test_stops_that_cannot_be_listed_hold_no_stop_up(
    oven: Oven, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stops() -> list[Stop]:
        raise GONE

    assert await oven.feed(95) == 1
    await oven.client.release(justification=WHY)
    monkeypatch.setattr(oven.client, "stops", stops)

    assert await oven.feed(80, 95) == 1


async def test_heat_that_is_over_before_a_stop_succeeded_has_none_ordered_any_more(oven: Oven) -> None:
    oven.fault = GONE
    assert await oven.feed(*[95.0] * 5, 80.0) == 2
    oven.fault = None

    assert await oven.feed(*[80.0] * 9) == 0
    assert oven.events("limit.not-stopped")[-1] == "a stop was ordered 2 times in vain"
