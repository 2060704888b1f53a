"""Log fallback: what is urgent, told as a warning by a command that keeps no log."""

from __future__ import annotations

import logging

from dsmilctl import diagnostics


class LogFallback(logging.Handler):
    """Stands where logging would write bare messages to stderr because nobody has configured it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        """Tell the record as a warning, without secrets."""
        from dsmilctl.log import message_of

        diagnostics.warn(message_of(record))


def install() -> None:
    """Make this the handler of last resort."""
    logging.lastResort = LogFallback()
