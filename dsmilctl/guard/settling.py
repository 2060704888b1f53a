"""Settling: changes that were cut off by the end of their process are read back and called unknown."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from dsmilctl.drivers.lifecycle import Lifecycle
from dsmilctl.drivers.managed import Managed
from dsmilctl.errors import StateUnavailable
from dsmilctl.guard.evidence import Evidence, is_alive
from dsmilctl.model.audit import AuditRecord
from dsmilctl.model.device import DeviceId
from dsmilctl.model.emergency import Stop

LOGGER = logging.getLogger("dsmilctl.guard")

TOLD = 3
"""Changes that were cut off and are told one by one."""


class Settling:
    """Settles what processes that are no more have left open in this context, once."""

    def __init__(
        self,
        lifecycle: Lifecycle,
        evidence: Evidence,
        in_force: Callable[[], Sequence[Stop]],
        deadline: float,
    ) -> None:
        self._lifecycle = lifecycle
        self._evidence = evidence
        self._in_force = in_force
        self._deadline = deadline
        self._turn = asyncio.Lock()
        self._done = False

    async def settle(self, devices: Mapping[DeviceId, Managed]) -> None:
        """Read back and record every change that was cut off.

        Where the journal cannot be read or written that is said, and tried again the next time.
        """
        if self._done:
            return
        async with self._turn:
            if self._done:
                return
            try:
                left = await asyncio.to_thread(self._orphans)
                await self._settle(left, {item.device.shown_id: item for item in devices.values()})
            except StateUnavailable as error:
                LOGGER.error("changes that were cut off could not be settled: %s", error)
                return
            self._done = True

    def _orphans(self) -> list[AuditRecord]:
        return [
            record
            for record in self._evidence.journal.unfinished()
            if record.context == self._evidence.context and not is_alive(record.parameters.get("process"))
        ]

    async def _settle(self, left: Sequence[AuditRecord], devices: Mapping[str, Managed]) -> None:
        found = await asyncio.gather(*(self._found(record, devices) for record in left))
        for record, fact in list(zip(left, found, strict=True))[:TOLD]:
            LOGGER.warning("%s of %s was cut off, outcome unknown; %s", record.action, record.target, fact)
        if len(left) > TOLD:
            LOGGER.warning("%d more were cut off; all are in the journal as UNKNOWN", len(left) - TOLD)
        await self._evidence.record(
            [
                self._evidence.entry(
                    record.action,
                    record.target,
                    "UNKNOWN",
                    {"found": fact},
                    operation_id=record.operation_id,
                )
                for record, fact in zip(left, found, strict=True)
            ]
        )

    async def _found(self, record: AuditRecord, devices: Mapping[str, Managed]) -> str:
        if record.action.startswith("emergency."):
            standing = ", ".join(stop.stop_id for stop in self._in_force())
            return f"in force: {standing or 'none'}"
        name, managed = record.parameters.get("register"), devices.get(record.target)
        registers = [item for item in managed.device.registers if item.name == name] if managed else []
        if managed is None or managed.device.quarantined or not registers or not registers[0].readable:
            return "it cannot be read back"
        reading = (await self._lifecycle.read(managed, registers, deadline=self._deadline))[0]
        return f"{name} reads {registers[0].format(reading.value) or reading.error}"
