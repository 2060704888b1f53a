"""History: which recorded readings are wanted, and a page of them."""

from __future__ import annotations

import msgspec

from dsmilctl.model.device import DeviceId, show_id
from dsmilctl.model.reading import Quality
from dsmilctl.model.register import Value

AGGREGATES = ("mean", "min", "max", "sum", "count", "first", "last", "median", "stddev")
"""What one value can be made of all readings of a stretch."""

MOST = 10_000
"""Readings of one page."""


Key = tuple[str, str, int, int, str]
"""Where a recorded reading stands: device as shown, register, time, sequence and recording.

Of a stretch sequence is 0 and the unit stands for the recording.
"""


class ReadingsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which recorded readings are wanted, by device, register and time.

    Without `device_ids` those of every device that may be seen, without `registers` all.  `since` and `until`
    are in nanoseconds UTC, both inclusive.  With `every` (nanoseconds) one value for each register and
    stretch, made by one of AGGREGATES.  `cursor` is that of the page before; it keeps the times of the first.
    """

    device_ids: tuple[DeviceId, ...] = ()
    registers: tuple[str, ...] = ()
    since: int | None = None
    until: int | None = None
    every: int = 0
    aggregate: str = "mean"
    cursor: str = ""
    limit: int = 1000


class RecordedReading(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One recorded reading, or the value of one stretch, whose `timestamp` is where it begins.

    `timestamp` is in nanoseconds UTC; `readings` is how many good readings a stretch is made of, 0 for one
    reading; `recording` is the id of the recording, empty for the past of a simulator.
    """

    device_id: DeviceId
    register: str
    timestamp: int
    value: Value | None
    unit: str = ""
    quality: Quality = Quality.GOOD
    readings: int = 0
    raw: int | str | None = None
    latency_ms: float | None = None
    error: str = ""
    error_code: str = ""
    sequence: int = 0
    recording: str = ""

    @property
    def key(self) -> Key:
        """Where it stands in the order of all readings; several may stand at one place."""
        rest = (0, self.unit) if self.readings else (self.sequence, self.recording)
        return show_id(self.device_id), self.register, self.timestamp, *rest


class DeniedDevice(msgspec.Struct, frozen=True):
    """A device whose readings were asked for and are not shown, and why."""

    device_id: DeviceId
    code: str
    message: str


class ReadingsPage(msgspec.Struct, frozen=True, kw_only=True):
    """Readings by device, register and time; `cursor` leads to the next page and is empty on the last."""

    readings: tuple[RecordedReading, ...] = ()
    denied: tuple[DeniedDevice, ...] = ()
    cursor: str = ""
