"""A log on a stream with a clock that stands still, for the tests of the log."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def now(self) -> int:
        return int(self.seconds * 1_000_000_000)

    def monotonic(self) -> float:
        return self.seconds


Start = Callable[..., io.StringIO]


def part(name: str) -> logging.Logger:
    return logging.getLogger(f"dsmilctl.{name}")


def messages(stream: io.StringIO) -> list[str]:
    """The lines without time and level."""
    return [line.split(" ", 1)[1].split(maxsplit=1)[1] for line in stream.getvalue().splitlines()]
