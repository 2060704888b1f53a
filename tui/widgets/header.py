"""Header: where we are, whether it lives, what there is, the time in UTC and what we cost."""

from __future__ import annotations

import math

from dsmilctl.clock import rfc3339
from dsmilctl.tui.inert import inert
from dsmilctl.tui.link import LinkState
from dsmilctl.tui.snapshot import Snapshot
from dsmilctl.tui.units import age_text, rate_text
from dsmilctl.tui.widgets.line import Line, Part


class Header(Line):
    """The first line of every screen."""

    def watch_snapshot(self, snapshot: Snapshot) -> None:
        """Show a snapshot."""
        width = self.app.size.width
        left = [Part(" dsmilctl ", "strong"), Part("▸ ", "dim"), Part(inert(snapshot.context), "strong")]
        if snapshot.user and width >= 80:
            left.append(Part(f" as {inert(snapshot.user)}", "dim", "app.sessions"))
        left += [Part("   "), guard_part(snapshot)]
        right = [link_part(snapshot), *count_parts(snapshot, width), *clock_parts(snapshot, width)]
        if width < 60:
            left = [Part(" "), Part(inert(snapshot.context), "strong"), Part("  "), guard_part(snapshot)]
        if width < 34 and not (snapshot.read_only or snapshot.armed_for):
            left.pop()
        self.show(left, right)


def guard_part(snapshot: Snapshot) -> Part:
    """Read-only, armed for how long yet, or safe."""
    if snapshot.read_only:
        return Part("read-only", "accent")
    if snapshot.armed_for:
        return Part(f" ARMED {math.ceil(snapshot.armed_for)} s ", "armed", "app.disarm")
    return Part("writes off", "dim", "app.arm")


def link_part(snapshot: Snapshot) -> Part:
    """Whether what is shown is what is."""
    if snapshot.link is LinkState.LOST:
        return Part(f"✕ lost, again in {math.ceil(snapshot.retry_in)} s", "bad", "app.reconnect")
    if snapshot.link is LinkState.LOGIN:
        return Part("✕ not logged in", "bad", "app.log_in")
    if snapshot.link is LinkState.CONNECTING:
        return Part("◐ opening", "warn")
    if snapshot.silent_for:
        return Part(f"◌ stale, last good {age_text(snapshot.silent_for)} ago", "warn")
    return Part("● live", "good")


def count_parts(snapshot: Snapshot, width: int) -> list[Part]:
    """Devices, and how many are well."""
    if width < 60 or not snapshot.devices:
        return []
    parts = [Part(f"  {snapshot.devices} devices", "plain")] if width >= 90 else []
    parts.append(Part(f"  {snapshot.good} ok", "plain"))
    for count, word, ink in (
        (snapshot.stale, "stale", "warn"),
        (snapshot.alarms, "alarms" if snapshot.alarms != 1 else "alarm", "warn"),
        (snapshot.missed, "missed", "warn"),
    ):
        if count:
            parts.append(Part(f"  {count} {word}", ink))
    return parts


def clock_parts(snapshot: Snapshot, width: int) -> list[Part]:
    """The time in UTC and our own bytes per second."""
    if width < 80 or not snapshot.now:
        return [Part(" ")]
    parts = [Part(f"   {rfc3339(snapshot.now)[11:19]}Z", "dim")]
    if width >= 100:
        parts.append(Part(f"{rate_text(snapshot.bytes_per_second):>11}", "dim"))
    return [*parts, Part(" ")]
