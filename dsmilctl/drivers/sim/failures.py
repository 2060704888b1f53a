"""Failures: what went wrong in the past of a simulated fleet.

Each week one device overheats, the voltage of one drifts, and one flaps.
Which device and when depends on the seed and the week alone (weeks count from 1970-01-01, UTC), so every
simulator of one seed tells the same story.  Quarantined devices are spared.
"""

from __future__ import annotations

import msgspec

from dsmilctl.clock import NANOSECONDS
from dsmilctl.drivers.sim.options import Layout
from dsmilctl.drivers.sim.registers import POSITIONS
from dsmilctl.drivers.sim.roster import KNOWN, device_id_of, table
from dsmilctl.drivers.sim.signals import State, hot, mix

HOUR = 3600 * NANOSECONDS
WEEK = 7 * 24 * HOUR
DURATIONS = {"overheating": 6 * HOUR, "drifting": 48 * HOUR, "flapping": 4 * HOUR}
"""Kinds of failures and how long each lasts, in nanoseconds.

`overheating`: TEMP climbs to 108 °C within three hours and falls back in the last half hour; STATUS warns
from 80 °C and reports OVER_TEMPERATURE in ERROR from 95 °C.  `drifting`: VOLTAGE sinks by 30 %, evenly,
and is right again at the end.  `flapping`: five minutes without an answer, five with, and so on.
"""

HOTTEST = 108.0
CLIMB, FALL = 3 * HOUR, HOUR // 2
SAG = 0.30
FLAP = 300 * NANOSECONDS
_TEMP, _VOLTAGE = POSITIONS["TEMP"], POSITIONS["VOLTAGE"]


class Failure(msgspec.Struct, frozen=True):
    """One planted failure: a kind of DURATIONS, a device, and from when to when (nanoseconds UTC)."""

    kind: str
    device_id: int
    begin: int
    end: int

    def silent(self, moment: int) -> bool:
        """Whether the device does not answer at a moment."""
        return self.kind == "flapping" and (moment - self.begin) // FLAP % 2 == 0

    def on(self, state: State, moment: int) -> State:
        """The registers as the failure makes them."""
        values = list(state)
        if self.kind == "overheating":
            share = min(1.0, (moment - self.begin) / CLIMB, (self.end - moment) / FALL)
            values[_TEMP] = int(values[_TEMP] + (HOTTEST - values[_TEMP]) * share + 0.5)
            status, config, data, temperature, voltage, error = values
            return hot((status, config, data, temperature, voltage, error))
        if self.kind == "drifting":
            share = SAG * (moment - self.begin) / (self.end - self.begin)
            values[_VOLTAGE] = int(values[_VOLTAGE] * (1.0 - share) + 0.5)
        status, config, data, temperature, voltage, error = values
        return status, config, data, temperature, voltage, error


def planted(seed: int, devices: int, layout: Layout, since: int, until: int) -> tuple[Failure, ...]:
    """The failures that touch a stretch of time (nanoseconds UTC), by when they begin."""
    rows = getattr(table(), layout)
    spared = {index for index, row in enumerate(rows) if row.quarantined}
    indices = [index for index in range(min(devices, KNOWN)) if index not in spared]
    found = [
        _planted(seed, week, kind, indices, layout)
        for week in range(since // WEEK, until // WEEK + 1)
        for kind in DURATIONS
    ]
    touching = [failure for failure in found if failure.begin <= until and failure.end > since]
    return tuple(sorted(touching, key=lambda failure: failure.begin))


def _planted(seed: int, week: int, kind: str, indices: list[int], layout: Layout) -> Failure:
    salt = list(DURATIONS).index(kind)
    bits, duration = mix(seed, week, -200 - salt), DURATIONS[kind]
    index = indices[bits % len(indices)]
    begin = week * WEEK + (bits >> 8) % ((WEEK - duration) // HOUR + 1) * HOUR
    return Failure(kind, device_id_of(index, layout), begin, begin + duration)
