"""Self-statistics of a managed device: what went in, out, wrong and late."""

from __future__ import annotations


class Statistics:
    """Counters of one device since this process opened it, and the latency of its last answer."""

    __slots__ = ("errors", "last_latency_ms", "late", "reads", "writes")

    def __init__(self) -> None:
        self.reads = 0
        self.writes = 0
        self.errors = 0
        self.late = 0
        self.last_latency_ms: float | None = None
