"""Decision: the dialog in which a second person sees exactly what is asked for, and says yes or no."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from dsmilctl.clock import rfc3339
from dsmilctl.errors import DSMILError
from dsmilctl.model.approval import Approval, ApprovalStatus
from dsmilctl.tui.inert import inert
from dsmilctl.tui.messages import Decided, Refusal
from dsmilctl.tui.screens.base import Dialog
from dsmilctl.tui.widgets.approvals import STATUSES, asked_text, said


class DecisionDialog(Dialog[bool]):
    """What is asked for down to its digest, a justification, and two answers without the focus."""

    def __init__(self, approval: Approval) -> None:
        super().__init__()
        self._approval = approval

    @property
    def _open(self) -> bool:
        return self._approval.status is ApprovalStatus.PENDING

    def body(self) -> Iterable[Widget]:
        """What, why, the field, what is wrong, the buttons."""
        with Vertical(classes="box record"):
            yield Static(inert(asked_text(self._approval.subject)), classes="box-title", markup=False)
            with VerticalScroll(classes="lines"):
                yield Static(approval_text(self._approval), markup=False)
            if self._open:
                yield Static("Your justification, for the journal", classes="field-label", markup=False)
                yield Input(id="decision-why", compact=True, classes="field")
            yield Static("", id="decision-problem", classes="problem", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Cancel" if self._open else "Close", id="cancel", compact=True)
                if self._open:
                    yield Button("Reject", id="reject", compact=True)
                    yield Button("Approve", id="approve", compact=True, variant="error")

    def begin(self) -> None:
        """The focus is on the field, never on an answer."""
        super().begin()
        if self._open:
            self.part(Input, "decision-why").focus()
        else:
            self.part(Button, "cancel").focus()

    @on(Input.Submitted, "#decision-why")
    def _why_entered(self) -> None:
        self.part(Button, "cancel").focus()

    @on(Button.Pressed, "#cancel")
    def _cancelled(self) -> None:
        self.dismiss(False)

    @on(Button.Pressed, "#approve")
    def _approved(self) -> None:
        self._decide(approve=True)

    @on(Button.Pressed, "#reject")
    def _rejected(self) -> None:
        self._decide(approve=False)

    def _decide(self, *, approve: bool) -> None:
        if self.dashboard.is_read_only:
            self._say("This session is read-only: nothing is approved or rejected in it.")
            return
        why = self.part(Input, "decision-why").value.strip()
        self._say("◐ telling the server …")
        self.run_worker(self._tell(why, approve=approve), exclusive=True, exit_on_error=False)

    async def _tell(self, why: str, *, approve: bool) -> None:
        wanted = self._approval.approval_id
        try:
            decided = await self.dashboard.ask(
                lambda client: client.decide_approval(wanted, approve=approve, justification=why)
            )
        except DSMILError as error:
            self.post_message(Refusal(error))
        else:
            self.post_message(Decided(decided))

    @on(Decided)
    def _decided(self, event: Decided) -> None:
        status = STATUSES[event.approval.status][0]
        self.notify(f"{status}: {inert(asked_text(event.approval.subject))}", markup=False)
        self.dismiss(True)

    @on(Refusal)
    def _refused(self, event: Refusal) -> None:
        self._say(f"{event.error.code}: {inert(event.error.message)}\n{inert(event.error.hint)}".rstrip())

    def _say(self, text: str) -> None:
        self.part(Static, "decision-problem").update(text)


def approval_text(approval: Approval) -> str:
    """Everything that the second person has to know, as lines of name and value; the digest is whole."""
    subject = approval.subject
    pairs = [
        ("status", STATUSES[approval.status][0]),
        ("asked by", approval.requested_by),
        ("asked at", rfc3339(approval.requested_at)),
        ("ends at", rfc3339(approval.expires_at)),
        ("because", approval.justification),
        ("only if", "" if subject.if_value is None else f"it holds {said(subject.if_value)} now"),
        ("read back", "" if subject.verify else "no"),
        ("approver", approval.level and f"{approval.level} or higher"),
        ("answer by", approval.decided_by),
        ("answer", approval.decision_justification),
        ("approval", approval.approval_id),
        ("digest", approval.digest),
    ]
    return "\n".join(f"{name:<10} {inert(value)}" for name, value in pairs if value)
