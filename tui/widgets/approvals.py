"""Approvals: what somebody asked a second person for, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence

from dsmilctl.clock import NANOSECONDS
from dsmilctl.model.approval import Approval, ApprovalStatus, Subject
from dsmilctl.model.device import show_id
from dsmilctl.model.register import Value
from dsmilctl.tui.inert import inert
from dsmilctl.tui.units import age_text
from dsmilctl.tui.widgets.table import Cell, Column, Table

STATUSES = {
    ApprovalStatus.PENDING: ("… pending", "warn"),
    ApprovalStatus.APPROVED: ("✓ approved", "good"),
    ApprovalStatus.REJECTED: ("✕ rejected", "bad"),
    ApprovalStatus.USED: ("✓ used", "dim"),
    ApprovalStatus.EXPIRED: ("✕ expired", "dim"),
}


class ApprovalTable(Table):
    """Approvals, those that wait for somebody first."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.approvals: list[Approval] = []
        self.now = 0
        self._read = False

    def take(self, approvals: Sequence[Approval], now: int) -> None:
        """Show other approvals, with the cursor on the one it was on; `now` in nanoseconds UTC."""
        here = self.approval
        self._read, self.now = True, now
        self.approvals = sorted(approvals, key=lambda item: item.status is not ApprovalStatus.PENDING)
        ids = [item.approval_id for item in self.approvals]
        if here is not None and here.approval_id in ids:
            self.cursor = ids.index(here.approval_id)
        self.rebuild()

    @property
    def approval(self) -> Approval | None:
        """The approval under the cursor."""
        return self.approvals[self.cursor] if self.cursor < len(self.approvals) else None

    def columns(self) -> Sequence[Column]:
        """Status, what, by whom, how long yet, why, its id."""
        return [
            Column("status", "STATUS", 10),
            Column("what", "WHAT IS ASKED FOR", 37, grows=True, most=60),
            Column("who", "BY", 12, drop=1),
            Column("left", "ENDS IN", 8, right=True, drop=2),
            Column("why", "WHY", 12, grows=True, drop=3),
            Column("id", "APPROVAL", 17, drop=4),
        ]

    def row_count(self) -> int:
        """How many approvals."""
        return len(self.approvals)

    def nothing(self) -> str:
        """What would be here."""
        return (
            "What needs the consent of a second person appears here, once somebody asks for it." * self._read
        )

    def cells(self, index: int) -> Sequence[Cell]:
        """The cells of one approval."""
        item = self.approvals[index]
        status, ink = STATUSES[item.status]
        left = (item.expires_at - self.now) / NANOSECONDS
        waits = item.status in (ApprovalStatus.PENDING, ApprovalStatus.APPROVED) and left > 0
        return [
            Cell(status, ink),
            Cell(inert(asked_text(item.subject)), "strong" if waits else "plain"),
            Cell(inert(item.requested_by)),
            Cell(age_text(left) if waits else "", "dim"),
            Cell(inert(item.justification), "dim"),
            Cell(inert(item.approval_id), "dim"),
        ]


def asked_text(subject: Subject) -> str:
    """What is asked for, in one line: `WRITE CONFIG = 5 (0x00000005) on 0x8000`."""
    if subject.device_id is None:
        return f"release of {subject.stop_id or 'every emergency stop'}"
    what = [subject.operation_type, subject.register or subject.command]
    if subject.value is not None:
        what.append(f"= {said(subject.value)}")
    what += [f"{name}={said(value)}" for name, value in subject.arguments]
    return " ".join([part for part in what if part] + ["on", show_id(subject.device_id)])


def said(value: Value) -> str:
    """A value as a person compares it: a whole number in both ways of writing it."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 9:
        return f"{value} (0x{value:08X})"
    return str(value)
