"""Snapshot: one frozen picture of all that the header, the banner and the tables show."""

from __future__ import annotations

import msgspec

from dsmilctl.model.emergency import Stop
from dsmilctl.tui.link import LinkState
from dsmilctl.tui.stop import StopProgress


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The dashboard at one moment.

    `user` is who is logged in to the server `target`, both empty on this machine.  `number` rises by one;
    `now` is in nanoseconds UTC; `silent_for` are the seconds since anything was heard
    when that is too long; `retry_in` the seconds until the context is opened again; `armed_for` the seconds
    for which writes are armed; `changed` the rows of the fleet that moved since the snapshot before.
    """

    number: int = 0
    now: int = 0
    monotonic: float = 0.0
    context: str = ""
    user: str = ""
    target: str = ""
    read_only: bool = False
    link: LinkState = LinkState.CONNECTING
    problem: str = ""
    retry_in: float = 0.0
    silent_for: float = 0.0
    devices: int = 0
    good: int = 0
    stale: int = 0
    alarms: int = 0
    quarantined: int = 0
    gaps: int = 0
    missed: int = 0
    armed_for: float = 0.0
    bytes_per_second: int = 0
    stops: tuple[Stop, ...] = ()
    stop: StopProgress | None = None
    changed: frozenset[int] = frozenset()

    @property
    def live(self) -> bool:
        """Whether what is shown is what is."""
        return self.link is LinkState.LIVE and not self.silent_for
