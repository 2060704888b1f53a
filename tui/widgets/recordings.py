"""Recordings: the tables of what was recorded, and of the registers of one recording."""

from __future__ import annotations

from collections.abc import Sequence

from dsmilctl.clock import NANOSECONDS, rfc3339
from dsmilctl.tui.inert import inert
from dsmilctl.tui.recordings import RecordingRow, SeriesRow
from dsmilctl.tui.widgets.table import Cell, Column, Table

STATUSES = {
    "running": ("● running", "accent"),
    "completed": ("✓ completed", "good"),
    "failed": ("✕ failed", "bad"),
    "aborted": ("! aborted", "warn"),
}


class RecordingTable(Table):
    """Every recording, newest first."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.rows: tuple[RecordingRow, ...] = ()
        self._now = 0
        self._read = False

    def take(self, rows: tuple[RecordingRow, ...], now: int) -> None:
        """Show other recordings, with the cursor on the one it was on; `now` is in nanoseconds UTC."""
        here, self._now = self.row, now
        if self._read and rows == self.rows:
            self.repaint_changed(lambda _: False)
            return
        self._read, self.rows = True, rows
        ids = [row.recording.recording_id for row in rows]
        if here is not None and self.cursor and here.recording.recording_id in ids:
            self.cursor = ids.index(here.recording.recording_id)
        self.rebuild()

    @property
    def row(self) -> RecordingRow | None:
        """The recording under the cursor."""
        return self.rows[self.cursor] if self.cursor < len(self.rows) else None

    def columns(self) -> Sequence[Column]:
        """Name, status, since when, for how long, how much, of what, by whom."""
        return [
            Column("name", "NAME", 14, grows=True, most=40),
            Column("status", "STATUS", 11),
            Column("started", "STARTED (UTC)", 19, drop=2),
            Column("length", "LENGTH", 8, right=True, drop=1),
            Column("readings", "READINGS", 11, right=True),
            Column("operations", "OPS", 5, right=True, drop=5),
            Column("events", "EVENTS", 6, right=True, drop=6),
            Column("context", "CONTEXT", 9, drop=3),
            Column("operator", "BY", 8, drop=4),
        ]

    def row_count(self) -> int:
        """How many recordings."""
        return len(self.rows)

    def nothing(self) -> str:
        """What would be here."""
        return "Nothing was recorded yet: n starts a recording of this context." if self._read else ""

    def cells(self, index: int) -> Sequence[Cell]:
        """The cells of one recording."""
        row = self.rows[index]
        recording = row.recording
        text, ink = STATUSES.get(recording.status, (inert(recording.status), "plain"))
        ended = recording.ended or (self._now if recording.status == "running" else recording.started)
        return [
            Cell(inert(recording.name), "strong"),
            Cell(text, ink),
            Cell(rfc3339(recording.started)[:19].replace("T", " "), "dim"),
            Cell(length_text(ended - recording.started)),
            Cell(f"{row.readings:,}"),
            Cell(f"{row.operations:,}"),
            Cell(f"{row.events:,}"),
            Cell(inert(recording.context), "dim"),
            Cell(inert(recording.operator), "dim"),
        ]


class SeriesTable(Table):
    """The registers of one recording, with their least, mean and greatest value."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.series: list[SeriesRow] = []
        self._read = False

    def take(self, series: list[SeriesRow]) -> None:
        """Show these registers."""
        self._read, self.series = True, series
        self.rebuild()

    @property
    def row(self) -> SeriesRow | None:
        """The register under the cursor."""
        return self.series[self.cursor] if self.cursor < len(self.series) else None

    def columns(self) -> Sequence[Column]:
        """Device, register, how many readings, and between which values."""
        return [
            Column("device", "DEVICE", 9, grows=True, most=30),
            Column("register", "REGISTER", 10, grows=True, most=24),
            Column("readings", "READINGS", 10, right=True, drop=2),
            Column("least", "LEAST", 12, right=True, drop=1),
            Column("mean", "MEAN", 12, right=True),
            Column("greatest", "GREATEST", 12, right=True, drop=1),
            Column("unit", "UNIT", 6),
        ]

    def row_count(self) -> int:
        """How many registers."""
        return len(self.series)

    def nothing(self) -> str:
        """What would be here."""
        return "This recording has no good reading." if self._read else ""

    def cells(self, index: int) -> Sequence[Cell]:
        """The cells of one register."""
        row = self.series[index]
        return [
            Cell(inert(row.device), "strong"),
            Cell(inert(row.register)),
            Cell(f"{row.readings:,}", "dim"),
            *(Cell(f"{value:.6g}") for value in (row.least, row.mean, row.greatest)),
            Cell(inert(row.unit), "dim"),
        ]


def length_text(nanoseconds: int) -> str:
    """A length of time as `0:42` or `3:05:10`."""
    minutes, seconds = divmod(max(0, nanoseconds) // NANOSECONDS, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
