"""Attempts: how often somebody at one address may try to log in, whoever the name given belongs to."""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address, ip_network

from dsmilctl.clock import Clock
from dsmilctl.errors import RateLimitError

PERIOD = 60.0
MOST_ADDRESSES = 10_000
"""Addresses that are remembered; the one that tried longest ago makes room."""
NETWORK = 64
"""Bits of an IPv6 address that are one customer's.  Source: RFC 6177, section 2."""


class Attempts:
    """A token bucket per address of `most` logins in PERIOD seconds (0: any number).

    A login that succeeds gives its token back: only failures are counted, and those under way.  An address
    that is refused costs no account an attempt.  Generic cell rate algorithm, cf. ITU-T I.371, annex A.
    """

    def __init__(self, clock: Clock, most: int) -> None:
        self._clock = clock
        self._most = most
        self._full_at: OrderedDict[str, float] = OrderedDict()
        self.refused = 0

    def begin(self, address: str) -> None:
        """Take a token; raises RateLimitError where there is none."""
        if not self._most:
            return
        now, place = self._clock.monotonic(), _place(address)
        full_at = max(self._full_at.get(place, now), now) + PERIOD / self._most
        if (wait := full_at - now - PERIOD) > 0:
            self.refused += 1
            message = f"too many logins failed from {address}: no more than {self._most} a minute"
            raise RateLimitError(message, retry_after=wait, hint=f"try again in {wait:.3g} s")
        self._full_at[place] = full_at
        self._full_at.move_to_end(place)
        while len(self._full_at) > MOST_ADDRESSES:
            self._full_at.popitem(last=False)

    def succeeded(self, address: str) -> None:
        """Give the token back."""
        place = _place(address)
        if place in self._full_at:
            self._full_at[place] -= PERIOD / self._most


def _place(address: str) -> str:
    """What is counted as one address: an IPv4 address, or the network of an IPv6 one."""
    try:
        found = ip_address(address)
    except ValueError:  # a socket of another family has none
        return address
    if not isinstance(found, IPv6Address):
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ip_network((int(found), NETWORK), strict=False))
