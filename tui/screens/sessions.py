"""Sessions: the screen of one's own sessions at the server; any of them can be ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.widget import Widget

from dsmilctl.client.logins import logins_of
from dsmilctl.errors import DSMILError
from dsmilctl.tui.command import Command
from dsmilctl.tui.inert import inert
from dsmilctl.tui.messages import Refusal, SessionsRead
from dsmilctl.tui.screens.base import Page
from dsmilctl.tui.screens.confirm import ConfirmDialog
from dsmilctl.tui.snapshot import Snapshot
from dsmilctl.tui.widgets.line import Line, Part
from dsmilctl.tui.widgets.sessions import SessionTable

READ_EVERY = 2.0


class SessionsPage(Page):
    """The screen of the sessions."""

    NAME = "sessions"
    INITIAL = "sessions"
    BINDINGS: ClassVar[list[BindingType]] = [
        Command(
            "x,delete",
            "end",
            "end",
            summary="End the session under the cursor",
            twin="dsmilctl -C {context} auth logout --session {session}",
            impact="write",
        ),
        Command("escape", "leave", "back", summary="Back"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._read_at = 0.0

    def body(self) -> Iterable[Widget]:
        """A line about whom, and the sessions."""
        yield Line(id="sessions-who")
        yield SessionTable(id="sessions")

    def show(self, snapshot: Snapshot) -> None:
        """Read again now and then."""
        if snapshot.monotonic - self._read_at >= READ_EVERY:
            self._read_at = snapshot.monotonic
            self._read()

    def _read(self) -> None:
        self.run_worker(self._read_now(), exclusive=True, group="sessions", exit_on_error=False)

    async def _read_now(self) -> None:
        try:
            found = await self.dashboard.ask(lambda client: logins_of(client).get_sessions())
        except DSMILError as error:
            self.post_message(Refusal(error))
        else:
            self.post_message(SessionsRead(found))

    @on(SessionsRead)
    def _show_sessions(self, event: SessionsRead) -> None:
        self.part(SessionTable).take(event.sessions)
        count = len(event.sessions)
        who = Part(f" {inert(self.dashboard.snapshot.user)}", "strong")
        self.part(Line, "sessions-who").show(
            [who, Part(f"  {count} session{'' if count == 1 else 's'} open", "dim")]
        )

    @on(Refusal)
    def _show_refusal(self, event: Refusal) -> None:
        self.part(Line, "sessions-who").show(
            [Part(f" {inert(event.error.message)}", "bad"), Part(f"  {inert(event.error.hint)}", "dim")]
        )

    def action_end(self) -> None:
        """Ask, and end it."""
        session = self.part(SessionTable).session
        if session is None:
            return

        def confirmed(go: bool | None) -> None:
            if go:
                self.run_worker(self._end(session.session_id), group="end", exit_on_error=False)

        here = "This is the session of this dashboard: it asks for a login then." if session.current else ""
        text = f"{session.client_type} {session.client_version} at {session.address}. {here}"
        self.app.push_screen(ConfirmDialog("End the session?", text.strip(), "End"), confirmed)

    async def _end(self, session_id: str) -> None:
        try:
            await self.dashboard.ask(lambda client: logins_of(client).logout(session_id))
        except DSMILError as error:
            self.notify(f"{error.code}: {inert(error.message)}", severity="error", markup=False)
        self._read()

    def action_leave(self) -> None:
        """Back."""
        self.app.pop_screen()

    def places(self) -> Mapping[str, str]:
        """The session under the cursor."""
        session = self.part(SessionTable).session
        return {"session": session.session_id} if session else {}
