"""Fixtures of several unit tests: a log on a stream, with a clock that stands still."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dsmilctl import redaction
from dsmilctl.log import Log, configure
from tests.fixtures import home, watchdog
from tests.unit.logs import Clock

__all__ = ["home", "watchdog"]


@pytest.fixture
def log_clock() -> Clock:
    return Clock()


@pytest.fixture
def started(log_clock: Clock) -> Iterator[Callable[..., io.StringIO]]:
    """Starts a log and gives the stream that it writes to; everything is as before afterwards."""
    logs: list[Log] = []

    def start(**options: Any) -> io.StringIO:
        logging.getLogger().handlers.clear()  # pytest's own fail on what must not make ours fail
        stream = io.StringIO()
        logs.append(configure(stream=stream, clock=log_clock, **options))
        return stream

    yield start
    for log in logs:
        log.close()
    redaction.forget()
