"""Circuit breaker: a server that failed again and again is left alone for a while."""

from __future__ import annotations

import logging
from enum import StrEnum

import msgspec

from dsmilctl.client.remote.failures import BadAnswer
from dsmilctl.clock import Clock
from dsmilctl.errors import DSMILError, NetworkError, OperationTimeout, ProtocolError, Unreachable

LOGGER = logging.getLogger("dsmilctl.client")


class CircuitBreakerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`failure_threshold` failures in a row open it for `recovery_timeout` seconds.

    Then up to `half_open_max_calls` requests at a time try; the first success closes it.
    """

    failure_threshold: int = 5
    recovery_timeout: float = 30.0
    half_open_max_calls: int = 3


class CircuitState(StrEnum):
    """Closed lets everything through, open nothing, half-open a few."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class CircuitOpen(NetworkError):
    """The server failed too often of late; `retry_after` is in seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"the server failed too often; next try in {retry_after:.1f} s")
        self.retry_after = retry_after


class CircuitBreaker:
    """The breaker of one server."""

    def __init__(self, config: CircuitBreakerConfig, clock: Clock) -> None:
        self.config = config
        self.state = CircuitState.CLOSED
        self._clock = clock
        self._failures = 0
        self._opened = 0.0
        self._trying = 0

    def enter(self) -> None:
        """Before a request; raises CircuitOpen.  Whoever entered must call `leave`."""
        if self.state is CircuitState.OPEN:
            left = self._opened + self.config.recovery_timeout - self._clock.monotonic()
            if left > 0:
                raise CircuitOpen(left)
            self._become(CircuitState.HALF_OPEN)
            self._trying = 0
        if self.state is CircuitState.HALF_OPEN and self._trying >= self.config.half_open_max_calls:
            raise CircuitOpen(0.1)
        self._trying += 1

    def leave(self, error: BaseException | None) -> None:
        """After a request: what the server refuses is an answer; silence and faults are failures."""
        self._trying = max(0, self._trying - 1)
        if error is not None and not isinstance(error, DSMILError):
            return  # cancelled: says nothing about the server
        if not is_failure(error):
            self._failures = 0
            self._become(CircuitState.CLOSED)
            return
        self._failures += 1
        if self.state is CircuitState.HALF_OPEN or self._failures >= self.config.failure_threshold:
            self._opened = self._clock.monotonic()
            self._become(CircuitState.OPEN)

    def _become(self, state: CircuitState) -> None:
        if state is not self.state:
            LOGGER.info("circuit breaker: %s", state)
            self.state = state


def is_failure(error: DSMILError | None) -> bool:
    """Whether the server did not do its work."""
    if isinstance(error, BadAnswer):
        return error.status >= 500 or error.status < 400
    if isinstance(error, OperationTimeout):
        return not hasattr(error, "request_id")  # with one, the server spoke: it is the device that did not
    if isinstance(error, Unreachable | ProtocolError):
        return not hasattr(error, "request_id")
    return error is not None and error.code == "INTERNAL_ERROR"
