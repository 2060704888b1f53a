"""Options of the tests, their coverage, and signals as a shell at a terminal would have them."""

from __future__ import annotations

import os
import signal

import pytest

if os.environ.get("COVERED_PROCESSES") == "_exit" and "PYTEST_XDIST_WORKER" in os.environ:
    # The processes that share the tests are covered, and what they start is not: see .ci/test.
    import coverage

    os.environ["COVERAGE_PROCESS_START"] = "pyproject.toml"
    coverage.process_startup()
    del os.environ["COVERAGE_PROCESS_START"]

for _number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    # A background job or nohup ignores them, and every program started from here would, too.
    # What is handled here is the default again in a new program.  Source: execve(2).
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, lambda *_: None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden", action="store_true", help="write the transcripts of the commands anew")
