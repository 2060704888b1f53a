"""Log file: private, rotated at 10 MB with five old ones kept; a full disk never fails the program."""

from __future__ import annotations

import io
import logging
import os
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TextIO

from dsmilctl.errors import ConfigError

LARGEST = 10_000_000
"""Bytes of one log file."""

KEPT = 5
"""How many full files are kept beside the one being written."""


class LogFile(RotatingFileHandler):
    """A rotating file of mode 0600.  The first record that is lost is told on `fallback`."""

    def __init__(self, path: Path, fallback: TextIO | None) -> None:
        self._fallback = fallback
        self.lost = 0
        super().__init__(
            path, maxBytes=LARGEST, backupCount=KEPT, encoding="utf-8", errors="backslashreplace"
        )

    def _open(self) -> io.TextIOWrapper:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
        descriptor = os.open(self.baseFilename, flags, 0o600)
        return os.fdopen(descriptor, "a", encoding=self.encoding, errors=self.errors)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; once one is written again, the next loss is worth telling again."""
        lost = self.lost
        super().emit(record)
        if lost and lost == self.lost:
            self.lost = 0

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Count a record that could not be written, say so once, and open the file anew for the next."""
        self.lost += 1
        self._abandon()
        if self.lost == 1 and self._fallback is not None:
            try:
                self._fallback.write(
                    f"dsmilctl: warning: the log file {self.baseFilename} cannot be written\n"
                )
            except (OSError, ValueError):
                return  # nobody is left to be told

    def close(self) -> None:
        """Close the file; what a full disk did not take is lost by now."""
        try:
            super().close()
        except OSError:
            self._abandon()

    def _abandon(self) -> None:
        """Let go of a stream that failed, with what it could not write: it must not pile up."""
        stream, self.stream = self.stream, None
        with suppress(OSError, ValueError):  # it failed before
            if stream is not None:
                stream.close()


def open_log_file(path: Path, fallback: TextIO | None = None) -> LogFile:
    """Open a log file, and make the folder that it is in; raises ConfigError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return LogFile(path, fallback)
    except OSError as error:
        message = f"the log file {path} cannot be opened: {error.strerror}"
        raise ConfigError(message, hint="--log-file names another one", target=str(path)) from error
