"""Tick: what one moment of a feed brought, encoded once for everybody who hears of it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from dsmilctl.clock import rfc3339
from dsmilctl.model.device import DeviceId
from dsmilctl.model.reading import Batch, Quality, Reading
from dsmilctl.wire.system import ReadingInfo
from dsmilctl.wire.values import to_wire

FRAME_READINGS = 2000
"""Readings of one frame: what is beyond goes into another, as receivers limit the size of a message."""

ENCODER = msgspec.json.Encoder()


class Tick:
    """A batch of a feed and its forms on the wire.

    `first` is the number of the event before the first one of this tick; the events of one that is not `live`
    tell again what is known and have that number themselves.  `cause` is what brought it: READ for a poll,
    else the type of the operation.
    """

    __slots__ = ("_events", "_frames", "_updates", "batch", "cause", "first", "live")

    def __init__(self, batch: Batch, cause: str = "READ", first: int = 0, *, live: bool = True) -> None:
        self.batch = batch
        self.cause = cause
        self.first = first
        self.live = live
        self._frames: list[tuple[int, bytes]] | None = None
        self._updates: list[bytes] | None = None
        self._events: list[tuple[str, bytes]] | None = None

    @property
    def frames(self) -> list[tuple[int, bytes]]:
        """The readings as JSON lists of at most FRAME_READINGS, each with its count."""
        if self._frames is None:
            infos = reading_infos(self.batch.readings)
            parts = [infos[at : at + FRAME_READINGS] for at in range(0, len(infos), FRAME_READINGS)] or [[]]
            self._frames = [(len(part), ENCODER.encode(part)) for part in parts]
        return self._frames

    @property
    def updates(self) -> list[bytes]:
        """Each reading as the data of a DEVICE_STATE_UPDATE."""
        if self._updates is None:
            self._updates = [update_of(reading) for reading in self.batch.readings]
        return self._updates

    @property
    def events(self) -> list[tuple[str, bytes]]:
        """One event per device: its name and its data."""
        if self._events is None:
            devices: dict[DeviceId, list[Reading]] = {}
            for reading in self.batch.readings:
                devices.setdefault(reading.device_id, []).append(reading)
            self._events = [_event(device_id, readings) for device_id, readings in devices.items()]
        return self._events


def reading_infos(readings: Sequence[Reading]) -> list[ReadingInfo]:
    """Readings as batches carry them; those of one moment share the text of its time."""
    moment, text, infos = -1, "", []
    for item in readings:
        if item.timestamp != moment:
            moment, text = item.timestamp, rfc3339(item.timestamp, 6)
        info = ReadingInfo(
            item.device_id, item.register, item.value, text, item.unit, item.quality, item.latency_ms,
            item.error, item.error_code, item.raw, item.sequence,
        )  # fmt: skip
        infos.append(info)
    return infos


class _Update(msgspec.Struct, frozen=True, omit_defaults=True):
    device_id: DeviceId
    register: str
    value: str | float | bool | None
    quality: str
    timestamp: str
    unit: str = ""
    error: str = ""
    error_code: str = ""
    raw: int | str | None = None
    sequence: int = 0


def update_of(reading: Reading) -> bytes:
    """A reading as the data of a DEVICE_STATE_UPDATE."""
    update = _Update(
        reading.device_id,
        reading.register,
        to_wire(reading.value),
        reading.quality.value,
        rfc3339(reading.timestamp, 6),
        reading.unit,
        reading.error,
        reading.error_code,
        reading.raw,
        reading.sequence,
    )
    return ENCODER.encode(update)


def _event(device_id: DeviceId, readings: Sequence[Reading]) -> tuple[str, bytes]:
    known = [item for item in readings if item.value is not None and item.quality is not Quality.STALE]
    timestamp = rfc3339(readings[-1].timestamp, 6)
    if not known:
        error, code = readings[0].error, readings[0].error_code
        failed = {"device_id": device_id, "timestamp": timestamp, "error": error, "error_code": code}
        return "device_error", ENCODER.encode(failed)
    data = {item.register: to_wire(item.value) for item in known}
    return "device_data", ENCODER.encode({"device_id": device_id, "timestamp": timestamp, "data": data})
