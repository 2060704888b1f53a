"""Replay: a recording as a context of its own, through the same client interface as a live fleet.

Why it is a client over the archive and no driver: docs/decisions/0014.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from dsmilctl.archive import recording as recordings
from dsmilctl.archive.asking import Wanted
from dsmilctl.archive.choosing import recorded_devices
from dsmilctl.archive.database import connect
from dsmilctl.archive.description import Description, describe
from dsmilctl.archive.places import Places
from dsmilctl.archive.playhead import Playhead
from dsmilctl.archive.reel import Reel, devices_of, latest
from dsmilctl.archive.replayed import event_of, fitting, record_of
from dsmilctl.client.interface import BulkOptions, Client, ContextInfo, DriverInfo, HistoryQuery
from dsmilctl.errors import InvalidParameter, NotFound, ReadOnly, nearest
from dsmilctl.model.audit import AuditRecord, AuditVerdict
from dsmilctl.model.device import Device, DeviceState, DeviceStatus
from dsmilctl.model.emergency import Confirmation, Stop
from dsmilctl.model.event import Event
from dsmilctl.model.identity import Identity
from dsmilctl.model.operation import BulkResult, Operation, Request
from dsmilctl.model.reading import Batch, Gap, Quality, Reading, Span
from dsmilctl.model.selector import EVERYTHING, Selector, select

TICK = 0.05
"""Seconds between two looks at the playhead by whoever waits for events."""


class ReplayClient(Client):
    """One recording, played again: readings and events come with the times at which they were recorded.

    Nothing can be changed: whatever would raises ReadOnly.  `playhead` says where it stands; it begins to
    play with the first stream.  With `stay` a stream waits at the end for somebody who goes back.
    """

    def __init__(
        self,
        places: Places,
        recording: str,
        identity: Identity,
        *,
        speed: float = 1.0,
        since: int | None = None,
        until: int | None = None,
        stay: bool = False,
    ) -> None:
        self.context = ContextInfo(f"replay:{recording}", "replay", f"recording {recording}", read_only=True)
        self.identity = identity
        self.playhead = Playhead(0, 0, speed)
        self._places = places
        self._name = recording
        self._bounds = since, until
        self._stay = stay
        self._devices: list[Device] = []
        self._description: Description | None = None

    @property
    def description(self) -> Description:
        """Everything of the recording but its readings; raises NotFound before it is open."""
        if self._description is None:
            raise NotFound(f"{self.context.name} is not open")
        return self._description

    async def open(self) -> None:
        """Find the recording and its devices; raises NotFound."""
        if self._description is None:
            await asyncio.to_thread(self._open)

    def _open(self) -> None:
        if not self._places.exists:
            raise NotFound(f"there is no archive in {self._places.folder}", hint="dsmilctl record run")
        connection = connect(self._places.database, read_only=True)
        try:
            found = recordings.find(connection, self._name)
            self._description = describe(connection, found)
            known = recorded_devices(connection)
        finally:
            connection.close()
        self._devices, first, last = devices_of(self._places, found.recording_id, known)
        if not self._devices:
            first, last = found.started, found.ended or found.started
        self.playhead = Playhead(first, last, self.playhead.speed)
        self.playhead.cut(*self._bounds)

    async def close(self) -> None:
        """Nothing is held between two questions."""

    async def devices(self, selector: Selector = EVERYTHING, *, quarantined: bool = False) -> list[Device]:
        """The devices that were recorded."""
        del quarantined  # what was recorded may be seen
        return select(selector, self._devices, self._status, quarantined=True)

    def _status(self, device_id: int | str) -> DeviceStatus:
        reason = f"replayed from {self.description.recording.name}"
        return DeviceStatus(device_id, DeviceState.ACTIVE, reason, last_seen=self.playhead.position)

    async def statuses(self, devices: Sequence[Device]) -> list[DeviceStatus]:
        """Every device that was recorded is there to be read."""
        return [self._status(device.device_id) for device in devices]

    async def read(
        self,
        devices: Sequence[Device],
        registers: Sequence[str] = (),
        *,
        span: Span | None = None,
        options: BulkOptions | None = None,
    ) -> list[Reading]:
        """The last readings up to where the replay stands."""
        del options
        if span is not None:
            raise InvalidParameter("a recording keeps whole registers", target="--offset")
        wanted = self._wanted(devices, registers, None, until=self.playhead.position)
        found = await asyncio.to_thread(latest, self._places, wanted)
        known = {(reading.device_id, reading.register): reading for reading in found}
        return [
            known.get((device.device_id, name)) or self._nothing(device, name)
            for device in devices
            for name in _registers(device, registers)
        ]

    def _nothing(self, device: Device, register: str) -> Reading:
        position = self.playhead.position
        reason = "nothing was recorded up to here"
        return Reading(device.device_id, register, None, position, quality=Quality.BAD, error=reason,
                       error_code=NotFound.code)  # fmt: skip

    def _wanted(
        self, devices: Sequence[Device], registers: Sequence[str], since: int | None, *, until: int
    ) -> Wanted:
        chosen = () if len(devices) == len(self._devices) else tuple(item.shown_id for item in devices)
        names = {name for device in devices for name in _registers(device, registers)}
        everything = {register.name for device in devices for register in device.registers}
        return Wanted(
            devices=chosen, registers=() if names == everything else tuple(sorted(names)),
            recording=self.description.recording.recording_id, since=since, until=until,
        )  # fmt: skip

    async def stream(
        self,
        devices: Sequence[Device],
        registers: Sequence[str] = (),
        *,
        interval: float = 1.0,
        changes_only: bool = False,
    ) -> AsyncGenerator[Batch | Gap, None]:
        """What was recorded, a batch per tick, to the end; without `registers` all of them.

        Gaps that were recorded are gaps again.  Moving the playhead begins anew from there.
        """
        del changes_only  # each reading was one
        playhead = self.playhead
        names = registers or sorted({register.name for device in devices for register in device.registers})
        start = playhead.sought if playhead.jumps else playhead.first
        begin = playhead.play
        while True:
            jumps = playhead.jumps
            wanted = self._wanted(devices, names, start, until=playhead.last)
            async with aclosing(self._played(wanted, interval, begin)) as played:
                async for item in played:
                    yield item
            if jumps == playhead.jumps:
                return
            start, begin = playhead.sought, _as_before

    async def _played(
        self, wanted: Wanted, interval: float, begin: Callable[[], None]
    ) -> AsyncGenerator[Batch | Gap, None]:
        """Readings and gaps as the playhead comes to them, until it jumps or all of them are through."""
        playhead, jumps, number = self.playhead, self.playhead.jumps, 0
        gaps = [
            (moment, missed) for moment, missed, _ in self.description.gaps if moment >= (wanted.since or 0)
        ]
        reel = Reel(self._places, wanted)
        try:
            await asyncio.to_thread(reel.open)
            begin()
            while jumps == playhead.jumps:
                position = playhead.position
                due = min(position, gaps[0][0]) if gaps else position
                taken, more = await asyncio.to_thread(reel.take, due)
                if taken:
                    number += 1
                    yield Batch(number, taken[-1].timestamp, tuple(taken))
                elif gaps and gaps[0][0] <= position:
                    yield Gap(gaps.pop(0)[1])
                elif not (more or self._stay) and playhead.position >= playhead.last:
                    return
                else:
                    await asyncio.sleep(interval)
        finally:
            await asyncio.to_thread(reel.close)

    async def events(self) -> AsyncGenerator[Event | Gap, None]:
        """What happened while it was recorded, as the replay comes to it; ends with it."""
        found = sorted((event_of(row) for row in self.description.events), key=lambda event: event.timestamp)
        jumps, playhead = -1, self.playhead
        left: list[Event] = []
        while True:
            if jumps != playhead.jumps:
                start = playhead.position if jumps >= 0 else playhead.first
                jumps, left = playhead.jumps, [event for event in found if event.timestamp >= start]
            while left and playhead.playing and left[0].timestamp <= playhead.position:
                yield left.pop(0)
            await asyncio.sleep(TICK)

    async def audit(self, query: HistoryQuery) -> list[AuditRecord]:
        """The operations of the recording, newest first."""
        found = [record_of(row) for row in reversed(self.description.operations)]
        chosen = [record for record in found if fitting(record, query)]
        return chosen[query.offset : query.offset + query.limit if query.limit else None]

    async def system_status(self) -> dict[str, Any]:
        """What is replayed, and where it stands."""
        found, playhead = self.description.recording, self.playhead
        return {
            "recording": msgspec.to_builtins(found), "devices": len(self._devices),
            "position": playhead.position, "first": playhead.first, "last": playhead.last,
            "speed": playhead.speed, "playing": playhead.playing,
        }  # fmt: skip

    async def capabilities(self) -> dict[str, Any]:
        """A recording can be read."""
        return {"operations": ["READ"], "streams": ["poll"], "drivers": ["replay"], "read_only": True}

    async def health(self) -> dict[str, Any]:
        """The archive is there, or opening would have failed."""
        return {"status": "healthy", "archive": "healthy"}

    async def drivers(self) -> list[DriverInfo]:
        """None: a recording needs no driver."""
        return []

    async def stops(self) -> list[Stop]:
        """A recording cannot be stopped."""
        return []

    async def stop_history(self, limit: int = 50) -> list[Stop]:
        """Stops while it was recorded are among the operations."""
        del limit
        return []

    async def forget(self) -> int:
        """No driver keeps anything."""
        return 0

    async def change(self, request: Request) -> Operation:
        """Refused."""
        self._refuse(f"{request.type.value.lower()} changes a device")

    async def change_many(
        self,
        requests: Sequence[Request],
        *,
        options: BulkOptions | None = None,
        progress: Callable[[Operation], None] | None = None,
    ) -> BulkResult:
        """Refused."""
        self._refuse(f"{len(requests)} changes")

    async def bulk(self, bulk_id: str) -> BulkResult:
        """There is none."""
        raise NotFound(f"no bulk {bulk_id!r} in a recording", target=bulk_id)

    async def undo_requests(self, bulk_id: str) -> list[Request]:
        """There is none."""
        raise NotFound(f"no bulk {bulk_id!r} in a recording", target=bulk_id)

    async def lifecycle(self, verb: str, devices: Sequence[Device]) -> list[DeviceStatus]:
        """The state may be asked for; everything else is refused."""
        if verb not in ("state", "scan"):
            self._refuse(f"{verb} changes a device")
        return await self.statuses(devices)

    async def stop(
        self,
        devices: Sequence[Device] | None = None,
        *,
        reason: str = "",
        deadline: float = 2.0,
        scope: str = "@all",
        report: Callable[[Confirmation], None] | None = None,
    ) -> Stop:
        """Refused, so that nobody takes a replay for the plant: nothing here can be stopped."""
        self._refuse("a stop")

    async def release(
        self,
        stop_id: str = "",
        *,
        justification: str,
        approval: str = "",
        standing: Sequence[str] | None = None,
    ) -> list[Stop]:
        """Refused."""
        self._refuse("a release")

    async def audit_verify(self, anchor: str = "") -> AuditVerdict:
        """Refused: `record check` proves a recording."""
        self._refuse("audit verify asks a live journal")

    async def audit_export(self, destination: Path) -> dict[str, Any]:
        """Refused."""
        self._refuse("audit export asks a live journal")

    async def audit_restart(self, reason: str) -> AuditRecord:
        """Refused."""
        self._refuse("audit restart asks a live journal")

    async def set_driver(self, name: str, *, enabled: bool, reason: str) -> DriverInfo:
        """Refused."""
        self._refuse(f"driver {name} is not of a recording")

    def _refuse(self, what: str) -> NoReturn:
        hint = "leave -C replay:… out, or name the live context"
        raise ReadOnly(f"a replay is read-only: {what}", hint=hint, target=self.context.name)


def _as_before() -> None:
    """After a jump a playhead plays on, or stands still, as it did."""


def _registers(device: Device, wanted: Sequence[str]) -> list[str]:
    """The names of a device's registers that are meant; raises InvalidParameter where it has none of them."""
    if not wanted:
        return [device.default_register]
    folded = {name.casefold() for name in wanted}
    found = [register.name for register in device.registers if register.name.casefold() in folded]
    if not found:
        known = [register.name for register in device.registers]
        raise InvalidParameter(f"{device.shown_id} has no register {wanted[0]!r}", target=wanted[0],
                               hint=nearest(wanted[0], known) or ", ".join(known))  # fmt: skip
    return found
