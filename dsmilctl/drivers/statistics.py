"""Self-statistics of a managed device: what went in, out, wrong and late."""

from __future__ import annotations


class Statistics:
    """Counters of one device since this process opened it, and the latency of its last answer."""

    __slots__ = ("_total_latency_ms", "errors", "last_latency_ms", "late", "reads", "writes")

    def __init__(self) -> None:
        self.reads = 0
        self.writes = 0
        self.errors = 0
        self.late = 0
        self.last_latency_ms: float | None = None
        self._total_latency_ms = 0.0

    def answered(self, latency_ms: float) -> None:
        """A read was answered."""
        self.reads += 1
        self.last_latency_ms = latency_ms
        self._total_latency_ms += latency_ms

    @property
    def mean_latency_ms(self) -> float | None:
        """The mean time of an answer to a read; None before the first."""
        return round(self._total_latency_ms / self.reads, 3) if self.reads else None

    @property
    def success_percent(self) -> float | None:
        """How many of a hundred attempts succeeded; None before the first."""
        good = self.reads + self.writes
        return round(100 * good / (good + self.errors), 1) if good + self.errors else None
