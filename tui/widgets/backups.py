"""Backups: which there are, how large, of what, and when they were proved."""

from __future__ import annotations

from collections.abc import Sequence

from dsmilctl.clock import rfc3339
from dsmilctl.tui.backups import BackupRow
from dsmilctl.tui.inert import inert
from dsmilctl.tui.units import bytes_text
from dsmilctl.tui.widgets.table import Cell, Column, Table


class BackupTable(Table):
    """Every backup, newest first."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.rows: tuple[BackupRow, ...] = ()
        self._read = False

    def take(self, rows: tuple[BackupRow, ...]) -> None:
        """Show other backups, with the cursor on the one it was on."""
        here = self.row
        if self._read and rows == self.rows:
            return
        self._read, self.rows = True, rows
        names = [row.name for row in rows]
        if here is not None and self.cursor and here.name in names:
            self.cursor = names.index(here.name)
        self.rebuild()

    @property
    def row(self) -> BackupRow | None:
        """The backup under the cursor."""
        return self.rows[self.cursor] if self.cursor < len(self.rows) else None

    def columns(self) -> Sequence[Column]:
        """Name, since when, how large, of what, whether it was proved."""
        return [
            Column("name", "NAME", 20, grows=True, most=44),
            Column("created", "CREATED (UTC)", 19, drop=2),
            Column("size", "SIZE", 8, right=True),
            Column("recordings", "RECORDINGS", 10, right=True, drop=3),
            Column("rows", "ROWS", 11, right=True, drop=1),
            Column("encrypted", "", 9, drop=4),
            Column("verified", "VERIFIED (UTC)", 21),
        ]

    def row_count(self) -> int:
        """How many backups."""
        return len(self.rows)

    def nothing(self) -> str:
        """What would be here."""
        return "There is no backup yet: n makes one and reads it back." if self._read else ""

    def cells(self, index: int) -> Sequence[Cell]:
        """The cells of one backup; of one that cannot be read only why."""
        row = self.rows[index]
        if row.problem:
            blank = [Cell("") for _ in range(5)]
            return [Cell(inert(row.name), "strong"), *blank, Cell(f"✕ {inert(row.problem)}", "bad")]
        proved = Cell("· never", "warn") if row.verified is None else Cell(f"✓ {_time(row.verified)}", "good")
        return [
            Cell(inert(row.name), "strong"),
            Cell(_time(row.created), "dim"),
            Cell(bytes_text(row.size)),
            Cell(f"{row.recordings:,}"),
            Cell(f"{row.rows:,}"),
            Cell("encrypted" if row.encrypted else "", "dim"),
            proved,
        ]


def _time(moment: int) -> str:
    return rfc3339(moment)[:19].replace("T", " ")
