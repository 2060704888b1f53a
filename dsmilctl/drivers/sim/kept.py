"""Kept: what a simulated device remembers because somebody wrote it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any

import msgspec

from dsmilctl.clock import NANOSECONDS
from dsmilctl.drivers.sim.registers import MAINTENANCE
from dsmilctl.model.register import Value

Word = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF_FFFF)]

COOLING = 60.0
"""Seconds in which a device comes within 37 % of its new temperature after its load changed."""


class Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was written to one device; None where nothing was.

    `since` (nanoseconds) is when it went out of service or came back, and `warm` how much of its own heat
    it had then, 0 … 1.
    """

    config: Word | None = None
    data: Word | None = None
    active: bool = True
    settings: dict[str, Value] = {}
    since: int = 0
    warm: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 1.0

    @property
    def idle(self) -> bool:
        """Whether the device is out of service: deactivated or in maintenance mode."""
        return not self.active or bool(self.config and self.config & MAINTENANCE)


NOTHING = Kept()
Edit = Callable[[Kept], Kept]


def warmth(kept: Kept, moment: float) -> float:
    """How much of its own heat a device has at a moment in seconds: 0 is ambient, 1 is at work."""
    target = 0.0 if kept.idle else 1.0
    if kept.warm == target:
        return target
    passed = max(0.0, moment - kept.since / NANOSECONDS)
    return target + (kept.warm - target) * math.exp(-passed / COOLING)


def edit(now: int, **changes: Any) -> Edit:
    """An edit that sets fields, and starts to cool or heat the device where its service changes."""

    def apply(kept: Kept) -> Kept:
        changed = msgspec.structs.replace(kept, **changes)
        if changed.idle == kept.idle:
            return changed
        return msgspec.structs.replace(changed, since=now, warm=warmth(kept, now / NANOSECONDS))

    return apply


def configured(now: int, settings: dict[str, Value]) -> Edit:
    """An edit that adds free settings."""
    return lambda kept: edit(now, settings={**kept.settings, **settings})(kept)


def activated(now: int) -> Edit:
    """An edit that puts the device into service: active, and no longer in maintenance mode."""

    def apply(kept: Kept) -> Kept:
        config = kept.config if kept.config is None else kept.config & ~MAINTENANCE
        return edit(now, active=True, config=config)(kept)

    return apply


def cleared(kept: Kept) -> Kept:
    """The edit of a reset: everything as it was delivered."""
    del kept
    return NOTHING
