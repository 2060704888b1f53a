"""Overdue: tells the recording that runs when backups have begun to fail or to stay away."""

from __future__ import annotations

from pathlib import Path

from dsmilctl.archive.backup.attempts import last_attempt
from dsmilctl.model.event import Event, Severity

TOLD = ("stale",)
"""States that become an event here; a backup that fails tells of itself."""


class BackupWatch:
    """What is known of the backups; each change for the worse is told once."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._state = ""

    def look(self, now: int) -> Event | None:
        """The event of a backup that is overdue since the last look (now: ns UTC)."""
        before = self._state
        self._state, message = last_attempt(self._file).state(now)
        if self._state == before or self._state not in TOLD:
            return None
        return Event(f"backup.{self._state}", message, now, Severity.WARNING)
