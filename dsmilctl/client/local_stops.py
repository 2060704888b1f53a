"""Stops of a local fleet: latched first, then driven; named ids before anybody is asked for devices."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import msgspec

from dsmilctl.errors import DeviceNotFound
from dsmilctl.fleet.fleet import Fleet
from dsmilctl.guard.driving import Crew, crews_of, crews_of_ids, silence
from dsmilctl.guard.guard import Guard
from dsmilctl.guard.stop import StopControl
from dsmilctl.model.device import Device, DeviceId
from dsmilctl.model.emergency import Confirmation, Stop

MOST_LATCHED = 10_000
"""Ids that a stop latches by their numbers; of wider ranges the devices are looked up first."""

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
        crews = crews_of(self._fleet.parts(), devices, self._fleet.part_of)
        return await self._control.drive(self._told(stop, crews), crews, deadline, report or silence)

    async def of_ids(
        self,
        ids: Sequence[DeviceId],
        find: Callable[[], Coroutine[Any, Any, list[Device]]],
        *,
        reason: str,
        scope: str,
        deadline: float,
        report: Told | None,
    ) -> Stop:
        """Stop what has these ids; a mistyped one is let go of again.

        Devices that cannot be found within the deadline are latched, and UNCONFIRMED.
        """
        begun = self._fleet.clock.monotonic()
        stop = self._engage(reason, scope, ids)
        finding = asyncio.ensure_future(find())
        try:
            await asyncio.wait((finding,), timeout=deadline)
            crews = crews_of_ids(self._fleet.parts(), ids)
            if finding.done() and self._named(finding, stop):
                crews = crews_of(self._fleet.parts(), finding.result(), self._fleet.part_of)
            left = deadline - (self._fleet.clock.monotonic() - begun)
            return await self._control.drive(
                self._told(stop, crews), crews, max(0.0, left), report or silence
            )
        finally:
            finding.cancel()

    def _engage(self, reason: str, scope: str, ids: Sequence[DeviceId] | None) -> Stop:
        """Put a stop in force, then get ready to drive devices."""
        stop = self._control.engage(reason or f"ordered by {self._user}", scope, ids)
        self._guard.break_off()
        self._fleet.load()
        return stop

    def _told(self, stop: Stop, crews: Sequence[Crew]) -> Stop:
        """The stop with the other systems that will latch one of their own for it."""
        names = [crew.driver for crew in crews if crew.wanted is None or crew.wanted]
        return msgspec.structs.replace(stop, elsewhere=self._fleet.latched_elsewhere(names))

    def _named(self, finding: asyncio.Future[list[Device]], stop: Stop) -> bool:
        """Whether the devices of a stop were found; raises where there are none of that id, and lets go."""
        error = finding.exception()
        if isinstance(error, DeviceNotFound) and not self._fleet.absent:
            self._control.withdraw(stop)
            raise error
        return error is None
