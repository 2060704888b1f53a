"""Tuning: how the client tries again, keeps connections, caches, logs, and what it tells of itself."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import msgspec

from dsmilctl.client.remote.breaker import CircuitBreaker, CircuitBreakerConfig
from dsmilctl.client.remote.connected import Connected
from dsmilctl.client.remote.http import KEEP_ALIVE, HttpTransport
from dsmilctl.client.remote.metrics import DebugInfo, PerformanceMetrics, Profile
from dsmilctl.client.remote.retry import RetryPolicy
from dsmilctl.errors import DSMILError


class Tuning(Connected):
    """The client's settings while it runs.  Those of connections hold for connections opened from then on."""

    def configure_retry(
        self,
        max_attempts: int = 5,
        base_delay: float = 0.1,
        max_delay: float = 5.0,
        *,
        backoff_multiplier: float = 2.0,
        jitter: bool = True,
    ) -> None:
        """How often a request is tried in all, and how long it waits in between (seconds)."""
        self._api.retry = RetryPolicy(
            max_attempts=max(1, max_attempts),
            base_delay=base_delay,
            max_delay=max_delay,
            backoff_multiplier=backoff_multiplier,
            jitter=jitter,
        )

    def configure_circuit_breaker(self, config: CircuitBreakerConfig) -> None:
        """When a server that fails is left alone, and for how long."""
        self._api.breaker = CircuitBreaker(config, self.clock)

    def configure_connection_pool(
        self, max_connections: int = 20, keepalive: bool = True, keepalive_timeout: float = KEEP_ALIVE
    ) -> None:
        """How many connections there may be, and how long (seconds) an idle one is kept."""
        if isinstance(self.transport, HttpTransport):
            self.transport.max_connections = max(1, max_connections)
            self.transport.keep_alive = keepalive_timeout if keepalive else 0.0

    def configure_session(
        self, pool_connections: int = 10, pool_maxsize: int = 20, max_retries: int = 3
    ) -> None:
        """The same settings under the names of requests: the larger pool counts, for there is one server."""
        if isinstance(self.transport, HttpTransport):
            self.transport.max_connections = max(1, pool_connections, pool_maxsize)
        self._api.retry = msgspec.structs.replace(self._api.retry, max_attempts=max_retries + 1)

    def enable_compression(self, enabled: bool = True) -> None:
        """Ask for compressed answers; they may grow to `max_response_bytes` and no further."""
        if isinstance(self.transport, HttpTransport):
            self.transport.compression = enabled

    def enable_cache(self, cache_ttl: float = 30.0, cache_size: int = 1000) -> None:
        """Keep single readings for so many seconds, at most so many; a time of 0 keeps none."""
        self._cache.ttl, self._cache.size = cache_ttl, max(1, cache_size)
        if cache_ttl <= 0:
            self._cache.drop()

    def set_error_handler(self, handler: Callable[[DSMILError], Any] | None) -> None:
        """Have a function see every error first: those that are raised and those that results tell of."""
        self._api.error_handler = handler

    def enable_request_logging(self, enabled: bool = True) -> None:
        """Log every request and answer to `dsmilctl.client.requests`, secrets taken out."""
        self._api.logs.requests = enabled

    def enable_performance_logging(self, enabled: bool = True) -> None:
        """Log a PerformanceRecord per request to `dsmilctl.client.performance`."""
        self._api.logs.performance = enabled

    def enable_security_logging(self, enabled: bool = True) -> None:
        """Log a SecurityRecord per login, refusal and stop to `dsmilctl.client.security`."""
        self._api.logs.security = enabled

    def enable_debug_mode(self, enabled: bool = True) -> None:
        """Log everything that the client does."""
        logging.getLogger("dsmilctl.client").setLevel(logging.DEBUG if enabled else logging.NOTSET)
        self._api.logs.requests = enabled

    def get_performance_metrics(self) -> PerformanceMetrics:
        """How quickly and how well the requests of the last minute went."""
        return self._api.metrics.snapshot()

    def get_debug_info(self) -> DebugInfo:
        """What the client is doing now."""
        active = self.transport.active
        most = self.transport.max_connections if isinstance(self.transport, HttpTransport) else active
        return DebugInfo(
            active_connections=min(active, most),
            request_queue_size=self._batching.waiting + max(0, active - most),
            cache_hit_rate=self._cache.hit_rate,
            cache_entries=len(self._cache),
            circuit_state=self._api.breaker.state.value,
            logged_in=self._api.session.logged_in,
            gaps=self._gaps,
            base_url=self.config.base_url,
            api_version=self.config.api_version,
        )

    def performance_profile(self) -> Profile:
        """Measure a block: `with client.performance_profile() as profiler`."""
        return Profile(self._api.metrics, self.clock)
