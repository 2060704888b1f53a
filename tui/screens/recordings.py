"""Recordings: what was recorded, what records now, and starting and stopping it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.widget import Widget

from dsmilctl.errors import DSMILError
from dsmilctl.tui.command import Command
from dsmilctl.tui.inert import inert
from dsmilctl.tui.messages import CarriedOut, RecordingsRead, Refusal
from dsmilctl.tui.recorder import carried_out
from dsmilctl.tui.recordings import Listing, archive_places, listing
from dsmilctl.tui.screens.base import Page
from dsmilctl.tui.screens.confirm import ConfirmDialog
from dsmilctl.tui.screens.recording import RecordingPage
from dsmilctl.tui.screens.replay import ReplayPage
from dsmilctl.tui.screens.start_recording import StartDialog, Wish
from dsmilctl.tui.snapshot import Snapshot
from dsmilctl.tui.widgets.line import Line, Part
from dsmilctl.tui.widgets.recordings import RecordingTable
from dsmilctl.tui.widgets.refusals import refusal_parts
from dsmilctl.tui.widgets.table import Table

READ_EVERY = 2.0


class RecordingsPage(Page):
    """The screen of the recordings in this user's archive."""

    NAME = "recordings"
    INITIAL = "recordings"
    BINDINGS: ClassVar[list[BindingType]] = [
        Command(
            "enter",
            "browse",
            "browse",
            summary="Look into the recording under the cursor",
            twin="dsmilctl record show {recording}",
            impact="read",
        ),
        Command(
            "p",
            "play",
            "play",
            summary="Play the recording under the cursor again",
            twin="dsmilctl record replay {recording}",
            impact="read",
        ),
        Command(
            "n",
            "start",
            "record",
            summary="Start a recording of this context in the background",
            twin="dsmilctl -C {context} record start --name NAME",
            impact="read",
        ),
        Command(
            "x",
            "stop",
            "end",
            summary="End the recording that runs",
            twin="dsmilctl record stop",
            impact="write",
        ),
        Command("escape", "leave", "back", summary="Back"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._read_at = 0.0
        self._listing = Listing()

    def body(self) -> Iterable[Widget]:
        """A line about the recorder, and the recordings."""
        yield Line(id="recorder")
        yield RecordingTable(id="recordings")

    def show(self, snapshot: Snapshot) -> None:
        """Read again now and then."""
        if snapshot.monotonic - self._read_at >= READ_EVERY:
            self._read_at = snapshot.monotonic
            self._read()

    def _read(self) -> None:
        self.run_worker(self._read_now(), exclusive=True, group="recordings", exit_on_error=False)

    async def _read_now(self) -> None:
        try:
            self.post_message(RecordingsRead(await asyncio.to_thread(listing, archive_places())))
        except DSMILError as error:
            self.post_message(Refusal(error))

    @on(RecordingsRead)
    def _show_recordings(self, event: RecordingsRead) -> None:
        self._listing = event.listing
        self.part(RecordingTable).take(event.listing.rows, self.dashboard.snapshot.now)
        self.part(Line, "recorder").show(recorder_parts(event.listing))

    @on(Refusal)
    def _show_refusal(self, event: Refusal) -> None:
        self.part(Line, "recorder").show(refusal_parts(event.error))

    @on(Table.Chosen, "#recordings")
    def action_browse(self) -> None:
        """The registers of the recording under the cursor, and their charts."""
        row = self.part(RecordingTable).row
        if row is not None:
            self.app.push_screen(RecordingPage(row.recording))

    def action_play(self) -> None:
        """Play the recording under the cursor."""
        row = self.part(RecordingTable).row
        if row is not None:
            self.app.push_screen(ReplayPage(row.recording))

    def action_start(self) -> None:
        """Ask what, and start."""
        if self._listing.recorder:
            text = "A recording runs already: x ends it."
            self.notify(text, severity="warning", markup=False)
            return

        def chosen(wish: Wish | None) -> None:
            if wish is not None:
                context = self.dashboard.context_name
                self._order(("-C", context, "record", "start", *wish.options), f"Recording {wish.name}.")

        self.app.push_screen(StartDialog(self.dashboard.context_name), chosen)

    def action_stop(self) -> None:
        """Ask, and end what runs."""
        running = next((row for row in self._listing.rows if row.recording.status == "running"), None)
        if running is None or not self._listing.recorder:
            self.notify("Nothing records now: n starts a recording.", severity="warning", markup=False)
            return

        def confirmed(go: bool | None) -> None:
            if go:
                name = running.recording.recording_id
                self._order(("record", "stop", name), f"Ended {running.recording.name}.")

        text = f"{running.recording.name} has {running.readings:,} readings."
        self.app.push_screen(ConfirmDialog("End the recording?", text, "End"), confirmed)

    def _order(self, line: tuple[str, ...], done: str) -> None:
        self.part(Line, "recorder").show([Part(" ◐ under way …", "dim")])
        self.run_worker(self._carry_out(line, done), group="recorder", exit_on_error=False)

    async def _carry_out(self, line: tuple[str, ...], done: str) -> None:
        try:
            await carried_out(*line)
        except DSMILError as error:
            text = f"{error.code}: {inert(error.message)} {inert(error.hint)}".strip()
            self.notify(text, severity="error", markup=False)
            self._read()
        else:
            self.post_message(CarriedOut(done))

    @on(CarriedOut)
    def _show_done(self, event: CarriedOut) -> None:
        self.notify(inert(event.text), markup=False)
        self._read()

    def action_leave(self) -> None:
        """Back."""
        self.app.pop_screen()

    def places(self) -> Mapping[str, str]:
        """The recording under the cursor."""
        row = self.part(RecordingTable).row
        return {"recording": row.recording.recording_id} if row else {}


def recorder_parts(found: Listing) -> list[Part]:
    """What records now, in words."""
    if not found.recorder:
        return [Part(" ○ nothing records now", "dim"), Part("  n starts a recording", "dim")]
    health = found.health
    if health is None:
        return [Part(f" ● {inert(found.recorder)} records", "accent")]
    parts = [
        Part(f" ● {inert(health.name)}", "accent"),
        Part(f"  {health.state}, {health.readings:,} readings, {inert(found.recorder)}", "plain"),
    ]
    if health.missed:
        parts.append(Part(f"  {health.missed:,} missed", "warn"))
    if health.problem:
        parts.append(Part(f"  {inert(health.problem)}", "bad"))
    return parts
