"""Metrics: how quickly and how well a client's requests went, and what it is doing now."""

from __future__ import annotations

from collections import deque
from types import TracebackType

import msgspec

from dsmilctl.clock import Clock

WINDOW = 60.0
KEPT = 10_000


class PerformanceMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """Latencies in milliseconds, `success_rate` in percent, rates over the last minute."""

    avg_latency: float
    p95_latency: float
    success_rate: float
    ops_per_second: float
    total_operations: int
    failed_operations: int
    total_requests: int
    retries: int


class DebugInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a client is doing: `cache_hit_rate` is 0 to 1, `request_queue_size` waits for a connection."""

    active_connections: int
    request_queue_size: int
    cache_hit_rate: float
    cache_entries: int
    circuit_state: str
    logged_in: bool
    gaps: int
    base_url: str
    api_version: str


class Metrics:
    """Counts of one client; operations are what was asked for, requests what travelled."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._recent: deque[tuple[float, float]] = deque(maxlen=KEPT)
        self.operations = 0
        self.failures = 0
        self.requests = 0
        self.retries = 0
        self.network_seconds = 0.0

    def done(self, seconds: float, *, failed: bool) -> None:
        """One operation is over."""
        self.operations += 1
        self.failures += failed
        self._recent.append((self._clock.monotonic(), seconds))

    def snapshot(self) -> PerformanceMetrics:
        """The counts of now."""
        now = self._clock.monotonic()
        recent = [(at, seconds) for at, seconds in self._recent if at >= now - WINDOW]
        latencies = sorted(seconds * 1000 for _, seconds in recent)
        span = max(now - recent[0][0] + recent[0][1], 1e-6) if recent else 1.0
        return PerformanceMetrics(
            avg_latency=sum(latencies) / len(latencies) if latencies else 0.0,
            p95_latency=latencies[int(0.95 * (len(latencies) - 1))] if latencies else 0.0,
            success_rate=100.0 * (1 - self.failures / self.operations) if self.operations else 100.0,
            ops_per_second=len(recent) / span,
            total_operations=self.operations,
            failed_operations=self.failures,
            total_requests=self.requests,
            retries=self.retries,
        )


class Profile:
    """Where the time of a `with` block went, in milliseconds."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._begun = 0.0
        self._network = 0.0
        self.duration = 0.0
        self.network_time = 0.0

    @property
    def processing_time(self) -> float:
        """What was not spent waiting for the server."""
        return self.duration - self.network_time

    def __enter__(self) -> Profile:
        self._begun = self._clock.monotonic()
        self._network = self._metrics.network_seconds
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.duration = (self._clock.monotonic() - self._begun) * 1000
        network = (self._metrics.network_seconds - self._network) * 1000
        self.network_time = min(network, self.duration)
