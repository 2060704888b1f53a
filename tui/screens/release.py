"""Release: the dialog that ends emergency stops, after the context's name was typed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual import on
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from dsmilctl.errors import ApprovalRequired, DSMILError
from dsmilctl.tui import consents
from dsmilctl.tui.inert import inert
from dsmilctl.tui.messages import Asked, Refusal, Released
from dsmilctl.tui.screens.base import Dialog


class ReleaseDialog(Dialog[bool]):
    """Asks for the context's name and a justification; the focus begins on the name, never on Release."""

    def __init__(self, context: str, seen: Sequence[str]) -> None:
        super().__init__()
        self._seen = tuple(seen)
        self._name = context

    def body(self) -> Iterable[Widget]:
        """Two fields, what is wrong, two buttons."""
        with Vertical(classes="box"):
            count = len(self._seen)
            what = "the emergency stop" if count == 1 else f"all {count} emergency stops"
            yield Static(f"Release {what}", classes="box-title", markup=False)
            yield Static(
                "Devices stay in their safe state; they can be changed again.", classes="dim", markup=False
            )
            yield Static(f"Type the context's name: {inert(self._name)}", classes="field-label", markup=False)
            yield Input(id="release-name", compact=True, classes="field")
            yield Static("Why, for the journal", classes="field-label", markup=False)
            yield Input(id="release-why", compact=True, classes="field")
            yield Static("", id="release-problem", classes="problem", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Ask a second person", id="ask-second", compact=True, classes="hidden")
                yield Button("Release", id="release", compact=True, variant="error")

    @on(Input.Submitted, "#release-name")
    def _name_entered(self) -> None:
        self.part(Input, "release-why").focus()

    @on(Input.Submitted, "#release-why")
    def _why_entered(self) -> None:
        self.part(Button, "cancel").focus()

    @on(Button.Pressed, "#cancel")
    def _cancelled(self) -> None:
        self.dismiss(False)

    @on(Button.Pressed, "#release")
    def _asked(self) -> None:
        if self.part(Input, "release-name").value.strip() != self._name:
            self._say(f"The name is not {inert(self._name)}: nothing was released.")
            return
        why = self.part(Input, "release-why").value.strip()
        self.run_worker(self._release(why), exclusive=True, exit_on_error=False)

    async def _release(self, why: str) -> None:
        user = self.dashboard.snapshot.user
        try:
            released = await self.dashboard.ask(
                lambda client: consents.release(client, why, user, self._seen)
            )
        except DSMILError as error:
            self.post_message(Refusal(error))
            return
        self.post_message(Released(released))

    @on(Button.Pressed, "#ask-second")
    def _ask_second(self) -> None:
        why = self.part(Input, "release-why").value.strip()
        self.run_worker(self._ask_now(why), exclusive=True, exit_on_error=False)

    async def _ask_now(self, why: str) -> None:
        try:
            asked = await self.dashboard.ask(lambda client: client.request_approval(None, justification=why))
        except DSMILError as error:
            self.post_message(Refusal(error))
        else:
            self.post_message(Asked(asked))

    @on(Asked)
    def _second_asked(self, event: Asked) -> None:
        self.notify(f"Asked as {event.approval.approval_id}: A shows what becomes of it.", markup=False)
        self.dismiss(False)

    @on(Released)
    def _released(self, event: Released) -> None:
        if self.dashboard.link is not None:
            self.dashboard.link.look_at_stops()
        self.notify(f"{len(event.stops)} stops released", markup=False)
        self.dismiss(True)

    @on(Refusal)
    def _refused(self, event: Refusal) -> None:
        self._say(f"{event.error.code}: {inert(event.error.message)}\n{inert(event.error.hint)}")
        if isinstance(event.error, ApprovalRequired) and self.dashboard.snapshot.user:
            self.part(Button, "ask-second").remove_class("hidden")

    def _say(self, text: str) -> None:
        self.part(Static, "release-problem").update(text)
