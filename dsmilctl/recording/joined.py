"""Joined: the recording that another process makes, with the token tests of this one in it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from dsmilctl.archive.inscribing import inscribing
from dsmilctl.archive.places import Places
from dsmilctl.errors import NotFound
from dsmilctl.recording.token_tests import TokenTests


class Joined(TokenTests):
    """The recording that runs in an archive; raises NotFound where none does."""

    def __init__(self, places: Places, context: str | None) -> None:
        self._places = places
        self.recording_id = _running(places)
        super().__init__(context)

    def work(self, function: Callable[[sqlite3.Connection], Any]) -> None:
        """Change the archive beside its recorder; also after that has ended."""
        with inscribing(self._places) as inscription:
            function(inscription.connection)

    def end(self, status: str, notes: str) -> None:
        """Let go of it; the recording goes on."""
        del status, notes  # whoever makes the recording says how it ended
        self.close_background()


def _running(places: Places) -> str:
    missing = NotFound(
        "nothing is recorded that could be joined", hint="start_session(NAME) begins a recording"
    )
    if not places.exists:
        raise missing
    with inscribing(places) as inscription:
        if not inscription.running:
            raise missing
        return inscription.running
