"""Emergency: what is stopped, who confirmed, what is left to look after, and the release."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from textual.binding import BindingType
from textual.widget import Widget

from dsmilctl.clock import rfc3339
from dsmilctl.errors import DSMILError
from dsmilctl.model.emergency import Stop
from dsmilctl.tui.command import Command
from dsmilctl.tui.inert import inert
from dsmilctl.tui.messages import StopsRead
from dsmilctl.tui.screens.base import Page
from dsmilctl.tui.screens.release import ReleaseDialog
from dsmilctl.tui.snapshot import Snapshot
from dsmilctl.tui.stop import Phase, StopProgress
from dsmilctl.tui.widgets.banner import progress_text, times_text
from dsmilctl.tui.widgets.line import Line, Part
from dsmilctl.tui.widgets.stops import ConfirmationTable


class EmergencyPage(Page):
    """The screen of the emergency stops."""

    NAME = "emergency"
    INITIAL = "confirmations"
    BINDINGS: ClassVar[list[BindingType]] = [
        Command(
            "r",
            "release",
            "release",
            summary="Release every stop: asks for the context's name and a justification",
            twin="dsmilctl -C {context} emergency release --justification TEXT --confirm {context}",
            impact="danger",
        ),
        Command("n", "next_stop", "next stop", show=False, summary="The next of several stops"),
        Command(
            "h",
            "history",
            "history",
            summary="The stops there were",
            twin="dsmilctl -C {context} emergency history",
            impact="read",
        ),
        Command("escape", "leave", "back", summary="Back"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._place = -1
        self._past: list[Stop] = []

    def body(self) -> Iterable[Widget]:
        """Three lines about the stop, its devices, and lines for the past ones."""
        yield Line(id="stop-what")
        yield Line(id="stop-who")
        yield Line(id="stop-how")
        yield ConfirmationTable(id="confirmations")
        for number in range(5):
            yield Line(id=f"past-{number}", classes="past")

    def show(self, snapshot: Snapshot) -> None:
        """The stop in force, or that there is none."""
        pulled = snapshot.stop
        stop = snapshot.stops[self._place % len(snapshot.stops)] if snapshot.stops else None
        devices = self.dashboard.store.devices if self.dashboard.store else ()
        self.part(ConfirmationTable).take(stop, devices)
        what, who, how = (self.part(Line, f"stop-{name}") for name in ("what", "who", "how"))
        if pulled is not None and pulled.phase is not Phase.ENDED:
            what.show([Part(f" ■ {progress_text(pulled)}", "bad")])
            others = f" In force already: {inert(stop.stop_id)}, {who_text(stop)}" if stop else ""
            who.show([Part(others, "plain")] if others else [])
            how.show([])
            return
        if stop is None:
            what.show([Part(" ✓ Nothing is stopped.", "good")])
            who.show([Part(" ctrl+x stops every device at once, from every screen, without asking.", "dim")])
            how.show([])
            return
        count = f"   stop {self._place % len(snapshot.stops) + 1} of {len(snapshot.stops)}"
        what.show(
            [
                Part(f" ■ EMERGENCY STOP {inert(stop.stop_id)}", "bad"),
                Part(f"  {inert(stop.scope)}", "strong"),
            ],
            [Part(f"{count} ", "dim")] if len(snapshot.stops) > 1 else [],
        )
        who.show([Part(f" {who_text(stop)}", "plain")])
        how.show(outcome_parts(stop, pulled))

    def action_next_stop(self) -> None:
        """The next of several."""
        self._place += 1
        self.show(self.dashboard.snapshot)

    def action_history(self) -> None:
        """Ask for the past stops."""
        self.run_worker(self._read_history(), exclusive=True, group="stops", exit_on_error=False)

    async def _read_history(self) -> None:
        try:
            stops = await self.dashboard.ask(lambda client: client.stop_history(5))
        except DSMILError as error:
            self.notify(inert(error.message), severity="error", markup=False)
            return
        self.post_message(StopsRead(stops))

    def on_stops_read(self, event: StopsRead) -> None:
        """Show the past stops below the table."""
        for number in range(5):
            line = self.part(Line, f"past-{number}")
            line.display = number < len(event.stops)
            if line.display:
                line.show([Part(f" {past_text(event.stops[number])}", "dim")])
        if not event.stops:
            self.notify("There was no emergency stop yet: those that were appear here.")

    def action_release(self) -> None:
        """Ask, and release."""
        stops = self.dashboard.snapshot.stops
        if stops:
            self.app.push_screen(ReleaseDialog(self.dashboard.context_name, [stop.stop_id for stop in stops]))
        else:
            self.notify("Nothing is stopped, so there is nothing to release.")

    def action_leave(self) -> None:
        """Back."""
        self.app.pop_screen()

    def places(self) -> Mapping[str, str]:
        """The stop on the screen."""
        return {"stop": self.part(ConfirmationTable).stop_id}


def who_text(stop: Stop) -> str:
    """Who, when and why."""
    return f"by {inert(stop.triggered_by)} at {rfc3339(stop.triggered_at)[:19]}Z: {inert(stop.reason)}"


def outcome_parts(stop: Stop, pulled: StopProgress | None) -> list[Part]:
    """How many confirmed, how many did not, and how long it took."""
    parts = [Part(f" {len(stop.confirmed)} confirmed", "good")]
    if stop.unconfirmed:
        parts.append(Part(f"  {len(stop.unconfirmed)} NOT confirmed: look after them", "bad"))
    if stop.latch_error:
        parts.append(Part(f"  the latch could not be written: {inert(stop.latch_error)}", "bad"))
    if pulled is not None and pulled.stop is not None and pulled.stop.stop_id == stop.stop_id:
        return [*parts, Part(f"   {times_text(pulled)}", "dim", whole=True)]
    return [*parts, Part(f"   latched after {stop.latched_ms:.0f} ms", "dim", whole=True)]


def past_text(stop: Stop) -> str:
    """A past stop in one line."""
    left = f", {len(stop.unconfirmed)} unconfirmed" if stop.unconfirmed else ""
    end = "still in force"
    if stop.released_at is not None:
        end = f"released by {inert(stop.released_by)} at {rfc3339(stop.released_at)[:19]}Z"
    return (
        f"{rfc3339(stop.triggered_at)[:19]}Z {inert(stop.scope)} by {inert(stop.triggered_by)}: "
        f"{len(stop.confirmed)} confirmed{left}; {end}"
    )
