"""Messages: what the threads of the dashboard tell the app.  A newer one replaces an older one."""

from __future__ import annotations

from textual.message import Message

from dsmilctl.errors import DSMILError
from dsmilctl.tui.stop import StopProgress


class Ticked(Message):
    """The store changed, or time went by: take a new snapshot."""

    def can_replace(self, message: Message) -> bool:
        """One snapshot shows all that happened until it is taken."""
        return isinstance(message, Ticked)


class Arranged(Message):
    """The rows of the fleet were filtered and sorted anew."""

    def __init__(self, order: list[int], problem: DSMILError | None = None) -> None:
        super().__init__()
        self.order = order
        self.problem = problem

    def can_replace(self, message: Message) -> bool:
        """Only the newest arrangement counts."""
        return isinstance(message, Arranged)


class Found(Message):
    """A device was found by a few letters, at this place of the table."""

    def __init__(self, place: int) -> None:
        super().__init__()
        self.place = place


class StopMoved(Message):
    """An emergency stop that was pulled here got on."""

    def __init__(self, progress: StopProgress) -> None:
        super().__init__()
        self.progress = progress

    def can_replace(self, message: Message) -> bool:
        """Only the newest progress of the same stop counts."""
        return isinstance(message, StopMoved) and message.progress.number == self.progress.number
