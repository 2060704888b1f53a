"""Terminal: the driver that reads keys and writes the screen; it sees the stop key before the app does."""

from __future__ import annotations

import logging
import os
import signal
from typing import TYPE_CHECKING, Any

from textual import events
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from dsmilctl.tui.plain import plain, terminal_is_plain

if TYPE_CHECKING:
    from dsmilctl.tui.app import DashboardApp

LOGGER = logging.getLogger("dsmilctl.tui")
STOP_KEY = "ctrl+x"


class Terminal(LinuxDriver):
    """Textual's driver with three more duties.

    The input thread pulls the stop itself, so that a busy event loop does not hold it up; every byte written
    is counted; and a terminal without UTF-8 gets ASCII.
    """

    def __init__(self, app: DashboardApp, **options: Any) -> None:
        super().__init__(app, **options)
        self._dashboard = app
        self._plain = terminal_is_plain()
        self.written = 0

    def process_message(self, message: Message) -> None:
        """Called in the input thread for every key, before the app hears of it."""
        if isinstance(message, events.Key) and message.key == STOP_KEY:
            self._dashboard.pull_stop()
            return
        super().process_message(message)

    def _sigcont_application(self, *_: Any) -> None:
        """Take the terminal again after ctrl+z; after SIGSTOP it is still ours and only has to be painted."""
        if self._must_signal_resume:
            super()._sigcont_application()
        else:
            self._dashboard.paint_again()

    def _get_terminal_size(self) -> tuple[int, int]:
        """The size of the terminal itself: COLUMNS and LINES in the environment do not follow a resize."""
        try:
            width, height = os.get_terminal_size(self.fileno)
        except OSError:
            width = height = 0
        return (width, height) if width and height else super()._get_terminal_size()

    def run_input_thread(self) -> None:
        """Read keys until the end; a terminal that hung up ends the dashboard as SIGHUP does."""
        try:
            super().run_input_thread()
        except OSError as error:
            LOGGER.warning("the terminal went away: %s", error)
            self._dashboard.leave(128 + signal.SIGHUP)

    def write(self, data: str) -> None:
        """Write to the terminal; one that has gone away is not waited for."""
        if self._writer_thread is None or not self._writer_thread.is_alive():
            return
        if self._plain:
            data = plain(data)
        self.written += len(data) if data.isascii() else len(data.encode("utf-8", "replace"))
        super().write(data)
