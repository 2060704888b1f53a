"""Alarm watch: brings to the alarms what is read anyway, and reads what nobody else reads."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from dsmilctl.drivers.managed import Managed
from dsmilctl.fleet.alarm_file import AlarmFile
from dsmilctl.fleet.alarms import Alarms
from dsmilctl.fleet.bus import Policy, each
from dsmilctl.fleet.fleet import Fleet
from dsmilctl.model.device import DeviceId, DeviceState
from dsmilctl.model.event import Event
from dsmilctl.model.reading import Batch
from dsmilctl.model.register import Register

LOGGER = logging.getLogger("dsmilctl.fleet.alarms")
HOUSEKEEPING = 5.0
"""Seconds between two looks at shelves and states where nothing is read in the background."""
QUEUE = 64
"""Batches that wait to be looked at; of what is dropped the watch reads the values itself."""


class AlarmWatch:
    """Watches one fleet; `interval` in seconds is how old a value may get that nobody reads, 0: any age."""

    def __init__(self, fleet: Fleet, alarms: Alarms, file: AlarmFile, interval: float) -> None:
        self._fleet = fleet
        self._alarms = alarms
        self._file = file
        self._interval = interval
        self._known: object = None
        self._saving = asyncio.Lock()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Watch while the block runs; what is known then is kept."""
        works = (self._hear_readings, self._hear_events, self._go_round)
        tasks = [asyncio.create_task(_lasting(work)) for work in works]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.save()

    async def save(self) -> None:
        """Keep the alarms where they have changed."""
        async with self._saving:
            if self._alarms.unsaved:
                self._alarms.unsaved = False
                await asyncio.to_thread(self._file.keep, self._alarms.all())

    async def _devices(self) -> Mapping[DeviceId, Managed]:
        """The devices of the fleet, known to the alarms."""
        devices = await self._fleet.all()
        if devices is not self._known:
            self._alarms.know(devices.values(), complete=not self._fleet.absent)
            self._known = devices
        return devices

    async def _hear_readings(self) -> None:
        async for item in each(self._fleet.bus.readings.listen(Policy.DROP_OLDEST, QUEUE)):
            if isinstance(item, Batch):
                await self._devices()
                self._alarms.take(item.readings)

    async def _hear_events(self) -> None:
        async for item in each(self._fleet.bus.events.listen()):
            if isinstance(item, Event) and item.type == "device.state" and item.device_id is not None:
                managed = (await self._devices()).get(item.device_id)
                if managed is not None:
                    self._alarms.look(managed)

    async def _go_round(self) -> None:
        while True:
            await asyncio.sleep(self._interval or HOUSEKEEPING)
            await self.round()

    async def round(self) -> None:
        """Read what nobody has read since the last round, and look how the devices are."""
        devices = await self._devices()
        if self._interval and (wanted := self._unheard()):
            self._alarms.take(await self._fleet.read(wanted))
        self._alarms.round += 1
        self._alarms.look_at_all(devices)
        self._alarms.expire()
        await self.save()

    def _unheard(self) -> list[tuple[Managed, list[Register]]]:
        """Registers with limits of devices that may be asked: those in ERROR only when they are due again.

        A device that somebody disconnected is left alone.
        """
        found: dict[DeviceId, tuple[Managed, list[Register]]] = {}
        for point in self._alarms.points.values():
            managed = point.managed
            if point.heard >= self._alarms.round or managed.state is DeviceState.DISCONNECTED:
                continue
            if managed.state is DeviceState.ERROR and not self._fleet.lifecycle.may_retry(managed):
                continue
            found.setdefault(managed.device.device_id, (managed, []))[1].append(point.register)
        return list(found.values())


async def _lasting(work: Callable[[], Awaitable[None]]) -> None:
    """Do some work for ever: what fails is logged and begun anew, for alarms must not end with it."""
    while True:
        try:
            await work()
            return
        except Exception:  # whatever it was, it may be over the next time
            LOGGER.exception("the watch of the alarms failed")
            await asyncio.sleep(1.0)
