"""Identity: who asks, and how much that person may see and change."""

from __future__ import annotations

from enum import IntEnum

import msgspec


class Clearance(IntEnum):
    """The clearance levels of DSMIL in rising order.  Source: the DSMIL API, version 2."""

    UNCLASSIFIED = 0
    RESTRICTED = 1
    CONFIDENTIAL = 2
    SECRET = 3
    TOP_SECRET = 4
    SCI = 5
    SAP = 6
    COSMIC = 7


class Identity(msgspec.Struct, frozen=True):
    """Who asks: a name, the host it came from and its clearance."""

    user: str
    host: str
    clearance: Clearance = Clearance.TOP_SECRET
    source: str = "local"
