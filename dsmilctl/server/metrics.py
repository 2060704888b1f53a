"""Metrics of the server in the Prometheus text format.  Source: Prometheus exposition formats 0.0.4."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Mapping
from itertools import accumulate

from dsmilctl.clock import Clock

WINDOW = 60
"""Seconds over which rates and means are told."""
BOUNDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
STALL = 0.05
"""Seconds by which the event loop may be late before it counts as a stall."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _Second:
    """What was answered in one second of the monotonic clock."""

    __slots__ = ("at", "lag", "requests", "took")

    def __init__(self, at: int) -> None:
        self.at = at
        self.lag = 0.0
        self.requests = 0
        self.took = 0.0


class Metrics:
    """Requests by route and status, their durations, and the clients that are connected."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._buckets = [0] * (len(BOUNDS) + 1)
        self._seconds = 0.0
        self._count = 0
        self._recent: deque[_Second] = deque(maxlen=WINDOW + 1)
        self.websockets = 0
        self.streams = 0
        self.pushed = 0
        self.missed = 0
        self.stalls = 0

    def note(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request was answered."""
        self._requests[method, route, status] += 1
        self._seconds += seconds
        self._count += 1
        self._buckets[bisect_left(BOUNDS, seconds)] += 1
        this = self._this_second()
        this.requests += 1
        this.took += seconds

    def note_lag(self, seconds: float) -> None:
        """The event loop came so much later than it was asked to."""
        self.stalls += seconds > STALL
        this = self._this_second()
        this.lag = max(this.lag, seconds)

    @property
    def requests_per_second(self) -> float:
        """Over the last minute."""
        return sum(second.requests for second in self._last_minute()) / WINDOW

    @property
    def average_ms(self) -> float:
        """Mean duration over the last minute, in milliseconds."""
        recent = self._last_minute()
        requests = sum(second.requests for second in recent)
        return sum(second.took for second in recent) / requests * 1000 if requests else 0.0

    @property
    def loop_lag(self) -> float:
        """By how many seconds the event loop came too late at most, over the last minute."""
        return max((second.lag for second in self._last_minute()), default=0.0)

    def _this_second(self) -> _Second:
        now = int(self._clock.monotonic())
        if not self._recent or self._recent[-1].at != now:
            self._recent.append(_Second(now))
        return self._recent[-1]

    def _last_minute(self) -> list[_Second]:
        since = int(self._clock.monotonic()) - WINDOW
        return [second for second in self._recent if second.at > since]

    def text(self, gauges: dict[str, float], counts: Mapping[str, int], refused: Mapping[str, int]) -> str:
        """Everything in the exposition format; `refused` are listeners by what was full."""
        lines = ["# TYPE dsmil_http_requests_total counter"]
        for (method, route, status), count in sorted(self._requests.items()):
            labels = f'method="{method}",route="{route}",status="{status}"'
            lines.append(f"dsmil_http_requests_total{{{labels}}} {count}")
        lines += ["# TYPE dsmil_http_request_seconds histogram"]
        lines += [
            f'dsmil_http_request_seconds_bucket{{le="{bound}"}} {count}'
            for bound, count in zip(BOUNDS, accumulate(self._buckets), strict=False)
        ]
        lines += [f'dsmil_http_request_seconds_bucket{{le="+Inf"}} {self._count}']
        lines += [
            f"dsmil_http_request_seconds_sum {self._seconds}",
            f"dsmil_http_request_seconds_count {self._count}",
        ]
        counters = {
            "dsmil_pushed_total": self.pushed,
            "dsmil_push_missed_total": self.missed,
            "dsmil_loop_stalls_total": self.stalls,
        }
        for name, value in (counters | dict(counts)).items():
            lines += [f"# TYPE {name} counter", f"{name} {value}"]
        lines += ["# TYPE dsmil_push_refused_total counter"]
        lines += [f'dsmil_push_refused_total{{full="{what}"}} {count}' for what, count in refused.items()]
        known = gauges | {
            "dsmil_loop_lag_seconds": self.loop_lag,
            "dsmil_streams": self.streams,
            "dsmil_websockets": self.websockets,
        }
        for name, gauge in sorted(known.items()):
            lines += [f"# TYPE {name} gauge", f"{name} {gauge}"]
        return "\n".join(lines) + "\n"
