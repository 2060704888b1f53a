"""Records: lines of the journal, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dsmilctl.clock import rfc3339
from dsmilctl.model.audit import AuditRecord
from dsmilctl.tui.inert import inert
from dsmilctl.tui.widgets.table import Cell, Column, Table

OUTCOMES = {
    "SUCCESS": ("✓ success", "good"),
    "INTENT": ("… intent", "dim"),
    "DENIED": ("✕ denied", "warn"),
    "FAILED": ("✕ failed", "bad"),
    "TIMEOUT": ("? timeout", "warn"),
    "UNKNOWN": ("? unknown", "warn"),
}
LEFT_OUT = ("justification", "reason", "origin", "pid", "old", "error", "hint", "arguments")
"""Parameters that are said in words, or for which a line has no room; the record shows them all."""


class RecordTable(Table):
    """Records of the journal; `brief` leaves out what is the same for one device."""

    def __init__(self, *, brief: bool = False, id: str | None = None) -> None:
        super().__init__(id=id)
        self.records: list[AuditRecord] = []
        self.filter = ""
        self._brief = self.QUIET = brief
        self._read = False

    def take(self, records: list[AuditRecord]) -> None:
        """Show other records, with the cursor on the one it was on."""
        if self._read and records == self.records:
            self.repaint_changed(lambda _: False)
            return
        self._read = True
        here = self.record
        self.records = records
        if here is not None and self.cursor:
            numbers = [record.sequence for record in records]
            if here.sequence in numbers:
                self.cursor = numbers.index(here.sequence)
        self.rebuild()

    @property
    def record(self) -> AuditRecord | None:
        """The record under the cursor."""
        return self.records[self.cursor] if self.cursor < len(self.records) else None

    def columns(self) -> Sequence[Column]:
        """Sequence, time, user, context, action, target, what, outcome."""
        columns = [
            Column("sequence", "NO.", 6, right=True, drop=6),
            Column("time", "TIME" if self._brief else "TIME (UTC)", 8 if self._brief else 19, drop=1),
            Column("user", "USER", 8, drop=3),
            Column("context", "CONTEXT", 8, drop=5),
            Column("action", "ACTION", 10 if self._brief else 17),
            Column("target", "TARGET", 9, drop=2),
            Column("outcome", "OUTCOME", 9),
            Column("what", "WHAT", 12, grows=True, drop=2 if self._brief else 4),
        ]
        hidden = ("sequence", "context", "target") if self._brief else ()
        return [column for column in columns if column.key not in hidden]

    def row_count(self) -> int:
        """How many records there are."""
        return len(self.records)

    def nothing(self) -> str:
        """What would be here; nothing before the journal was read."""
        if not self._read:
            return ""
        if self._brief:
            return "What is done to this device appears here: w writes a register, o lists more."
        if self.filter:
            return f"No record matches {inert(self.filter)}: esc shows all of them, / asks again."
        return "Every change that is asked for appears here, refused ones too: w on a device asks for one."

    def cells(self, index: int) -> Sequence[Cell]:
        """The cells of one record."""
        record = self.records[index]
        time = rfc3339(record.time)
        outcome, ink = OUTCOMES.get(record.outcome, (inert(record.outcome), "plain"))
        urgent = record.action.startswith("emergency")
        cells = {
            "sequence": Cell(str(record.sequence), "dim"),
            "time": Cell(time[11:19] if self._brief else time[:19].replace("T", " "), "dim"),
            "user": Cell(inert(record.user)),
            "context": Cell(inert(record.context), "dim"),
            "action": Cell(inert(self._action_text(record)), "strong" if urgent else "plain"),
            "target": Cell(inert(record.target)),
            "outcome": Cell(outcome, ink),
            "what": Cell(what_text(record.parameters), "dim"),
        }
        return [cells[column.key] for column in self.columns()]

    def _action_text(self, record: AuditRecord) -> str:
        return record.action.rpartition(".")[2] if self._brief else record.action


def what_text(parameters: dict[str, Any]) -> str:
    """The parameters of a record in one line: `CONFIG 1 → 5` for a write, else name=value; then why."""
    register, value, old = (parameters.get(name) for name in ("register", "value", "old"))
    if register and value is not None:
        what = f"{register} {old} → {value}" if old is not None else f"{register} = {value}"
    else:
        shown = {name: item for name, item in parameters.items() if name not in LEFT_OUT}
        what = " ".join(f"{name}={item}" for name, item in shown.items())
    if parameters.get("error"):
        what = what.replace(f"code={parameters.get('code')}", "").strip()
    why = parameters.get("error") or parameters.get("justification") or parameters.get("reason") or ""
    return inert(" · ".join(part for part in (what, str(why)) if part))
