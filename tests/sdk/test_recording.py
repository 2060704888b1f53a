"""Recording from a program: sessions that end as their block does, tests, callbacks, questions."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from dsmilctl import Archived, AutoRecorder, DSMILError, RecordingSession, recorded
from dsmilctl.archive.check import check_archive
from dsmilctl.archive.database import connect
from dsmilctl.archive.places import Places
from dsmilctl.archive.store import Store
from dsmilctl.archive.tokens import TokenTest
from dsmilctl.config.paths import Paths
from dsmilctl.errors import Conflict, DeviceNotFound, InvalidParameter, NotFound, UsageError
from tests.fixtures import home as home  # noqa: PLC0414 - a fixture of this module, too

STILL = '{"period": 1e12}'


@pytest.fixture(autouse=True)
def a_home_of_its_own(home: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DSMIL_SIM_OPTIONS", STILL)


def quiet(archive: Path) -> AutoRecorder:
    """A recorder of what it is told and nothing else."""
    return AutoRecorder(archive, context=None)


def test_a_session_records_its_context_and_the_tests_of_its_block(home: Paths) -> None:
    with RecordingSession("tour", "comprehensive", context="sim", interval=0.05) as recorder:
        test_id = recorder.record_token_operation("0x481", expected_value="0x1")
        recorder.complete_token_operation(test_id)

    found = Archived().get_session_summary()
    assert (found["session_name"], found["session_type"], found["status"]) == (
        "tour",
        "comprehensive",
        "completed",
    )
    assert (found["context"], found["token_tests"], found["success_rate"]) == ("sim", 1, 100.0)
    assert found["readings"] >= 79
    (test,) = Archived().query_token_tests()
    assert test.initial_value == test.final_value == "0x00000001"
    assert test.temperature_before is not None
    assert check_archive(Places(home.archive_folder), home.backup_folder).sound


def test_a_session_keeps_metrics_of_the_machine_where_that_is_asked_for(tmp_path: Path) -> None:
    for name, asked in (("with", True), ("without", False)):
        options = {"context": "sim", "host_metrics": asked, "kernel": asked}
        with RecordingSession(name, archive=tmp_path / "a", **options) as recorder:  # type: ignore[arg-type]  # of several types
            until = time.monotonic() + 30
            while asked and not recorder.get_session_summary()["system_metrics"]:
                assert time.monotonic() < until
                time.sleep(0.05)

    archived = Archived(tmp_path / "a")
    assert archived.get_session_summary("with")["avg_memory_usage"] > 0
    assert archived.get_session_summary("without")["system_metrics"] == 0


def test_fault_147_a_session_writes_where_it_is_told_and_never_to_a_fixed_path(
    home: Paths, tmp_path: Path
) -> None:
    with RecordingSession("tour", archive=tmp_path / "here", context=None):
        pass

    assert Archived(tmp_path / "here").get_session_summary()["session_name"] == "tour"
    assert not home.archive_folder.exists()


def test_a_session_whose_block_raises_has_failed_and_says_why(tmp_path: Path) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        RecordingSession("tour", archive=tmp_path, context=None) as recorder,
    ):
        test_id = recorder.record_token_operation(0x481)
        raise ZeroDivisionError("by night")

    archived = Archived(tmp_path)
    found = archived.get_session_summary("tour")
    assert (found["status"], found["notes"]) == ("failed", "ZeroDivisionError: by night")
    (test,) = archived.query_token_tests("tour")
    assert (test.test_id, test.success) == (test_id, None)


async def test_a_session_is_asynchronous_too_and_keeps_no_event_loop_busy(tmp_path: Path) -> None:
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            beats += 1
            await asyncio.sleep(0.001)

    task = asyncio.create_task(beat())
    with pytest.raises(ZeroDivisionError):
        async with RecordingSession("tour", archive=tmp_path, context="sim") as recorder:
            assert recorder.session_id
            raise ZeroDivisionError
    task.cancel()

    assert beats > 10
    assert Archived(tmp_path).get_session_summary()["status"] == "failed"


def test_a_recorder_begins_and_ends_one_recording_after_the_other(tmp_path: Path) -> None:
    recorder = quiet(tmp_path)
    first = recorder.start_session("first", "single", operator="ada", notes="at night", tags=["a", "b"])
    with pytest.raises(Conflict):
        recorder.start_session("another")
    assert recorder.stop_session("aborted", "rain")["status"] == "aborted"
    second = recorder.start_session("second")
    recorder.stop_session()

    assert first != second
    found = recorder.get_session_summary("first")
    assert (found["operator"], found["notes"]) == ("ada", "at night\nrain")
    assert json.loads(found["tags"]) == ["a", "b"]


def test_what_needs_a_recording_says_so_without_one(tmp_path: Path) -> None:
    recorder = quiet(tmp_path)

    for call in (
        lambda: recorder.record_token_operation(0x481),
        lambda: recorder.complete_token_operation(1, True),
        recorder.stop_session,
    ):
        with pytest.raises(UsageError, match="nothing is recorded"):
            call()
    for ask in (recorder.query_token_tests, recorder.get_session_summary, recorder.get_thermal_analysis):
        with pytest.raises(NotFound, match="no archive"):
            ask()
    with pytest.raises(NotFound, match="no archive"):
        recorder.export_session_data(tmp_path / "x.csv")


def test_wrong_tests_are_refused_and_the_recording_goes_on(tmp_path: Path) -> None:
    recorder = quiet(tmp_path)
    recorder.start_session("tour")

    with pytest.raises(InvalidParameter, match="none of the 72"):
        recorder.record_token_operation(1)
    with pytest.raises(InvalidParameter, match="0x481 is not 0x480"):
        recorder.record_token_operation(1152, "0x481")
    with pytest.raises(InvalidParameter, match="telepathy"):
        recorder.record_token_operation(1152, access_method="telepathy")
    with pytest.raises(NotFound):
        recorder.complete_token_operation(77, True)
    test_id = recorder.record_token_operation(1152)
    recorder.complete_token_operation(test_id, True)
    with pytest.raises(Conflict):
        recorder.complete_token_operation(test_id, True)
    with pytest.raises(InvalidParameter, match="finished"):
        recorder.stop_session("finished")

    assert recorder.stop_session()["total_tokens"] == 1


def test_a_recorder_beside_another_is_refused_and_leaves_no_thread(tmp_path: Path) -> None:
    before = set(threading.enumerate())

    with Store(Places(tmp_path)), pytest.raises(Conflict, match="process"):
        AutoRecorder(tmp_path, context="sim").start_session("tour")
    with pytest.raises(DeviceNotFound):
        AutoRecorder(tmp_path, context="sim", devices="0xFFFF").start_session("nothing there")
    with pytest.raises(DSMILError):
        AutoRecorder(tmp_path, context="no such context").start_session("nowhere")

    assert set(threading.enumerate()) == before
    assert Archived(tmp_path).get_session_summary()["status"] == "failed"


def test_fault_152_a_registered_callback_is_called_when_a_test_begins_and_when_it_ends(
    tmp_path: Path,
) -> None:
    recorder = quiet(tmp_path)
    heard: list[tuple[str, int, bool | None]] = []

    @recorder.register_token_test_callback
    def hear(phase: str, test: TokenTest) -> None:
        heard.append((phase, test.test_id, test.success))

    recorder.start_session("tour")
    test_id = recorder.record_token_operation(0x481)
    recorder.complete_token_operation(test_id, error_code="E1")
    recorder.stop_session()

    assert heard == [("begin", test_id, None), ("complete", test_id, False)]


def test_a_callback_that_fails_is_logged_and_ends_no_test(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = quiet(tmp_path)
    recorder.register_token_test_callback(lambda phase, test: 1 / 0)
    recorder.start_session("tour")

    test_id = recorder.record_token_operation(0x481)
    done = recorder.complete_token_operation(test_id, True)
    recorder.stop_session()

    assert done.success
    assert "a callback failed at the begin of token test" in caplog.text


def test_several_threads_may_test_tokens_in_one_recording(tmp_path: Path) -> None:
    recorder = quiet(tmp_path)
    recorder.start_session("tour")

    def work(first: int) -> None:
        for token in range(first, first + 12):
            recorder.complete_token_operation(recorder.record_token_operation(token), True)

    threads = [threading.Thread(target=work, args=(0x480 + 12 * group,)) for group in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = recorder.stop_session()
    assert (found["total_tokens"], found["successful_tokens"], found["unique_tokens_tested"]) == (72, 72, 72)


def test_a_program_joins_the_recording_of_another_and_lets_go_of_it_again(tmp_path: Path) -> None:
    other = quiet(tmp_path / "a")
    recorder = quiet(tmp_path / "a")
    with pytest.raises(NotFound, match="joined"):
        recorder.join_session()
    session_id = other.start_session("tour")

    assert recorder.join_session() == session_id
    with pytest.raises(InvalidParameter, match="telepathy"):
        recorder.record_token_operation(0x481, access_method="telepathy")
    test_id = recorder.record_token_operation(0x481)
    recorder.note("beside")
    recorder.complete_token_operation(test_id, True)
    assert recorder.stop_session()["status"] == "running"
    other.note("within")

    found = other.stop_session()
    assert (found["successful_tokens"], found["events"], found["status"]) == (1, 2, "completed")
    with pytest.raises(NotFound, match="joined"):
        recorder.join_session()
    assert check_archive(Places(tmp_path / "a"), tmp_path / "backups").sound


@pytest.mark.parametrize(("interval", "kept"), [("0.05", 1), ("3600", 0)])
def test_answers_of_devices_are_looked_for_as_often_as_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interval: str, kept: int
) -> None:
    monkeypatch.setenv("DSMIL_ARCHIVE__RESPONSE_INTERVAL", interval)
    query = "SELECT count(*) FROM dsmil_responses"
    with RecordingSession("tour", archive=tmp_path / "a", context="sim", devices="0x8001") as recorder:
        line = ["device", "deactivate", "0x8001", "--yes", "--justification", "tested by night"]
        subprocess.run(
            [sys.executable, "-m", "dsmilctl", "-C", "sim", *line], check=True, capture_output=True
        )
        with closing(connect(recorder.places.database, read_only=True)) as archive:
            until = time.monotonic() + 30
            while kept and not archive.execute(query).fetchone()[0]:
                assert time.monotonic() < until
                time.sleep(0.05)

    with closing(connect(Places(tmp_path / "a").database, read_only=True)) as archive:
        assert archive.execute(query).fetchone() == (kept,)


@pytest.mark.parametrize(("window", "pairs"), [("3600", 1), ("0", 0)])
def test_what_goes_together_is_what_lies_in_the_window_that_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, window: str, pairs: int
) -> None:
    monkeypatch.setenv("DSMIL_ARCHIVE__CORRELATION_WINDOW", window)
    with RecordingSession("tour", archive=tmp_path / "a", context=None) as recorder:
        for token in (0x481, 0x482):
            recorder.complete_token_operation(recorder.record_token_operation(token), True)
            time.sleep(0.01)

    with closing(connect(Places(tmp_path / "a").database, read_only=True)) as archive:
        assert archive.execute("SELECT count(*) FROM token_correlations").fetchone() == (pairs,)


def test_a_decorated_function_is_recorded_under_its_name_and_gets_the_recorder(tmp_path: Path) -> None:
    @recorded(archive=tmp_path, context=None)
    def count_up(number: int, recorder: AutoRecorder | None = None) -> int:
        """Counts."""
        assert recorder is not None
        recorder.complete_token_operation(recorder.record_token_operation(0x480), True)
        return number + 1

    assert count_up(41) == 42
    assert count_up.__doc__ == "Counts."
    found = Archived(tmp_path).get_session_summary()
    assert found["session_name"].endswith("count_up")
    assert found["token_tests"] == 1


async def test_a_decorated_coroutine_is_recorded_while_it_is_awaited(tmp_path: Path) -> None:
    @recorded("nightly", "single", archive=tmp_path, context=None)
    async def fail() -> None:
        await asyncio.sleep(0)
        raise ZeroDivisionError

    assert inspect.iscoroutinefunction(fail)
    with pytest.raises(ZeroDivisionError):
        await fail()
    found = Archived(tmp_path).get_session_summary("nightly")
    assert (found["status"], found["session_type"]) == ("failed", "single")


def test_readings_and_tables_are_exported_and_temperatures_told(tmp_path: Path) -> None:
    with RecordingSession("tour", archive=tmp_path / "a", context="sim", registers=["TEMP"]) as recorder:
        recorder.complete_token_operation(recorder.record_token_operation(0x481), True)

    count = recorder.export_session_data(tmp_path / "tour.csv")
    assert len((tmp_path / "tour.csv").read_text().splitlines()) == count + 1
    assert recorder.export_session_data(tmp_path / "tests.json", table="token_tests") == 1
    assert '"hex_id"' not in (tmp_path / "tests.json").read_text()
    with pytest.raises(InvalidParameter, match="no format"):
        recorder.export_session_data(tmp_path / "tour.xyz")
    with pytest.raises(NotFound, match="nobody"):
        recorder.export_session_data(tmp_path / "tour.json", "nobody")
    (impact,) = recorder.get_thermal_analysis("tour")
    assert impact["avg_temp_before"] == impact["avg_temp_after"]
    assert impact["temp_delta"] == 0


def test_naming_the_package_loads_nothing_of_recordings() -> None:
    program = (
        "import sys, dsmilctl; assert 'RecordingSession' in dir(dsmilctl); "
        "print(sorted(n for n in sys.modules if n.startswith('dsmilctl.') or n in ('pyarrow', 'sqlite3')))"
    )
    # Coverage loads sqlite3 itself.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    command = [sys.executable, "-c", program]

    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
