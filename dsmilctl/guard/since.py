"""Since: the stops that came after a moment, also those that are released again by now.

A change is compared and journalled before its device is told, and a stop may come and go in between: what was
compared is not what the device holds any more, so the change is not made.
"""

from __future__ import annotations

from collections.abc import Sequence

from dsmilctl.errors import EmergencyStopActive
from dsmilctl.guard.history import History
from dsmilctl.model.device import Device
from dsmilctl.model.emergency import Stop


class Since:
    """The stops since it was made; while none comes, asking takes a look at each folder's time alone."""

    def __init__(self, histories: Sequence[History]) -> None:
        self._histories = histories
        self._mark = self._marks()
        self._known = self._names()
        self._came: tuple[Stop, ...] = ()

    def require_none(self, device: Device) -> None:
        """Raise EmergencyStopActive if one of them was of this device."""
        if (mark := self._marks()) != self._mark:
            self._mark = mark
            new = self._names() - self._known
            self._came = tuple(stop for history in self._histories for stop in history.named(new))
        for stop in self._came:
            if stop.covers(device.device_id):
                raise EmergencyStopActive(
                    f"{stop.stop_id} stopped {device.shown_id} before this change was made, which it is not",
                    hint="the stop is released: look at the device, then ask again",
                    target=device.shown_id,
                    stop_id=stop.stop_id,
                )

    def _marks(self) -> tuple[int, ...]:
        return tuple(time for history in self._histories for time in history.changed())

    def _names(self) -> set[str]:
        return {name for history in self._histories for name in history.names()}
