"""Stops: the devices of an emergency stop, those that somebody has to look after first."""

from __future__ import annotations

from collections.abc import Sequence

from dsmilctl.model.device import Device, show_id
from dsmilctl.model.emergency import Confirmation, Stop, StopOutcome
from dsmilctl.tui.inert import inert
from dsmilctl.tui.units import milliseconds_text
from dsmilctl.tui.widgets.table import Cell, Column, Table

OUTCOMES = {
    StopOutcome.STOPPED: ("✓ stopped", "good"),
    StopOutcome.NOT_APPLICABLE: ("✓ nothing to stop", "dim"),
    StopOutcome.UNCONFIRMED: ("? UNCONFIRMED", "warn"),
    StopOutcome.FAILED: ("✕ FAILED", "bad"),
}
WORST_FIRST = (
    StopOutcome.FAILED,
    StopOutcome.UNCONFIRMED,
    StopOutcome.STOPPED,
    StopOutcome.NOT_APPLICABLE,
)


class ConfirmationTable(Table):
    """What each device answered to a stop."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.stop_id = ""
        self._rows: list[Confirmation] = []
        self._names: dict[object, str] = {}

    def take(self, stop: Stop | None, devices: Sequence[Device]) -> None:
        """Show a stop; None shows nothing."""
        rows = sorted(stop.confirmations, key=lambda item: WORST_FIRST.index(item.outcome)) if stop else []
        same = rows == self._rows
        self.stop_id = stop.stop_id if stop else ""
        if same:
            self.repaint_changed(lambda _: False)
            return
        self._rows = rows
        self._names = {device.device_id: device.name for device in devices}
        self.rebuild()

    def columns(self) -> Sequence[Column]:
        """Device, name, outcome, after, attempts, why not."""
        return [
            Column("device", "DEVICE", 8),
            Column("name", "NAME", 10, grows=True, drop=2, most=30, ending=True),
            Column("outcome", "OUTCOME", 17),
            Column("after", "AFTER", 8, right=True, drop=1),
            Column("attempts", "ATTEMPTS", 8, right=True, drop=4),
            Column("error", "WHY NOT", 24, grows=True, drop=3),
        ]

    def row_count(self) -> int:
        """How many devices."""
        return len(self._rows)

    def nothing(self) -> str:
        """That nothing is stopped, or that nobody has answered."""
        if self.stop_id:
            return "No device has answered this stop yet; its answer appears here."
        return "What each device answers to a stop appears here; h shows the stops there were."

    def cells(self, index: int) -> Sequence[Cell]:
        """The cells of one device."""
        item = self._rows[index]
        outcome, ink = OUTCOMES[item.outcome]
        return [
            Cell(inert(show_id(item.device_id))),
            Cell(inert(self._names.get(item.device_id, "")), "dim"),
            Cell(outcome, ink),
            Cell(milliseconds_text(item.elapsed_ms), "dim"),
            Cell(str(item.attempts), "dim"),
            Cell(inert(item.error), "warn"),
        ]
