"""Evidence: what the guard asks, decides and does, written into the journal in the name of one person."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dsmilctl.clock import SYSTEM, Clock
from dsmilctl.errors import StateUnavailable
from dsmilctl.guard.journal import Entry, Journal, Request
from dsmilctl.model.event import Event, Severity
from dsmilctl.model.identity import Identity

LOGGER = logging.getLogger("dsmilctl.guard")


def unheard(event: Event) -> None:
    """Announce to nobody."""
    del event


class Evidence:
    """Writes for one identity in one context.

    A journal that cannot be written is announced once as an event, and once more when it works again.
    """

    def __init__(
        self,
        journal: Journal,
        identity: Identity,
        context: str,
        *,
        clock: Clock = SYSTEM,
        announce: Callable[[Event], None] = unheard,
    ) -> None:
        self.journal = journal
        self.identity = identity
        self.context = context
        self._clock = clock
        self._announce = announce
        self._missing = False
        self._process = ""

    def entry(
        self,
        action: str,
        target: str,
        outcome: str,
        parameters: dict[str, Any],
        *,
        decision: str = "ALLOWED",
        operation_id: str = "",
    ) -> Entry:
        """An entry; parameters that say nothing are left out.  An intent says which process has it."""
        said = {name: value for name, value in parameters.items() if value not in (None, "", {})}
        if outcome == "INTENT":
            self._process = self._process or process_name(os.getpid())
            said["process"] = self._process
        return Entry(
            user=self.identity.user,
            host=self.identity.host,
            context=self.context,
            action=action,
            target=target,
            parameters=said,
            decision=decision,
            outcome=outcome,
            operation_id=operation_id,
        )

    async def record(self, entries: Sequence[Entry]) -> None:
        """Return when the entries are on the medium; raises StateUnavailable, and then none of them is.

        They stand behind the entries of whoever called this before, however long that takes.
        """
        if entries:
            await self.written(self.queue(entries))

    def queue(self, entries: Sequence[Entry], behind: Request | None = None) -> Request:
        """Have entries written by whoever writes next; those `behind` others only where these were.

        Nothing takes them back: also those whose caller is cancelled stand in the journal.
        """
        return self.journal.queue(entries, behind)

    async def written(self, request: Request) -> None:
        """Return when what was queued is on the medium; raises StateUnavailable, and then none of it is."""
        try:
            await asyncio.to_thread(self.journal.commit, request)
        except StateUnavailable as error:
            self._alarm(error)
            raise
        self._all_clear()

    async def record_if_possible(self, entries: Sequence[Entry], behind: Request | None = None) -> None:
        """Record what is over already: where that fails it is said, and nothing is held up.

        Nothing is recorded `behind` what could not be written.
        """
        if not entries or (behind is not None and behind.error is not None):
            return
        try:
            await self.written(self.queue(entries, behind))
        except StateUnavailable as error:
            LOGGER.error("the journal missed %s of %s: %s", entries[0].action, entries[0].target, error)

    async def check(self) -> None:
        """Raise StateUnavailable if nothing could be recorded now."""
        try:
            await asyncio.to_thread(self.journal.check_writable)
        except StateUnavailable as error:
            self._alarm(error)
            raise

    def _alarm(self, error: StateUnavailable) -> None:
        if not self._missing:
            self._missing = True
            message = f"changes are refused: {error.message}"
            self._announce(Event("guard.journal", message, self._clock.now(), Severity.CRITICAL))

    def _all_clear(self) -> None:
        if self._missing:
            self._missing = False
            self._announce(Event("guard.journal", "the journal can be written again", self._clock.now()))


def process_name(process: int) -> str:
    """A process as nobody else will ever be called on this machine: its id and when it began.

    The second part, in clock ticks since the machine began, is empty where the system does not tell.
    Source: proc_pid_stat(5), fields 3 and 22.
    """
    try:
        fields = Path(f"/proc/{process}/stat").read_bytes().rpartition(b") ")[2].split()
    except OSError:
        return f"{process}-"
    return f"{process}-{fields[19].decode()}" if fields[0] not in (b"Z", b"X") else f"{process}-ended"


def is_alive(name: object) -> bool:
    """Whether the process that `process_name` named is still there."""
    number, _, began = str(name).partition("-")
    if not number.isdecimal():
        return False
    try:
        os.kill(int(number), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # it is there, and somebody else's
    return not began or process_name(int(number)) in (name, f"{number}-")
