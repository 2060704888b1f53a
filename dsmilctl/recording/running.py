"""Running: one recording that goes on in this process: the client that is followed, and the archive."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from dsmilctl import __version__
from dsmilctl.archive.places import Places
from dsmilctl.archive.probing import Probe, keep_temperatures, probe
from dsmilctl.archive.recorder import Recorder
from dsmilctl.archive.recording import Recording, new_recording
from dsmilctl.archive.store import Store
from dsmilctl.archive.tokens import Outcome, TokenTest, begin, complete, find_test
from dsmilctl.clock import SYSTEM
from dsmilctl.config.settings import Archive, load_settings
from dsmilctl.errors import DSMILError
from dsmilctl.recording.background import Background


class Running:
    """One recording that goes on: the client that is followed, the archive and its writer."""

    def __init__(
        self,
        places: Places,
        context: str | None,
        chosen: tuple[str, tuple[str, ...], float],
        name: str,
        facts: dict[str, Any],
    ) -> None:
        settings = load_settings().archive
        made = new_recording(name, SYSTEM.now(), **facts)
        self._background = None if context is None else Background(_maker(context))
        self._began: dict[int, float] = {}
        try:
            recording = self._signed(made)
            self.recording_id = recording.recording_id
            self._store = _store(places, settings).__enter__()
        except BaseException:
            self._close_background()
            raise
        self._writer = self._store.begin(recording)
        self._follow(recording, settings, chosen)

    def _signed(self, recording: Recording) -> Recording:
        """The recording with who made it, where and of what."""
        host, versions = os.uname().nodename, {"dsmilctl": __version__}
        recording = msgspec.structs.replace(recording, host=host, versions=versions)
        if self._background is None:
            return recording
        client = self._background.client
        operator = recording.operator or client.identity.user
        return msgspec.structs.replace(recording, operator=operator, context=client.context.name)

    def _follow(
        self, recording: Recording, settings: Archive, chosen: tuple[str, tuple[str, ...], float]
    ) -> None:
        if self._background is None:
            return
        recorder = Recorder(
            self._background.client, self._writer, recording.started,
            journal_interval=settings.journal_interval, response_interval=settings.response_interval,
        )  # fmt: skip
        try:
            self._background.follow(recorder, *chosen)
        except BaseException as error:
            self.end("failed", str(error))
            raise

    def begin_test(self, test: TokenTest) -> TokenTest:
        """Read what is there, and put the test into the archive; the test with its number."""
        found = self._probe(test.token_id)
        now = SYSTEM.now()
        value = found.value if test.initial_value is None else test.initial_value
        test = msgspec.structs.replace(test, started=now, initial_value=value)
        numbers: list[int] = []

        def put(connection: sqlite3.Connection) -> None:
            numbers.append(begin(connection, test, now))
            keep_temperatures(connection, found, self.recording_id, numbers[-1], before=now)

        self._work(put)
        self._began[numbers[-1]] = SYSTEM.monotonic()
        return msgspec.structs.replace(test, test_id=numbers[-1])

    def complete_test(self, test_id: int, outcome: Outcome) -> TokenTest:
        """Read what is there now, and put it and the outcome into the archive; the whole test."""
        began = self._began.pop(test_id, None)
        elapsed = None if began is None else (SYSTEM.monotonic() - began) * 1000
        told: list[TokenTest] = []
        self._work(lambda connection: told.append(find_test(connection, test_id)))
        found = self._probe(told[0].token_id)
        value = found.value if outcome.final_value is None else outcome.final_value
        outcome = msgspec.structs.replace(outcome, final_value=value, duration_ms=elapsed)

        def put(connection: sqlite3.Connection) -> None:
            keep_temperatures(connection, found, self.recording_id, test_id)
            told.append(complete(connection, test_id, outcome, SYSTEM.now()))

        self._work(put)
        return told[-1]

    def end(self, status: str, notes: str) -> None:
        """End the recording and let go of everything; what ended the following of the context is noted."""
        self._close_background()
        problem = self._background.problem if self._background is not None else ""
        if problem:
            status, notes = "failed", "\n".join(filter(None, (notes, problem)))
        try:
            self._store.end(self._writer, status, notes)
        finally:
            self._store.__exit__(None, None, None)

    def _close_background(self) -> None:
        if self._background is not None:
            self._background.close()

    def _probe(self, token_id: int) -> Probe:
        if self._background is None:
            return Probe()
        return self._background.call(probe(self._background.client, token_id))

    def _work(self, function: Callable[[sqlite3.Connection], Any]) -> None:
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

        self._writer.work(put).result()
        if raised:
            raise raised[0]


def _store(places: Places, settings: Archive) -> Store:
    return Store(
        places, interval=settings.commit_interval, least=settings.segment_readings,
        waiting=settings.waiting_readings, window=settings.correlation_window,
    )  # fmt: skip


def _maker(context: str) -> Callable[[], Any]:
    from dsmilctl.client.connecting import connect

    return partial(connect, context)
