"""Backups: which there are, making one, and proving one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.widget import Widget

from dsmilctl.errors import DSMILError
from dsmilctl.tui.backups import BackupListing, backups
from dsmilctl.tui.command import Command
from dsmilctl.tui.inert import inert
from dsmilctl.tui.messages import BackupsRead, CarriedOut, Refusal
from dsmilctl.tui.recorder import carried_out
from dsmilctl.tui.screens.base import Page
from dsmilctl.tui.snapshot import Snapshot
from dsmilctl.tui.widgets.backups import BackupTable
from dsmilctl.tui.widgets.line import Line, Part
from dsmilctl.tui.widgets.refusals import refusal_parts

READ_EVERY = 3.0
INKS = {"ok": ("✓", "good"), "none": ("·", "warn"), "failed": ("✕", "bad"), "stale": ("!", "warn")}


class BackupsPage(Page):
    """The screen of this user's backups."""

    NAME = "backups"
    INITIAL = "backups"
    BINDINGS: ClassVar[list[BindingType]] = [
        Command(
            "n",
            "create",
            "back up",
            summary="Back the archive up now, and read everything back",
            twin="dsmilctl backup create",
            impact="read",
        ),
        Command(
            "v",
            "verify",
            "verify",
            summary="Read every byte of the backup under the cursor, and count its rows",
            twin="dsmilctl backup verify {backup}",
            impact="read",
        ),
        Command("escape", "leave", "back", summary="Back"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._read_at = 0.0
        self._busy = ""

    def body(self) -> Iterable[Widget]:
        """A line about how they are, and the backups."""
        yield Line(id="backup-state")
        yield BackupTable(id="backups")

    def show(self, snapshot: Snapshot) -> None:
        """Read again now and then."""
        if snapshot.monotonic - self._read_at >= READ_EVERY:
            self._read_at = snapshot.monotonic
            self._read()

    def _read(self) -> None:
        self.run_worker(self._read_now(), exclusive=True, group="backups", exit_on_error=False)

    async def _read_now(self) -> None:
        try:
            self.post_message(BackupsRead(await asyncio.to_thread(backups, self.dashboard.clock.now())))
        except (DSMILError, OSError) as error:
            known = error if isinstance(error, DSMILError) else DSMILError(str(error))
            self.post_message(Refusal(known))

    @on(BackupsRead)
    def _show_backups(self, event: BackupsRead) -> None:
        self.part(BackupTable).take(event.listing.rows)
        self.part(Line, "backup-state").show(state_parts(event.listing, self._busy))

    @on(Refusal)
    def _show_refusal(self, event: Refusal) -> None:
        self.part(Line, "backup-state").show(refusal_parts(event.error))

    def action_create(self) -> None:
        """Make one, and prove it."""
        self._order(("backup", "create"), "backing up", "The backup is there and was read back.")

    def action_verify(self) -> None:
        """Prove the one under the cursor."""
        row = self.part(BackupTable).row
        if row is None:
            self.notify("There is no backup to verify: n makes one.", severity="warning", markup=False)
        elif row.encrypted:
            text = f"It takes a passphrase: dsmilctl backup verify {row.name}"
            self.notify(inert(text), severity="warning", markup=False)
        else:
            self._order(("backup", "verify", row.name), f"reading {row.name} back", f"{row.name} is whole.")

    def _order(self, line: tuple[str, ...], doing: str, done: str) -> None:
        if self._busy:
            text = f"Wait: {self._busy}."
            self.notify(inert(text), severity="warning", markup=False)
            return
        self._busy = doing
        self.part(Line, "backup-state").show([Part(f" ◐ {inert(doing)} …", "dim")])
        self.run_worker(self._carry_out(line, done), group="backup", exit_on_error=False)

    async def _carry_out(self, line: tuple[str, ...], done: str) -> None:
        try:
            await carried_out(*line)
        except DSMILError as error:
            text = f"{error.code}: {inert(error.message)} {inert(error.hint)}".strip()
            self.notify(text, severity="error", markup=False)
        else:
            self.post_message(CarriedOut(done))
        finally:
            self._busy = ""
            self._read()

    @on(CarriedOut)
    def _show_done(self, event: CarriedOut) -> None:
        self.notify(inert(event.text), markup=False)

    def action_leave(self) -> None:
        """Back."""
        self.app.pop_screen()

    def places(self) -> Mapping[str, str]:
        """The backup under the cursor."""
        row = self.part(BackupTable).row
        return {"backup": row.name} if row else {}


def state_parts(found: BackupListing, busy: str) -> list[Part]:
    """How the backups are, in words."""
    if busy:
        return [Part(f" ◐ {inert(busy)} …", "dim")]
    mark, ink = INKS[found.state]
    return [Part(f" {mark} ", ink), Part(inert(found.told), "plain")]
