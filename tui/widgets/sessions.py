"""Sessions: who is logged in under one's own name, from where, and since when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dsmilctl.tui.inert import inert
from dsmilctl.tui.widgets.table import Cell, Column, Table

if TYPE_CHECKING:
    from dsmilctl.wire.auth import Session


class SessionTable(Table):
    """One's own sessions at the server."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.sessions: list[Session] = []
        self._read = False

    def take(self, sessions: list[Session]) -> None:
        """Show other sessions, with the cursor on the one it was on."""
        here = self.session
        self._read = True
        self.sessions = sessions
        ids = [session.session_id for session in sessions]
        if here is not None and here.session_id in ids:
            self.cursor = ids.index(here.session_id)
        self.rebuild()

    @property
    def session(self) -> Session | None:
        """The session under the cursor."""
        return self.sessions[self.cursor] if self.cursor < len(self.sessions) else None

    def columns(self) -> Sequence[Column]:
        """Which one this is, its client, from where, since when, when last."""
        return [
            Column("current", "", 4),
            Column("client", "CLIENT", 8),
            Column("version", "VERSION", 9, drop=3),
            Column("address", "ADDRESS", 15),
            Column("created", "SINCE (UTC)", 19),
            Column("last", "LAST (UTC)", 19, drop=1),
            Column("id", "SESSION", 12, grows=True, drop=2),
        ]

    def row_count(self) -> int:
        """How many sessions."""
        return len(self.sessions)

    def nothing(self) -> str:
        """What would be here."""
        return "Every session under this name appears here, this one too." if self._read else ""

    def cells(self, index: int) -> Sequence[Cell]:
        """The cells of one session."""
        session = self.sessions[index]
        return [
            Cell("here" if session.current else "", "accent"),
            Cell(inert(session.client_type)),
            Cell(inert(session.client_version), "dim"),
            Cell(inert(session.address)),
            Cell(inert(session.created_at[:19].replace("T", " ")), "dim"),
            Cell(inert(session.last_activity[:19].replace("T", " "))),
            Cell(inert(session.session_id), "dim"),
        ]
