"""AutoRecorder: begins and ends recordings from a program, and keeps token tests in them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dsmilctl.archive.extra import require_archive
from dsmilctl.archive.noting import NOTE
from dsmilctl.archive.tokens import Outcome, TokenTest, hex_id_of, parse_token
from dsmilctl.errors import Conflict, InvalidParameter, UsageError
from dsmilctl.recording.archived import Archived
from dsmilctl.recording.joined import Joined
from dsmilctl.recording.running import Running
from dsmilctl.recording.sources import Sources
from dsmilctl.recording.token_tests import TokenTests

LOGGER = logging.getLogger("dsmilctl.recording")
BEGUN, COMPLETED = "begin", "complete"
Callback = Callable[[str, TokenTest], Any]
"""Hears `begin` or `complete`, and the test."""


class AutoRecorder(Archived):
    """Records a context while a program goes on, with the program's token tests in it.

    `archive` is the folder of the archive, the user's own without one; `context` is what is recorded, the
    current one if it is empty; None records nothing but what the program tells.  `devices` is a selector,
    `registers` are those of each device (its default one without), `interval` is in seconds from one reading
    to the next.  `host_metrics` keeps load, memory, disk and temperatures of this machine, too, `kernel` what
    its kernel says; limits act as the settings say (`archive.limit_action`).  `label` is what the notes of
    each test begin with.  May be used from several threads.  Raises MissingExtraError without the extra
    `archive`.
    """

    def __init__(
        self,
        archive: str | Path | None = None,
        *,
        context: str | None = "",
        devices: str = "",
        registers: Sequence[str] = (),
        interval: float = 1.0,
        host_metrics: bool = False,
        kernel: bool = False,
    ) -> None:
        require_archive()
        super().__init__(archive)
        self.session_id = ""
        self.label = ""
        self._context = context
        self._sources = Sources(
            devices=devices, registers=tuple(registers), interval=interval, host_metrics=host_metrics,
            kernel=kernel,
        )  # fmt: skip
        self._callbacks: list[Callback] = []
        self._running: TokenTests | None = None

    def start_session(
        self,
        name: str,
        type: str = "custom",
        *,
        operator: str = "",
        notes: str = "",
        tags: Sequence[str] = (),
    ) -> str:
        """Begin a recording; its id.  Returns when the first readings of the context are there.

        `type` is single, group, range, comprehensive or custom.  Raises InvalidParameter for another, or an
        empty name, Conflict while something else records into the archive, and what the context raises.
        """
        if self._running is not None:
            raise Conflict("this recorder records already", hint="stop_session() ends that")
        facts = {"type": type, "operator": operator, "notes": notes, "tags": tuple(tags)}
        self._running = Running(self.places, self._context, self._sources, name, facts)
        self.session_id = self._running.recording_id
        return self.session_id

    def join_session(self) -> str:
        """Let the token tests of this program go into the recording that another process makes; its id.

        `stop_session` lets go of it again, and it goes on.  Raises NotFound where nothing is recorded.
        """
        if self._running is not None:
            raise Conflict("this recorder records already", hint="stop_session() ends that")
        self._running = Joined(self.places, self._context)
        self.session_id = self._running.recording_id
        return self.session_id

    def stop_session(self, status: str = "completed", notes: str = "") -> dict[str, Any]:
        """End the recording; its summary as `get_session_summary` tells it.

        `status` is completed, failed or aborted.  A recording whose context could not be followed to the end
        has failed, whatever is said here.  Raises UsageError where nothing is recorded.
        """
        running = self._require_recording()
        if status not in ("completed", "failed", "aborted"):
            raise InvalidParameter(f"no status {status!r}", hint="completed, failed or aborted")
        self._running = None
        running.end(status, notes)
        return self.get_session_summary(self.session_id)

    @property
    def recording(self) -> bool:
        """Whether something is recorded now."""
        return self._running is not None

    def note(self, text: str, *, type: str = NOTE) -> None:
        """Note something with the time now; it is one of the recording's events.  Raises UsageError."""
        self._require_recording().event(type, text)

    def record_token_operation(
        self,
        token_id: int | str,
        hex_id: str = "",
        access_method: str = "smbios-token-ctl",
        operation_type: str = "read",
        *,
        set_value: str | None = None,
        expected_value: str | None = None,
        initial_value: str | None = None,
        notes: str = "",
    ) -> int:
        """Begin the test of a token; the number under which it is completed.

        The value that is there and the temperatures are read from the context; an `initial_value` that is
        given is not read.  Raises InvalidParameter for no token, a `hex_id` of another one, or a method or
        operation that there is not, UsageError where nothing is recorded, StateUnavailable where the disk
        takes nothing.
        """
        running = self._require_recording()
        token = parse_token(token_id)
        if hex_id and parse_token(hex_id) != token:
            raise InvalidParameter(f"{hex_id} is not {hex_id_of(token)}", hint="leave it out", target=hex_id)
        test = TokenTest(
            recording_id=running.recording_id, token_id=token, started=0, access_method=access_method,
            operation_type=operation_type, initial_value=initial_value, set_value=set_value,
            expected_value=expected_value,
            notes="\n".join(filter(None, (self.label, notes))),
        )  # fmt: skip
        begun = running.begin_test(test)
        self._tell(BEGUN, begun)
        return begun.test_id

    def complete_token_operation(
        self,
        test_id: int,
        success: bool | None = None,
        final_value: str | None = None,
        *,
        expected_value: str | None = None,
        error_code: str | None = None,
        error_message: str | None = None,
        retry_count: int = 0,
        notes: str = "",
    ) -> TokenTest:
        """Say how a test ended; the whole test, its duration in milliseconds.

        Without `success` it is concluded from errors and the expected value; a `final_value` that is not
        given is read from the context.  Raises NotFound, Conflict for a test that has ended already, and
        UsageError where nothing is recorded.
        """
        outcome = Outcome(
            success=success, final_value=final_value, expected_value=expected_value, error_code=error_code,
            error_message=error_message, retry_count=retry_count, notes=notes,
        )  # fmt: skip
        done = self._require_recording().complete_test(test_id, outcome)
        self._tell(COMPLETED, done)
        return done

    def register_token_test_callback(self, callback: Callback) -> Callback:
        """Call `callback(phase, test)` from now on when a test begins (`begin`) or is completed (`complete`).

        It is called in the thread that begins or completes the test; what it raises is logged, and the test
        goes on.  Returns the callback, so that it may be used as a decorator.
        """
        self._callbacks.append(callback)
        return callback

    def _tell(self, phase: str, test: TokenTest) -> None:
        for callback in tuple(self._callbacks):
            try:
                callback(phase, test)
            except Exception:  # a hook of somebody else must not end a test
                LOGGER.exception("a callback failed at the %s of token test %d", phase, test.test_id)

    def _require_recording(self) -> TokenTests:
        if self._running is None:
            raise UsageError("nothing is recorded", hint="start_session(NAME) begins a recording")
        return self._running
