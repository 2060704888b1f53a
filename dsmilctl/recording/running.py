"""Running: one recording that goes on in this process: the client that is followed, and the archive."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from typing import Any

import msgspec

from dsmilctl import __version__
from dsmilctl.archive.places import Places
from dsmilctl.archive.recording import Recording, new_recording
from dsmilctl.archive.store import Store
from dsmilctl.clock import SYSTEM
from dsmilctl.config.settings import Archive, load_settings
from dsmilctl.errors import DSMILError, StateUnavailable
from dsmilctl.recording.sources import Sources
from dsmilctl.recording.token_tests import TokenTests


class Running(TokenTests):
    """One recording that goes on: the client that is followed, the archive and its writer."""

    def __init__(
        self,
        places: Places,
        context: str | None,
        sources: Sources,
        name: str,
        facts: dict[str, Any],
    ) -> None:
        settings = load_settings().archive
        made = new_recording(name, SYSTEM.now(), **facts)
        super().__init__(context)
        try:
            recording = self._signed(made)
            self.recording_id = recording.recording_id
            self._store = _store(places, settings).__enter__()
        except BaseException:
            self.close_background()
            raise
        self._writer = self._store.begin(recording)
        if self._background is not None:
            try:
                self._background.follow(sources, self._writer, recording.started)
            except BaseException as error:
                self.end("failed", str(error))
                raise

    def _signed(self, recording: Recording) -> Recording:
        """The recording with who made it, where and of what."""
        host, versions = os.uname().nodename, {"dsmilctl": __version__}
        recording = msgspec.structs.replace(recording, host=host, versions=versions)
        if self._background is None:
            return recording
        client = self._background.client
        operator = recording.operator or client.identity.user
        return msgspec.structs.replace(recording, operator=operator, context=client.context.name)

    def end(self, status: str, notes: str) -> None:
        """End the recording and let go of everything; what ended the following of the context is noted."""
        self.close_background()
        problem = self._background.problem if self._background is not None else ""
        if problem:
            status, notes = "failed", "\n".join(filter(None, (notes, problem)))
        try:
            self._store.end(self._writer, status, notes)
        finally:
            self._store.__exit__(None, None, None)

    def work(self, function: Callable[[sqlite3.Connection], Any]) -> None:
        """Let the writer carry a function out; what it raises is raised here, and nothing of it is kept."""
        raised: list[Exception] = []

        def put(connection: sqlite3.Connection) -> None:
            connection.execute("SAVEPOINT test")
            try:
                function(connection)
            except (DSMILError, sqlite3.IntegrityError) as error:
                connection.execute("ROLLBACK TO test")
                raised.append(error)
            connection.execute("RELEASE test")

        try:
            self._writer.work(put).result()
        except OSError as error:
            raise StateUnavailable(f"the archive takes nothing: {error}", hint="look at the disk") from error
        if raised:
            raise raised[0]


def _store(places: Places, settings: Archive) -> Store:
    return Store(
        places, interval=settings.commit_interval, least=settings.segment_readings,
        waiting=settings.waiting_readings, window=settings.correlation_window,
    )  # fmt: skip
