"""Recording of a test-run: `pytest --dsmil-record NAME`, and the fixture and marker `dsmil_recording`.

Loaded by every run of pytest where dsmilctl is installed, so nothing else is imported before it is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from dsmilctl.recording.auto import AutoRecorder

BEGUN, ENDED = "test.begin", "test.end"
"""Types of the events that say where a test began, and how it ended."""

FIXTURE = "dsmil_recording"
MARKER = "dsmil_recording(name, context=None): record while this test runs, under a name of its own"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options to those of pytest."""
    group = parser.getgroup("dsmilctl", "recording with dsmilctl")
    group.addoption("--dsmil-record", metavar="NAME", default="", help="record while the tests run")
    group.addoption(
        "--dsmil-context", metavar="NAME", default=None, help="what is recorded; else what tests tell"
    )
    group.addoption("--dsmil-archive", metavar="DIR", default="", help="another archive than the user's own")


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker, and prepare to record where that was asked for; not in a worker of xdist."""
    config.addinivalue_line("markers", MARKER)
    if config.getoption("--dsmil-record") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Run(config), "dsmil-recording-run")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give a test with the marker the fixture, also where it does not ask for it."""
    names = getattr(item, "fixturenames", None)
    if names is not None and item.get_closest_marker(FIXTURE) and FIXTURE not in names:
        names.append(FIXTURE)


class Run:
    """The recording of one test-run."""

    def __init__(self, config: pytest.Config) -> None:
        self.recorder = _recorder(config)
        self._name = config.getoption("--dsmil-record")
        self._failed = 0

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Begin to record; what keeps it from that ends the run before a test has begun."""
        from dsmilctl.errors import DSMILError

        try:
            self.recorder.start_session(self._name, "comprehensive", tags=("pytest",))
        except DSMILError as error:
            raise pytest.UsageError(f"--dsmil-record: {error} ({error.hint})") from error

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """End the recording: it has failed where tests did, or where the run was interrupted."""
        if not self.recorder.recording:
            return
        notes = f"{self._failed} tests failed" if self._failed else ""
        if exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) and not notes:
            notes = f"pytest ended with status {int(exitstatus)}"
        self.recorder.stop_session("failed" if notes else "completed", notes)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A test begins, here or in a worker."""
        self.recorder.note(nodeid, type=BEGUN)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A part of a test has ended; the last one says how the test did."""
        self._failed += report.failed
        if report.when == "call" or report.outcome != "passed":
            told = f"{report.nodeid} {report.outcome} ({report.when})"
            self.recorder.note(told, type=ENDED)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say under which id the run is kept."""
        terminalreporter.write_line(f"dsmilctl: recorded as {self.recorder.session_id}")


def _recorder(config: pytest.Config, archive: Path | None = None, context: str | None = None) -> AutoRecorder:
    from dsmilctl.recording.auto import AutoRecorder

    folder = archive or config.getoption("--dsmil-archive") or None
    return AutoRecorder(folder, context=context or config.getoption("--dsmil-context"))


@pytest.fixture
def dsmil_recording(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AutoRecorder]:
    """An AutoRecorder that records; the notes of its token tests begin with the name of this test.

    With `--dsmil-record` it is that of the whole run, in a worker of xdist joined to it.  With the marker
    `dsmil_recording` it makes a recording of its own.  That, and what is recorded without `--dsmil-record`,
    is in `--dsmil-archive` where that is named and free, else in a folder of the test.
    """
    config, nodeid = request.config, request.node.nodeid
    run = config.pluginmanager.get_plugin("dsmil-recording-run")
    marker = request.node.get_closest_marker(FIXTURE)
    if marker is None and isinstance(run, Run):
        yield from _named(run.recorder, nodeid)
    elif marker is None and config.getoption("--dsmil-record"):
        recorder = _recorder(config)
        recorder.join_session()
        yield from _ended(recorder, request)
    else:
        named = config.getoption("--dsmil-archive") and not config.getoption("--dsmil-record")
        context = marker.kwargs.get("context") if marker else None
        recorder = _recorder(config, None if named else tmp_path / "dsmil-archive", context)
        name = marker.args[0] if marker and marker.args else request.node.name
        recorder.start_session(name, "single", tags=("pytest",))
        yield from _ended(recorder, request)


def _ended(recorder: AutoRecorder, request: pytest.FixtureRequest) -> Iterator[AutoRecorder]:
    """The recorder; its recording ends as the test does."""
    failed = request.session.testsfailed
    try:
        yield from _named(recorder, request.node.nodeid)
    finally:
        recorder.stop_session("failed" if request.session.testsfailed > failed else "completed")


def _named(recorder: AutoRecorder, nodeid: str) -> Iterator[AutoRecorder]:
    """The recorder, under the name of a test as long as that goes on."""
    before, recorder.label = recorder.label, nodeid
    try:
        yield recorder
    finally:
        recorder.label = before
