"""Strangers: connections on which nobody has logged in yet, of which one address has only a share."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

MOST_STRANGERS = 1024
"""Connections without a login of one address."""
ACQUAINTED = "dsmil.acquainted"
"""What the application puts into the scope of a request whose token is good."""


def is_one_too_many(newcomer: Any, connections: Collection[Any]) -> bool:
    """Whether a connection has come from an address that has its share; the count is by protocol objects."""
    if len(connections) <= MOST_STRANGERS:
        return False
    host = _host(newcomer)
    return sum(_host(item) == host and not _is_acquainted(item) for item in connections) > MOST_STRANGERS


def _host(protocol: Any) -> str:
    return protocol.client[0] if protocol.client else ""


def _is_acquainted(protocol: Any) -> bool:
    return getattr(protocol, "acquainted", False) or ACQUAINTED in (getattr(protocol, "scope", None) or {})
