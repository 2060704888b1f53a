"""Reads: what a local client reads and streams, and what it refuses to read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence

from dsmilctl.client.interface import BulkOptions
from dsmilctl.drivers.managed import Managed
from dsmilctl.errors import DSMILError, RateLimitError, StateUnavailable, kept
from dsmilctl.fleet.bus import Policy, Stream
from dsmilctl.fleet.fleet import Fleet
from dsmilctl.fleet.poll import Poll, Target
from dsmilctl.fleet.registers import registers_of
from dsmilctl.guard.guard import Guard
from dsmilctl.model.device import Device
from dsmilctl.model.operation import Request, read_request
from dsmilctl.model.reading import Batch, Gap, Quality, Reading, Span

LOGGER = logging.getLogger("dsmilctl.client")
QUEUE = 64
"""Batches that a stream keeps for a receiver that is busy."""


class Reads:
    """Reads of one fleet, each through the guard's checks for reads."""

    def __init__(self, fleet: Fleet, guard: Guard) -> None:
        self._fleet = fleet
        self._guard = guard

    async def read(
        self, devices: Sequence[Device], registers: Sequence[str], span: Span | None, options: BulkOptions
    ) -> list[Reading]:
        """Readings in the order of the devices; what is refused gives denied readings and is journalled."""
        targets = await self._targets(devices, registers)
        allowed, denied = self._judge(targets, span, options)
        await self._open_quarantined(allowed, denied, span, options)
        try:
            await self._guard.admission.count_read()
        except RateLimitError as error:
            allowed, denied = [], {managed.device.shown_id: error for managed, _ in targets}
        except StateUnavailable as error:
            LOGGER.warning("reads are not counted: %s", error)
        readings: list[Reading] = []
        if allowed:
            readings = await self._fleet.read(allowed, span=span, concurrency=options.concurrency)
            if span is None and self._fleet.bus.readings.heard:
                now = self._fleet.clock.now()
                self._fleet.bus.readings.send(Batch(0, now, tuple(readings), partial=True))
        if not denied:
            return readings
        await self._guard.admission.record_denied("device.read", denied)
        return self._in_order(targets, readings, denied)

    async def require(self, devices: Sequence[Device]) -> None:
        """Raise, and journal, what bars reads of any of these devices; nothing is read or counted."""
        denied = await self.refused(devices)
        if denied:
            await self._guard.admission.record_denied("device.read", denied)
            raise next(iter(denied.values()))

    async def refused(self, devices: Sequence[Device]) -> dict[str, DSMILError]:
        """What bars reads of these devices, by their shown ids; nothing is read, counted or journalled."""
        _, denied = self._judge([(managed, ()) for managed in await self._fleet.managed_of(devices)])
        return denied

    async def _targets(self, devices: Sequence[Device], registers: Sequence[str]) -> list[Target]:
        tables = registers_of(devices, registers)
        managed = await self._fleet.managed_of(devices)
        return list(zip(managed, tables, strict=True))

    async def _open_quarantined(
        self, allowed: list[Target], denied: dict[str, DSMILError], span: Span | None, options: BulkOptions
    ) -> None:
        """Use up the approvals for quarantined devices; those that are refused go over to `denied`."""
        for target in [target for target in allowed if target[0].device.quarantined]:
            try:
                await self._guard.admission.open_quarantine(target[0], _request(target, span, options))
            except DSMILError as error:
                denied[target[0].device.shown_id] = kept(error)
                allowed.remove(target)

    def _judge(
        self, targets: Sequence[Target], span: Span | None = None, options: BulkOptions | None = None
    ) -> tuple[list[Target], dict[str, DSMILError]]:
        allowed, denied = [], {}
        free = self._guard.checks.reads_freely()
        for target in targets:
            quarantined = target[0].device.quarantined
            if free and not quarantined:
                allowed.append(target)
                continue
            request = _request(target, span, options) if options and quarantined else None
            try:
                self._guard.checks.read(target[0], request)
            except DSMILError as error:
                denied[target[0].device.shown_id] = kept(error)
            else:
                allowed.append(target)
        return allowed, denied

    def _in_order(
        self, targets: Sequence[Target], readings: Sequence[Reading], denied: dict[str, DSMILError]
    ) -> list[Reading]:
        rest, ordered = iter(readings), list[Reading]()
        for managed, table in targets:
            error = denied.get(managed.device.shown_id)
            if error is None:
                ordered.extend(next(rest) for _ in table)
            else:
                ordered.extend(self._denied(managed, register.name, error) for register in table)
        return ordered

    def _denied(self, managed: Managed, register: str, error: DSMILError) -> Reading:
        return Reading(
            device_id=managed.device.device_id,
            register=register,
            value=None,
            timestamp=self._fleet.clock.now(),
            quality=Quality.BAD,
            error=error.message,
            error_code=error.code,
        )

    async def stream(
        self, devices: Sequence[Device], registers: Sequence[str], *, interval: float, changes_only: bool
    ) -> AsyncGenerator[Batch | Gap, None]:
        """A batch per tick; a receiver that is too slow gets a Gap, and then everything again.

        Quarantined devices are left out and journalled; ticks are not counted by the rate limits.
        It ends when the fleet is closed.
        """
        targets, denied = self._judge(await self._targets(devices, registers))
        if denied:
            await self._guard.admission.record_denied("device.read", denied)
        stream: Stream[Batch] = Stream("readings")
        listener = stream.listen(Policy.DROP_OLDEST, QUEUE)

        def hand_out(batch: Batch) -> None:
            stream.send(batch)
            self._fleet.bus.readings.send(batch)

        poll = Poll(
            targets,
            self._fleet.lifecycle,
            self._fleet.clock,
            hand_out,
            interval=interval,
            deadline=self._fleet.deadline,
            changes_only=changes_only,
        )
        polling = self._fleet.polls.begin(poll)
        polling.add_done_callback(lambda task: stream.close())
        try:
            async for item in listener:
                if isinstance(item, Gap):
                    poll.forget()
                yield item
            if not polling.cancelled():
                await polling  # it ended by a fault, which is the receiver's to know
        finally:
            polling.cancel()
            await asyncio.wait([polling])
            if not polling.cancelled():
                polling.exception()  # whoever still listened has seen it


def _request(target: Target, span: Span | None, options: BulkOptions) -> Request:
    """A read as an approval names it."""
    managed, table = target
    return read_request(
        managed.device.device_id,
        [register.name for register in table],
        span,
        justification=options.justification,
        approval=options.approval,
    )
