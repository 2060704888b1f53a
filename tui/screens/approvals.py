"""Approvals: the screen of what a second person is asked for; one's own consent is given here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.widget import Widget

from dsmilctl.errors import DSMILError
from dsmilctl.model.approval import ApprovalStatus
from dsmilctl.tui.command import Command
from dsmilctl.tui.inert import inert
from dsmilctl.tui.messages import ApprovalsRead, Refusal
from dsmilctl.tui.screens.base import Page
from dsmilctl.tui.screens.decision import DecisionDialog
from dsmilctl.tui.snapshot import Snapshot
from dsmilctl.tui.widgets.approvals import ApprovalTable
from dsmilctl.tui.widgets.line import Line, Part
from dsmilctl.tui.widgets.table import Table

READ_EVERY = 2.0


class ApprovalsPage(Page):
    """The screen of the approvals."""

    NAME = "approvals"
    INITIAL = "approvals"
    BINDINGS: ClassVar[list[BindingType]] = [
        Command(
            "enter",
            "decide",
            "decide",
            summary="Show exactly what is asked for, and approve or reject it",
            twin="dsmilctl -C {context} approval approve {approval} --justification TEXT",
            impact="danger",
        ),
        Command(
            "p",
            "pending",
            "pending/all",
            summary="Only those that wait for somebody, or all",
            twin="dsmilctl -C {context} approval list",
            impact="read",
        ),
        Command("escape", "leave", "back", summary="Back"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._read_at = 0.0
        self._only = ""

    def body(self) -> Iterable[Widget]:
        """A line that counts, and the approvals."""
        yield Line(id="approvals-count")
        yield ApprovalTable(id="approvals")

    def show(self, snapshot: Snapshot) -> None:
        """Read again now and then."""
        if snapshot.monotonic - self._read_at >= READ_EVERY:
            self._read_at = snapshot.monotonic
            self._read()

    def _read(self) -> None:
        self.run_worker(self._read_now(), exclusive=True, group="approvals", exit_on_error=False)

    async def _read_now(self) -> None:
        try:
            found = await self.dashboard.ask(lambda client: client.approvals(self._only))
        except DSMILError as error:
            self.post_message(Refusal(error))
        else:
            self.post_message(ApprovalsRead(found))

    @on(ApprovalsRead)
    def _show_approvals(self, event: ApprovalsRead) -> None:
        self.part(ApprovalTable).take(event.approvals, self.dashboard.clock.now())
        waiting = sum(item.status is ApprovalStatus.PENDING for item in event.approvals)
        verb = "waits" if waiting == 1 else "wait"
        line = [Part(f" {waiting} {verb} for a second person", "warn" if waiting else "dim")]
        if not self._only:
            line.append(Part(f"  {len(event.approvals)} in all", "dim"))
        self.part(Line, "approvals-count").show(line)

    @on(Refusal)
    def _show_refusal(self, event: Refusal) -> None:
        self.part(Line, "approvals-count").show(
            [Part(f" {inert(event.error.message)}", "bad"), Part(f"  {inert(event.error.hint)}", "dim")]
        )

    @on(Table.Chosen, "#approvals")
    def action_decide(self) -> None:
        """Everything about the approval under the cursor, and the two answers."""
        approval = self.part(ApprovalTable).approval
        if approval is not None:
            self.app.push_screen(DecisionDialog(approval), lambda _: self._read())

    def action_pending(self) -> None:
        """Only the pending ones, or all."""
        self._only = "" if self._only else ApprovalStatus.PENDING.value
        self._read()

    def action_leave(self) -> None:
        """Back."""
        self.app.pop_screen()

    def places(self) -> Mapping[str, str]:
        """The approval under the cursor."""
        approval = self.part(ApprovalTable).approval
        return {"approval": approval.approval_id} if approval else {}
