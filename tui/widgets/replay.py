"""Replay: the values of every recorded register at the moment at which a replay stands."""

from __future__ import annotations

from collections.abc import Sequence

from dsmilctl.clock import rfc3339
from dsmilctl.model.device import show_id
from dsmilctl.model.reading import Quality, Reading
from dsmilctl.tui.inert import inert
from dsmilctl.tui.widgets.table import Cell, Column, Table

QUALITIES = {Quality.GOOD: "plain", Quality.STALE: "warn", Quality.BAD: "bad"}


class ReplayTable(Table):
    """One row for each register, with the last value up to here."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.readings: list[Reading] = []
        self._read = False

    def take(self, readings: list[Reading]) -> None:
        """Show these readings, in the order of devices and registers."""
        before, self.readings = self.readings, readings
        if self._read and len(before) == len(readings):
            changed = {
                index for index, (old, new) in enumerate(zip(before, readings, strict=True)) if old != new
            }
            self.repaint_changed(lambda index: index in changed)
            return
        self._read = True
        self.rebuild()

    def columns(self) -> Sequence[Column]:
        """Device, register, value, how good, from when."""
        return [
            Column("device", "DEVICE", 9, grows=True, most=30),
            Column("register", "REGISTER", 10, grows=True, most=24),
            Column("value", "VALUE", 14, right=True),
            Column("unit", "UNIT", 6),
            Column("time", "TIME (UTC)", 23, drop=1),
            Column("error", "", 10, grows=True, drop=2),
        ]

    def row_count(self) -> int:
        """How many registers."""
        return len(self.readings)

    def nothing(self) -> str:
        """What would be here."""
        return "This recording has no readings." if self._read else ""

    def cells(self, index: int) -> Sequence[Cell]:
        """The cells of one register."""
        reading = self.readings[index]
        value = "·" if reading.value is None else _value_text(reading.value)
        return [
            Cell(inert(show_id(reading.device_id)), "strong"),
            Cell(inert(reading.register)),
            Cell(inert(value), QUALITIES[reading.quality]),
            Cell(inert(reading.unit), "dim"),
            Cell(rfc3339(reading.timestamp)[:23].replace("T", " "), "dim"),
            Cell(inert(reading.error), "dim"),
        ]


def _value_text(value: float | str) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def bar_text(first: int, last: int, position: int, width: int) -> str:
    """Where a moment lies between two others, as a line with a knob."""
    share = (position - first) / max(1, last - first)
    knob = min(width - 1, max(0, round(share * (width - 1))))
    return "━" * knob + "●" + "─" * (width - 1 - knob)
