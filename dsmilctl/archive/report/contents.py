"""Contents: all that a report says of one recording, as values."""

from __future__ import annotations

from typing import Any

import msgspec

from dsmilctl.archive.recording import Recording

FORMAT = "dsmilctl/record.report/1"


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One register of one device: statistics of its good, finite values.

    `slope` is per hour with `r2` as its share of the variance; `every` and `longest` are the usual and the
    longest time between two readings, in seconds.  `low`, `mean`, `high` of each of the equal stretches of
    the recording are for charts: None where nothing was read.
    """

    device: str
    register: str
    unit: str
    readings: int
    bad: int
    stale: int
    minimum: float | None
    average: float | None
    maximum: float | None
    deviation: float | None
    first: float | None
    last: float | None
    slope: float | None
    r2: float | None
    every: float | None
    longest: float | None
    longest_at: int | None
    low: tuple[float | None, ...] = ()
    mean: tuple[float | None, ...] = ()
    high: tuple[float | None, ...] = ()

    @property
    def title(self) -> str:
        """What it is called on a page."""
        return f"{self.device} · {self.register}"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A pattern in a recording, and what it rests on; `device` and `register` where it is of one."""

    kind: str
    severity: str
    what: str
    evidence: str
    device: str = ""
    register: str = ""


class Crossing(msgspec.Struct, frozen=True, kw_only=True):
    """A limit or a failure that readings of one register told, how often, from when to when."""

    device: str
    register: str
    what: str
    readings: int
    first: int
    last: int
    worst: float | None


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which nothing came: `missed` is how many readings that were, where somebody counted."""

    started: int
    seconds: float | None
    missed: int | None
    what: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One recording.  Times are in nanoseconds UTC; `stretch` is the length of a stretch of the charts."""

    format: str = FORMAT
    recording: Recording
    first: int
    last: int
    stretch: int
    readings: int
    devices: int
    bad: int
    series: tuple[Series, ...]
    crossings: tuple[Crossing, ...]
    silences: tuple[Silence, ...]
    operations: tuple[dict[str, Any], ...]
    outcomes: dict[str, int]
    events: tuple[dict[str, Any], ...]
    findings: tuple[Finding, ...] = ()
    recommendations: tuple[str, ...] = ()
    charts: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """How long it was recorded."""
        ended = self.recording.ended or max(self.last, self.recording.started)
        return (ended - self.recording.started) / 1e9

    @property
    def charted(self) -> tuple[Series, ...]:
        """The series that are drawn large, most telling first."""
        known = {series.title: series for series in self.series}
        return tuple(known[title] for title in self.charts)
