"""Held log: what is logged to the terminal while the dashboard has it is written when the screen is back."""

from __future__ import annotations

import logging
from collections import deque
from typing import Any

KEPT = 1000
"""Records that are held; older ones make room."""


class Held(logging.Handler):
    """Stands in for a handler that writes to the terminal."""

    def __init__(self, handler: logging.StreamHandler[Any]) -> None:
        super().__init__(handler.level)
        self.filters = list(handler.filters)
        self.handler = handler
        self.records: deque[logging.LogRecord] = deque(maxlen=KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record."""
        self.records.append(record)


class HeldLog:
    """While this is entered no log line is written onto the screen."""

    def __init__(self) -> None:
        self._held: list[Held] = []

    def __enter__(self) -> HeldLog:
        root = logging.getLogger()
        for handler in list(root.handlers):
            if isinstance(handler, logging.StreamHandler) and handler.stream.isatty():
                self._held.append(Held(handler))
                root.removeHandler(handler)
                root.addHandler(self._held[-1])
        return self

    def __exit__(self, *_: object) -> None:
        root = logging.getLogger()
        for held in self._held:
            root.removeHandler(held)
            root.addHandler(held.handler)
            for record in held.records:
                held.handler.emit(record)
        self._held.clear()
