"""Options of the tests, and signals as a shell at a terminal would have them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tests import leftovers

for _number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    # A background job or nohup ignores them, and every program started from here would, too.
    # What is handled here is the default again in a new program.  Source: execve(2).
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, lambda *_: None)

if "PYTEST_XDIST_WORKER" in os.environ and (noting := os.environ.pop("LINES_OF_PROCESSES", "")):
    # coverage.py measures this process; those that it starts note their lines themselves (.ci/lines.py).
    os.environ.pop("COVERAGE_PROCESS_CONFIG", None)
    os.environ["COVERAGE_LINES"] = noting


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden", action="store_true", help="write the transcripts of the commands anew")


@pytest.fixture(autouse=True)
def nothing_goes_on() -> Iterator[None]:
    """However a test ends, no recorder or other command that it started outlives it."""
    before = len(leftovers.HOMES)
    yield
    leftovers.end_all(leftovers.HOMES[before:])
