"""Banner: the line above the footer that says what matters most now."""

from __future__ import annotations

from dsmilctl.tui.inert import inert
from dsmilctl.tui.link import LinkState
from dsmilctl.tui.snapshot import Snapshot
from dsmilctl.tui.stop import Phase, StopProgress
from dsmilctl.tui.units import age_text
from dsmilctl.tui.widgets.line import Line, Part

ROOMY = 16
"""Rows of a screen on which the line is there although it is empty, so that nothing moves when it is not."""


class Banner(Line):
    """An emergency stop before a lost link before lost readings before nothing."""

    def watch_snapshot(self, snapshot: Snapshot) -> None:
        """Show a snapshot; a low screen has no line for saying nothing."""
        left, right = banner_parts(snapshot)
        self.display = bool(left) or self.app.size.height >= ROOMY
        self.show(left, right)


def banner_parts(snapshot: Snapshot) -> tuple[list[Part], list[Part]]:
    """The line in parts: left, right."""
    pulled = snapshot.stop
    if pulled is not None and pulled.phase is not Phase.ENDED:
        failed = pulled.phase is Phase.BROKEN and snapshot.stops
        others = [Part(f" · in force all the same: {stops_text(snapshot)}", "bad")] if failed else []
        return [Part(f" ■ {progress_text(pulled)}", "bad"), *others], []
    if snapshot.stops:
        return [Part(f" ■ {stops_text(snapshot)}", "bad"), *times_parts(snapshot)], [
            Part("E", "key", "app.emergency"),
            Part(" show ", "dim"),
        ]
    if trouble := link_parts(snapshot):
        return trouble
    if snapshot.missed:
        text = f" {snapshot.missed} readings in {snapshot.gaps} gaps did not reach this screen"
        return [Part(text, "dim")], []
    return [], []


def link_parts(snapshot: Snapshot) -> tuple[list[Part], list[Part]] | None:
    """What is wrong with the conversation, and the key that mends it; None where nothing is."""
    if snapshot.link is LinkState.LOGIN:
        return [Part(f" ✕ NOT LOGGED IN: {inert(snapshot.problem)}", "bad")], [
            Part("L", "key", "app.log_in"),
            Part(" log in ", "dim"),
        ]
    if snapshot.target and snapshot.link is LinkState.LIVE and snapshot.silent_for:
        age = age_text(snapshot.silent_for)
        return [Part(f" ◌ SERVER SILENT: nothing was heard for {age}, values are that old", "warn")], []
    if snapshot.link is LinkState.LIVE or not snapshot.problem:
        return None
    old = f", values are {age_text(snapshot.silent_for)} old" if snapshot.silent_for else ""
    what = f"SERVER LOST{old}: " if snapshot.target else ""
    return [Part(f" ✕ {what}{inert(snapshot.problem)}", "bad")], [
        Part("ctrl+r", "key", "app.reconnect"),
        Part(" try now ", "dim"),
    ]


def stops_text(snapshot: Snapshot) -> str:
    """What is stopped, by whom, and how many did not confirm it."""
    newest = snapshot.stops[-1]
    what = "everything is" if not newest.devices else f"{inert(newest.scope)} is"
    more = f" and {len(snapshot.stops) - 1} more" if len(snapshot.stops) > 1 else ""
    text = f"EMERGENCY STOP: {what}{more} stopped by {inert(newest.triggered_by)}"
    left = len(newest.unconfirmed)
    text += f", {left} unconfirmed" if left else ", all confirmed"
    return text


def times_parts(snapshot: Snapshot) -> list[Part]:
    """How long the newest stop took, if it was pulled here."""
    pulled, newest = snapshot.stop, snapshot.stops[-1]
    if pulled is None or pulled.stop is None or pulled.stop.stop_id != newest.stop_id:
        return []
    return [Part(f" · {times_text(pulled)}", "bad", whole=True)]


def progress_text(progress: StopProgress) -> str:
    """A stop that has not ended."""
    if progress.phase is Phase.BROKEN:
        if progress.error.startswith("NOTHING "):
            return inert(progress.error)
        return f"THE STOP FAILED: {inert(progress.error)}: run dsmilctl emergency stop in another shell"
    if progress.latched_ms is None:
        return "EMERGENCY STOP: latching …"
    return (
        f"EMERGENCY STOP: latched after {progress.latched_ms:.0f} ms, {progress.confirmed} confirmed, "
        f"{progress.unconfirmed} unconfirmed …"
    )


def end_text(progress: StopProgress) -> str:
    """How a stop ended, with the name of its context: for a screen that shows another one."""
    if progress.phase is Phase.BROKEN:
        return f"{inert(progress.context)}: {progress_text(progress)}"
    left = f", {progress.unconfirmed} NOT confirmed: look after them" if progress.unconfirmed else ""
    return f"{inert(progress.context)}: EMERGENCY STOP: {progress.confirmed} confirmed{left}"


def times_text(progress: StopProgress) -> str:
    """How long it took from the key."""
    latched = f"latched {progress.latched_ms or 0:.0f} ms after the key"
    return latched if progress.ended_ms is None else f"{latched}, over after {progress.ended_ms:.0f} ms"
