"""Run: starts the dashboard in a terminal, and leaves the terminal as it was, whatever ends it."""

from __future__ import annotations

import logging
import os
import signal
import sys
import termios
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any

from dsmilctl.client.interface import Client
from dsmilctl.errors import DSMILError, UsageError
from dsmilctl.tui.held_log import HeldLog

if TYPE_CHECKING:
    from dsmilctl.tui.app import DashboardApp

LOGGER = logging.getLogger("dsmilctl.tui")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE = 3.0
"""Seconds that a signal leaves to an orderly end; then the terminal is restored and the process ends."""

SWITCH = 0.002
"""Seconds after which a busy thread lets the others go on: a key waits for no more than that."""

STOP_PATIENCE = 5.0
"""Seconds that the end waits for an emergency stop that is under way."""

PLAIN_SCREEN = (
    "\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1004l\x1b[?2004l"
    "\x1b[?7h\x1b[<u\x1b[?1049l\x1b[?25h\x1b[0m"
)
"""No mouse, no focus events, no bracketed paste, line wrap, plain keys, the first screen, a cursor."""


def run_dashboard(
    context_name: str,
    read_only: bool,
    low_bandwidth: bool,
    open_client: Callable[[str], Client],
    contexts: Sequence[str] = (),
) -> int:
    """Run the dashboard until somebody leaves it; the exit status of the command.

    130, 143 and 129 after SIGINT, SIGTERM and SIGHUP.  Raises UsageError without a usable terminal, and
    DSMILError when the dashboard itself fails.
    """
    check_terminal(context_name)
    from dsmilctl.config.settings import load_settings
    from dsmilctl.tui.app import DashboardApp

    sys.setswitchinterval(SWITCH)
    settings = load_settings()
    app = DashboardApp(
        open_client,
        context_name,
        contexts=contexts,
        read_only=read_only,
        low_bandwidth=low_bandwidth,
        refresh=settings.refresh,
        theme=settings.theme,
        arm_seconds=settings.arm_seconds,
    )
    with HeldLog(), Leaving(app):
        status = app.run()
        app.stopper.close(STOP_PATIENCE)
    if app.failure is not None:
        message = f"the dashboard failed: {type(app.failure).__name__}: {app.failure}"
        raise DSMILError(message, hint="run it again with --debug for the traceback") from app.failure
    return status or 0


def check_terminal(context_name: str) -> None:
    """Raise UsageError unless there is a terminal that a dashboard can be drawn on."""
    hint = f"dsmilctl -C {context_name} device read @all --watch shows the same line by line"
    for name, stream in (("input", sys.stdin), ("output", sys.stdout), ("error output", sys.stderr)):
        if not stream.isatty():
            raise UsageError(f"the dashboard needs a terminal, and standard {name} is none", hint=hint)
    if os.environ.get("TERM", "") in ("", "dumb"):
        raise UsageError("the dashboard needs a terminal that can move the cursor (TERM is dumb)", hint=hint)


class Leaving:
    """Turns signals into an orderly end, and into a disorderly one when the first takes too long."""

    def __init__(self, app: DashboardApp) -> None:
        self._app = app
        self._before: dict[int, Any] = {}
        self._modes: list[Any] = []
        self._timer: threading.Timer | None = None

    def __enter__(self) -> Leaving:
        self._modes = termios.tcgetattr(sys.stdin.fileno())
        for number in SIGNALS:
            self._before[number] = signal.signal(number, self._leave)
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _leave(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self._timer is None:
            self._timer = threading.Timer(PATIENCE, self._end_now, [128 + number])
            self._timer.daemon = True
            self._timer.start()
        self._app.leave(128 + number)

    def _end_now(self, status: int) -> None:
        LOGGER.warning("the dashboard did not end within %g s of the signal", PATIENCE)
        self._app.stopper.close(STOP_PATIENCE)
        try:
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, self._modes)
            os.write(2, PLAIN_SCREEN.encode())
        except (OSError, termios.error):
            pass  # the terminal went away
        os._exit(status)
