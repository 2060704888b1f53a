"""Stops of a local fleet: latched first, then driven; ids before anybody is asked for devices."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from dsmilctl.client.stop_search import StopSearch
from dsmilctl.drivers.managed import Managed
from dsmilctl.errors import DSMILError, StateUnavailable
from dsmilctl.fleet.fleet import Fleet
from dsmilctl.guard.driving import Crew, Find, crews_of, silence
from dsmilctl.guard.guard import Guard
from dsmilctl.guard.stop import StopControl
from dsmilctl.model.device import Device, DeviceId
from dsmilctl.model.emergency import Confirmation, Stop
from dsmilctl.model.selector import EVERYTHING, Selector

LOGGER = logging.getLogger("dsmilctl.guard.stop")

MOST_LATCHED = 10_000
"""Ids that a stop latches by their numbers; of wider ranges the devices are looked up first."""

MISTYPED, NAMED = 0.1, 0.5
"""Seconds that a stop waits for all drivers to name their devices, a quarter of its deadline at the most.

The first where ids are latched already, and one may be mistyped; the second where names have to be resolved.
"""

Told = Callable[[Confirmation], None]


class LocalStops:
    """The emergency stops that one identity orders."""

    def __init__(self, fleet: Fleet, guard: Guard, control: StopControl, user: str) -> None:
        self._fleet = fleet
        self._guard = guard
        self._control = control
        self._user = user

    async def of_devices(
        self, devices: Sequence[Device] | None, reason: str, scope: str, deadline: float, report: Told | None
    ) -> Stop:
        """Stop these devices, or everything; a driver that cannot be loaded is named UNCONFIRMED."""
        ids = None if devices is None else tuple(device.device_id for device in devices)
        stop = self._engage(reason, scope, ids)
        parts = self._parts()
        if devices is None or self._fleet.knows_parts_of(devices):
            return await self._drive(stop, crews_of(parts, devices, self._fleet.part_of), deadline, report)
        search = StopSearch(parts, Selector(scope, ids=ids or ()), None)
        try:
            return await self._drive(stop, search.crews(None), deadline, report)
        finally:
            search.close()

    async def of_selector(
        self, selector: Selector, *, reason: str, deadline: float, report: Told | None
    ) -> Stop:
        """Stop what a selector names; a mistyped one stops nobody, and raises.

        Where a driver does not name its devices, those of the others are driven all the same.  Ids that
        nobody has stay latched then, and names hold everything; what may not be stopped is UNCONFIRMED.
        """
        ids = selector.numbers(MOST_LATCHED)
        stop = None if ids is None else self._engage(reason, selector.text, ids)
        parts = self._parts()
        begun = self._fleet.clock.monotonic()
        search = StopSearch(parts, selector, ids)
        try:
            known = await search.settle(min(NAMED if stop is None else MISTYPED, deadline / 4))
            devices = self._meant(search, stop) if known else None
            stop = stop or self._engage_named(selector, reason, devices)
            left = round(max(0.0, deadline - (self._fleet.clock.monotonic() - begun)), 2)
            return await self._drive(stop, search.crews(devices), left, report)
        finally:
            search.close()

    def _meant(self, search: StopSearch, stop: Stop | None) -> list[Device]:
        """The devices that are meant; where there are none the stop is let go of, and the error raised."""
        try:
            return search.devices()
        except DSMILError:
            if stop is not None:
                self._control.withdraw(stop)
            raise

    def _engage_named(self, selector: Selector, reason: str, devices: Sequence[Device] | None) -> Stop:
        """Put a stop of these devices in force; of everything where nobody knows which they are."""
        if devices is not None:
            return self._engage(reason, selector.text, [device.device_id for device in devices])
        stop = self._engage(reason, EVERYTHING.text, None)
        why = f"not every driver told what {selector.text} is, so everything is latched"
        told = "; ".join(filter(None, (stop.latch_error, why)))
        return msgspec.structs.replace(stop, latch_error=told)

    def _engage(self, reason: str, scope: str, ids: Sequence[DeviceId] | None) -> Stop:
        """Put a stop in force."""
        stop = self._control.engage(reason or f"ordered by {self._user}", scope, ids)
        self._guard.break_off()
        return stop

    def _parts(self) -> list[tuple[str, Find]]:
        """Each driver with what finds its devices, the drivers loaded as far as that can be done."""
        parts: list[tuple[str, Find]] = list(self._fleet.parts())
        try:
            self._fleet.load()
        except Exception as error:  # whatever it is, a stop tells those that are loaded, and names the others
            LOGGER.exception("drivers could not be loaded")
            known = {*self._fleet.drivers, *self._fleet.absent}
            lost = partial(_lost, f"it could not be loaded: {type(error).__name__}: {error}")
            return [(name, find if name in known else lost) for name, find in parts]
        return parts

    async def _drive(self, stop: Stop, crews: Sequence[Crew], deadline: float, report: Told | None) -> Stop:
        """Drive the devices of crews; the stop says which other systems latch one of their own for it."""
        names = [crew.driver for crew in crews if crew.wanted is None or crew.wanted]
        told = msgspec.structs.replace(stop, elsewhere=self._fleet.latched_elsewhere(names))
        return await self._control.drive(told, crews, deadline, report or silence)


async def _lost(why: str) -> Sequence[Managed]:
    raise StateUnavailable(why, hint="the log has the traceback")
