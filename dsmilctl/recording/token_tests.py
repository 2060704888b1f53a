"""Token tests: how a program's tests get into a recording, whoever makes it."""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from dsmilctl.archive.probing import Probe, keep_temperatures, probe
from dsmilctl.archive.rows import event_row, insert_of
from dsmilctl.archive.tokens import Outcome, TokenTest, begin, complete, find_test
from dsmilctl.clock import SYSTEM
from dsmilctl.model.event import Event
from dsmilctl.recording.background import Background


class TokenTests(ABC):
    """A recording that goes on, with a client that is asked for values; `context` None asks nobody."""

    recording_id: str

    def __init__(self, context: str | None) -> None:
        self._background = None if context is None else Background(_maker(context))
        self._began: dict[int, float] = {}

    @abstractmethod
    def work(self, function: Callable[[sqlite3.Connection], Any]) -> None:
        """Let a function change the archive in one transaction; what it raises is raised, nothing kept."""

    @abstractmethod
    def end(self, status: str, notes: str) -> None:
        """Let go of the recording and of everything that was opened for it."""

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

        self.work(put)
        self._began[numbers[-1]] = SYSTEM.monotonic()
        return msgspec.structs.replace(test, test_id=numbers[-1])

    def complete_test(self, test_id: int, outcome: Outcome) -> TokenTest:
        """Read what is there now, and put it and the outcome into the archive; the whole test."""
        began = self._began.pop(test_id, None)
        elapsed = None if began is None else (SYSTEM.monotonic() - began) * 1000
        told: list[TokenTest] = []
        self.work(lambda connection: told.append(find_test(connection, test_id)))
        found = self._probe(told[0].token_id)
        value = found.value if outcome.final_value is None else outcome.final_value
        outcome = msgspec.structs.replace(outcome, final_value=value, duration_ms=elapsed)

        def put(connection: sqlite3.Connection) -> None:
            keep_temperatures(connection, found, self.recording_id, test_id)
            told.append(complete(connection, test_id, outcome, SYSTEM.now()))

        self.work(put)
        return told[-1]

    def event(self, kind: str, message: str) -> None:
        """Put an event with the time now into the recording."""
        row = event_row(self.recording_id, Event(kind, message, SYSTEM.now()))
        self.work(lambda connection: connection.execute(insert_of("events"), row))

    def close_background(self) -> None:
        """Close the client, and end what follows it."""
        if self._background is not None:
            self._background.close()

    def _probe(self, token_id: int) -> Probe:
        if self._background is None:
            return Probe()
        return self._background.call(probe(self._background.client, token_id))


def _maker(context: str) -> Callable[[], Any]:
    from dsmilctl.client.connecting import connect

    return partial(connect, context)
