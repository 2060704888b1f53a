"""Recording: one recording: its registers, and the chart of the one under the cursor."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.widget import Widget

from dsmilctl.archive.recording import Recording
from dsmilctl.errors import DSMILError
from dsmilctl.tui.command import Command
from dsmilctl.tui.inert import inert
from dsmilctl.tui.messages import Refusal, SeriesRead, SpansRead
from dsmilctl.tui.recordings import CLOSEST, SeriesRow, archive_places, series_of, spans_of, times_of
from dsmilctl.tui.screens.base import Page
from dsmilctl.tui.screens.replay import ReplayPage
from dsmilctl.tui.widgets.line import Line, Part
from dsmilctl.tui.widgets.past_chart import PastChart
from dsmilctl.tui.widgets.recordings import STATUSES, SeriesTable, length_text
from dsmilctl.tui.widgets.table import Table

PARTS = 600
"""Parts of time that a chart is read in, whatever the width of the screen."""


class RecordingPage(Page):
    """The screen of one recording."""

    NAME = "recording"
    INITIAL = "series"
    BINDINGS: ClassVar[list[BindingType]] = [
        Command("plus,equals_sign", "zoom(1)", "closer", summary="Half of the time, twice as close"),
        Command("minus", "zoom(-1)", "farther", summary="Twice the time"),
        Command("comma", "shift(-1)", "earlier", summary="Earlier by half a chart"),
        Command("full_stop", "shift(1)", "later", summary="Later by half a chart"),
        Command("0", "whole", "whole", summary="The whole recording"),
        Command(
            "p",
            "play",
            "play",
            summary="Play this recording again",
            twin="dsmilctl record replay {recording}",
            impact="read",
        ),
        Command("escape", "leave", "back", summary="Back"),
    ]

    def __init__(self, recording: Recording) -> None:
        super().__init__()
        self.recording = recording
        self._shown: SeriesRow | None = None
        self._whole = (recording.started, recording.started + CLOSEST)
        self._times = self._whole

    def body(self) -> Iterable[Widget]:
        """What it is, its registers, the chart."""
        yield Line(id="recording-title")
        yield SeriesTable(id="series")
        yield PastChart(id="past-chart")

    def begin(self) -> None:
        """Read the registers."""
        super().begin()
        self._show_title()
        self.part(PastChart).say("reading …")
        self.run_worker(self._read(), exclusive=True, group="series", exit_on_error=False)

    def _show_title(self) -> None:
        recording = self.recording
        status, ink = STATUSES.get(recording.status, (recording.status, "plain"))
        parts = [Part(f" {inert(recording.name)}", "strong"), Part(f"  {status}", ink)]
        facts = f"  {_length(recording)}context {recording.context}, by {recording.operator}"
        parts.append(Part(inert(facts), "dim"))
        if recording.notes:
            parts.append(Part(f"  {inert(recording.notes)}", "plain"))
        self.part(Line, "recording-title").show(parts)

    async def _read(self) -> None:
        try:
            places, recording = archive_places(), self.recording
            found = await asyncio.to_thread(series_of, places, recording.recording_id)
            times = await asyncio.to_thread(times_of, places, recording)
            self.post_message(SeriesRead(found, times))
        except DSMILError as error:
            self.post_message(Refusal(error))

    @on(SeriesRead)
    def _show_series(self, event: SeriesRead) -> None:
        self._whole = self._times = event.times
        self.part(SeriesTable).take(event.series)
        if event.series:
            self._draw()
        else:
            self.part(PastChart).say("")

    @on(Refusal)
    def _show_refusal(self, event: Refusal) -> None:
        self.part(PastChart).say(f"{inert(event.error.message)}. {inert(event.error.hint)}")

    @on(Table.Moved, "#series")
    @on(Table.Chosen, "#series")
    def _another(self) -> None:
        if self.part(SeriesTable).row != self._shown:
            self._draw()

    def _draw(self) -> None:
        row = self.part(SeriesTable).row
        if row is not None:
            self._shown = row
            self.run_worker(self._read_spans(row, self._times), exclusive=True, group="chart")

    async def _read_spans(self, row: SeriesRow, times: tuple[int, int]) -> None:
        try:
            found = await asyncio.to_thread(
                spans_of, archive_places(), self.recording.recording_id, row, times, PARTS
            )
        except DSMILError as error:
            self.post_message(Refusal(error))
        else:
            self.post_message(SpansRead(row, found, times))

    @on(SpansRead)
    def _show_spans(self, event: SpansRead) -> None:
        if event.series is not self._shown:
            return
        chart = self.part(PastChart)
        chart.begin(
            f"{inert(event.series.device)} {inert(event.series.register)}", event.series.unit, (None, None)
        )
        chart.say("nothing was recorded between these times")
        chart.take(event.spans, event.times)

    def action_zoom(self, direction: int) -> None:
        """Half of the time around the middle, or twice as much."""
        first, last = self._times
        middle, length = (first + last) // 2, last - first
        self._go_to(middle, length // 2 if direction > 0 else length * 2)

    def action_shift(self, direction: int) -> None:
        """Half a chart earlier or later."""
        first, last = self._times
        self._go_to((first + last) // 2 + direction * (last - first) // 2, last - first)

    def action_whole(self) -> None:
        """Everything."""
        self._times = self._whole
        self._draw()

    def _go_to(self, middle: int, length: int) -> None:
        """A stretch of the recording, within its beginning and its end."""
        first, last = self._whole
        length = min(max(length, CLOSEST), last - first)
        begin = min(max(first, middle - length // 2), last - length)
        self._times = (begin, begin + length)
        self._draw()

    def action_play(self) -> None:
        """Play it."""
        self.app.push_screen(ReplayPage(self.recording))

    def action_leave(self) -> None:
        """Back."""
        self.app.pop_screen()

    def places(self) -> Mapping[str, str]:
        """The recording, and the register under the cursor."""
        row = self.part(SeriesTable).row
        found = {"recording": self.recording.recording_id}
        return found | ({"device": row.device, "register": row.register} if row else {})


def _length(recording: Recording) -> str:
    """How long it took, where it has ended."""
    if recording.ended is None:
        return ""
    return f"{length_text(recording.ended - recording.started)}, "
