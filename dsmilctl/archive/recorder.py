"""Recorder: follows an open client and keeps its readings, events and operations."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import aclosing
from itertools import takewhile
from typing import Protocol

from dsmilctl.archive.limits import Limits
from dsmilctl.archive.responses import follow_responses
from dsmilctl.archive.rows import event_row, operation_row
from dsmilctl.archive.trigger import Trigger
from dsmilctl.archive.writer import Writer
from dsmilctl.client.interface import Client, HistoryQuery
from dsmilctl.errors import PermissionDenied
from dsmilctl.model.audit import AuditRecord
from dsmilctl.model.device import Device
from dsmilctl.model.reading import Gap, Reading

LOGGER = logging.getLogger("dsmilctl.archive.recorder")
PAUSE = 0.005
"""Seconds to wait while the disk is behind."""

PAGE = 500
"""Records of the journal that one look asks for: a long recording does not read it as a whole each time."""


class Monitor(Protocol):
    """Something that keeps more than the devices tell."""

    async def run(self) -> None:
        """Look for ever."""
        ...


class Recorder:
    """Keeps what one client tells, until it is cancelled or its time is over.

    `begun` is when the recording began, in nanoseconds UTC: operations since then belong to it; the journal
    is looked into every `journal_interval` seconds, the status of DSMIL devices every `response_interval`.
    `limits` judge what comes, `trigger` lets only what surrounds an event be kept, `monitors` run beside it.
    """

    def __init__(
        self,
        client: Client,
        writer: Writer,
        begun: int,
        *,
        journal_interval: float = 1.0,
        response_interval: float = 2.0,
        limits: Limits | None = None,
        trigger: Trigger | None = None,
        monitors: Sequence[Monitor] = (),
    ) -> None:
        self._client = client
        self._writer = writer
        self._begun = begun
        self._journal_interval = journal_interval
        self._limits = limits
        self._trigger = trigger
        self._monitors = monitors
        self._response_interval = response_interval
        self._last = ""
        self._closed = False
        self.readings = self.events = self.operations = self.missed = 0

    async def run(
        self,
        devices: Sequence[Device],
        registers: Sequence[str] = (),
        *,
        interval: float = 1.0,
        ready: Callable[[], None] | None = None,
    ) -> None:
        """Follow everything for ever; on the way out what the journal got last is kept, too."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow_readings(devices, registers, interval, ready))
                group.create_task(self._follow_events())
                group.create_task(self._follow_operations())
                group.create_task(
                    follow_responses(self._client, self._writer, devices, self._response_interval)
                )
                for monitor in self._monitors:
                    group.create_task(monitor.run())
        finally:
            if self._limits is not None:
                await asyncio.shield(self._limits.close())
            await asyncio.shield(self._look_into_journal())

    async def _follow_readings(
        self,
        devices: Sequence[Device],
        registers: Sequence[str],
        interval: float,
        ready: Callable[[], None] | None,
    ) -> None:
        async with aclosing(self._client.stream(devices, registers, interval=interval)) as source:
            async for batch in source:
                if isinstance(batch, Gap):
                    self._missed(batch.missed, "readings were missed")
                    continue
                self._keep(batch.readings)
                if ready is not None:
                    ready()
                while self._writer.crowded:
                    await asyncio.sleep(PAUSE)

    def _keep(self, readings: Sequence[Reading]) -> None:
        if self._limits is not None:
            self._limits.readings(readings)
        kept = readings if self._trigger is None else self._trigger.take(readings)
        self._writer.readings(kept)
        self.readings += len(kept)

    async def _follow_events(self) -> None:
        async with aclosing(self._client.events()) as source:
            async for event in source:
                if isinstance(event, Gap):
                    self._missed(event.missed, "events were missed")
                    continue
                self._writer.rows("events", [event_row(self._writer.recording_id, event)])
                self.events += 1

    async def _follow_operations(self) -> None:
        while True:
            await self._look_into_journal()
            await asyncio.sleep(self._journal_interval)

    async def _look_into_journal(self) -> None:
        if self._closed:
            return
        try:
            records = await self._newest_records()
        except PermissionDenied as refusal:
            LOGGER.warning("operations are not recorded: %s", refusal.message)
            self._closed = True
            return
        new = list(takewhile(lambda record: record.hash != self._last, records))
        if new:
            self._last = new[0].hash
        for record in reversed(new):
            self._writer.durable("operations", operation_row(self._writer.recording_id, record))
        self.operations += len(new)

    async def _newest_records(self) -> list[AuditRecord]:
        """Newest first, at least all new ones: a page, or where that does not reach back far enough, all."""
        page = await self._client.audit(HistoryQuery(since=self._begun, limit=PAGE))
        if len(page) < PAGE or any(record.hash == self._last for record in page):
            return page
        return await self._client.audit(HistoryQuery(since=self._begun, limit=0))

    def _missed(self, count: int, reason: str) -> None:
        self.missed += count
        self._writer.gap(count, reason)
