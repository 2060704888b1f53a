"""Retry: what is tried again, and when."""

from __future__ import annotations

import random

import msgspec

from dsmilctl.client.remote.failures import BadAnswer
from dsmilctl.errors import DSMILError, NetworkError, RateLimitError

REPEATED = frozenset({500, 502, 503, 504})
"""Statuses of a server or proxy in trouble, where the body is not the API's."""


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """`max_attempts` in all; the wait grows from `base_delay` to `max_delay` seconds, at random within that.

    Source of the jitter: M. Brooker, "Exponential Backoff And Jitter" (full jitter).
    """

    max_attempts: int = 4
    base_delay: float = 0.1
    max_delay: float = 5.0
    backoff_multiplier: float = 2.0
    jitter: bool = True

    def wait(self, error: DSMILError, attempt: int) -> float | None:
        """Seconds before the next try after the given one (1, 2, …); None where it is not worth one.

        A server that names a time is not asked before it.
        """
        if attempt >= self.max_attempts or not worth_repeating(error):
            return None
        most = min(self.max_delay, self.base_delay * self.backoff_multiplier ** min(attempt - 1, 64))
        pause = random.uniform(0, most) if self.jitter else most
        named = getattr(error, "retry_after", None)
        return pause if named is None else float(named) + (pause / 10 if self.jitter else 0.0)


def worth_repeating(error: DSMILError) -> bool:
    """Whether the same request may succeed later: overload, a broken connection, a proxy in trouble.

    What a device, the guard or an account's lock refused is not asked again.
    """
    if isinstance(error, BadAnswer):
        return error.status in REPEATED
    if isinstance(error, RateLimitError):
        return True
    if isinstance(error, NetworkError):
        return not error.hint  # a certificate that proves nothing proves nothing the next time
    return error.code == "INTERNAL_ERROR"
