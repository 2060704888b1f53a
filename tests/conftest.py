"""Options of the tests, and signals as a shell at a terminal would have them."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests import leftovers

for _number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    # A background job or nohup ignores them, and every program started from here would, too.
    # What is handled here is the default again in a new program.  Source: execve(2).
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, lambda *_: None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden", action="store_true", help="write the transcripts of the commands anew")


@pytest.fixture(autouse=True)
def nothing_goes_on() -> Iterator[None]:
    """However a test ends, no recorder or other command that it started outlives it."""
    before = len(leftovers.HOMES)
    yield
    leftovers.end_all(leftovers.HOMES[before:])
