"""Responses: what DSMIL devices did: each change of a status register, never a status that stays."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from typing import Any

import msgspec

from dsmilctl.archive.correlation import FIRST_DEVICE
from dsmilctl.archive.tokens import PER_GROUP
from dsmilctl.archive.writer import Writer
from dsmilctl.client.interface import Client
from dsmilctl.model.device import Device, DeviceId
from dsmilctl.model.reading import Gap, Reading

LOGGER = logging.getLogger("dsmilctl.archive.responses")
STATUS = "STATUS"
ERROR_BIT, ACTIVE_BIT = 0x8000_0000, 0x0000_0001
INSERT = """INSERT INTO dsmil_responses (session_id, response_timestamp, group_id, device_id, response_type,
  previous_state, new_state, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """One change at one moment (nanoseconds UTC); states are `0x00000001`, or the code of an error."""

    timestamp: int
    group_id: int
    device_id: int
    kind: str
    previous: str
    new: str

    def row(self, recording_id: str) -> tuple[Any, ...]:
        """The row of `dsmil_responses`."""
        return (
            recording_id, self.timestamp, self.group_id, self.device_id, self.kind, self.previous, self.new,
            self.timestamp,
        )  # fmt: skip


class Statuses:
    """What each device was last; the first time that one is seen is no change."""

    def __init__(self) -> None:
        self._last: dict[DeviceId, str] = {}

    def changes(self, readings: Iterable[Reading]) -> list[Response]:
        """The changes among readings of status registers."""
        found = []
        for reading in readings:
            new = _state_of(reading)
            if reading.register != STATUS or new is None or not isinstance(reading.device_id, int):
                continue
            previous = self._last.get(reading.device_id)
            self._last[reading.device_id] = new
            if previous is not None and previous != new:
                group, place = divmod(reading.device_id - FIRST_DEVICE, PER_GROUP)
                found.append(
                    Response(
                        timestamp=reading.timestamp, group_id=group, device_id=place,
                        kind=_kind(previous, new), previous=previous, new=new,
                    )
                )  # fmt: skip
        return found


def _state_of(reading: Reading) -> str | None:
    if isinstance(reading.value, int):
        return f"0x{reading.value:08X}"
    return reading.error_code or reading.error or None


def _kind(previous: str, new: str) -> str:
    """activation, deactivation, error or state_change."""
    if not new.startswith("0x"):
        return "error"
    after = int(new, 16)
    before = int(previous, 16) if previous.startswith("0x") else 0
    risen, fallen = after & ~before, before & ~after
    if risen & ERROR_BIT:
        return "error"
    if risen & ACTIVE_BIT:
        return "activation"
    return "deactivation" if fallen & ACTIVE_BIT else "state_change"


def answering(devices: Sequence[Device]) -> list[Device]:
    """Those of the devices that have a status: DSMIL devices that are not quarantined."""
    return [
        device
        for device in devices
        if isinstance(device.device_id, int)
        and device.device_id >= FIRST_DEVICE
        and not device.quarantined
        and any(register.name == STATUS for register in device.registers)
    ]


async def follow_responses(
    client: Client, writer: Writer, devices: Sequence[Device], interval: float
) -> None:
    """Keep the changes of these devices, looked at every `interval` seconds, for ever.

    Returns at once where none of them has a status.
    """
    wanted, statuses = answering(devices), Statuses()
    if not wanted:
        return
    async with aclosing(client.stream(wanted, [STATUS], interval=interval, changes_only=True)) as source:
        async for batch in source:
            if isinstance(batch, Gap):
                LOGGER.warning("%d looks at the status of devices were missed", batch.missed)
                continue
            found = statuses.changes(batch.readings)
            writer.insert(INSERT, [response.row(writer.recording_id) for response in found])
