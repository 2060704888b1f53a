"""The plug-in for pytest: test-runs that are recorded, and tests that record."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dsmilctl import Archived
from dsmilctl.archive.check import check_archive
from dsmilctl.archive.places import Places

pytest_plugins = ["pytester"]
ALONE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "dsmilctl.testing.pytest_recording"}
"""The plug-in without all others that are installed, which take long to load."""

TESTS = """
    def test_a_token_works(dsmil_recording):
        test_id = dsmil_recording.record_token_operation(0x4C7, notes="by night")
        dsmil_recording.complete_token_operation(test_id, True)

    def test_nothing_is_recorded_by_hand():
        pass
"""
FAILING = """
    def test_a_token_fails(dsmil_recording):
        test_id = dsmil_recording.record_token_operation(0x480)
        dsmil_recording.complete_token_operation(test_id, error_code="E1")
        assert False
"""


@pytest.fixture(autouse=True)
def a_home_of_its_own(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ALONE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DSMIL_HOME", str(pytester.path / "home"))
    monkeypatch.setenv("DSMIL_SIM_OPTIONS", '{"period": 1e12}')


def ran(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    """A run of pytest as a process of its own."""
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *options)


def kept(pytester: pytest.Pytester, folder: str = "home/data/archive") -> Archived:
    return Archived(pytester.path / folder)


def events(pytester: pytest.Pytester) -> list[tuple[str, str]]:
    target = pytester.path / "events.json"
    kept(pytester).export_session_data(target, table="events")
    found: list[dict[str, Any]] = json.loads(target.read_text())
    return [(row["type"], row["message"]) for row in found]


def test_the_plug_in_is_there_without_being_named(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ALONE:
        monkeypatch.delenv(name)
    result = ran(pytester, "--markers")

    result.stdout.fnmatch_lines(["@pytest.mark.dsmil_recording(name*"])


def test_a_run_is_recorded_and_its_rows_name_their_tests(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_some=TESTS)

    result = ran(pytester, "--dsmil-record", "nightly", "--dsmil-context", "sim")

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["dsmilctl: recorded as *-nightly-*"])
    summary = kept(pytester).get_session_summary()
    assert (summary["session_name"], summary["status"], summary["context"]) == ("nightly", "completed", "sim")
    assert summary["readings"] >= 79
    (test,) = kept(pytester).query_token_tests()
    assert (test.hex_id, test.notes) == ("0x4C7", "test_some.py::test_a_token_works\nby night")
    assert events(pytester) == [
        ("test.begin", "test_some.py::test_a_token_works"),
        ("test.end", "test_some.py::test_a_token_works passed (call)"),
        ("test.begin", "test_some.py::test_nothing_is_recorded_by_hand"),
        ("test.end", "test_some.py::test_nothing_is_recorded_by_hand passed (call)"),
    ]
    places = Places(pytester.path / "home/data/archive")
    assert check_archive(places, pytester.path / "backups").sound


def test_a_run_in_which_tests_fail_is_a_recording_that_has_failed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_some=TESTS, test_bad=FAILING)

    result = ran(pytester, "--dsmil-record", "nightly")

    result.assert_outcomes(passed=2, failed=1)
    summary = kept(pytester).get_session_summary("nightly")
    assert (summary["status"], summary["notes"]) == ("failed", "1 tests failed")
    assert (summary["successful_tokens"], summary["failed_tokens"], summary["readings"]) == (1, 1, 0)
    assert ("test.end", "test_bad.py::test_a_token_fails failed (call)") in events(pytester)


def test_a_run_that_is_interrupted_has_failed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(): raise KeyboardInterrupt")

    ran(pytester, "--dsmil-record", "nightly")

    summary = kept(pytester).get_session_summary()
    assert (summary["status"], summary["notes"]) == ("failed", "pytest ended with status 2")


def test_without_the_option_nothing_is_recorded_and_a_test_that_asks_gets_a_folder_of_its_own(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(test_some=TESTS)

    result = ran(pytester, "--basetemp", str(pytester.path / "temporary"))

    result.assert_outcomes(passed=2)
    assert not (pytester.path / "home").exists()
    archived = kept(pytester, "temporary/test_a_token_works0/dsmil-archive")
    assert archived.get_session_summary()["session_name"] == "test_a_token_works"


def test_a_test_with_the_marker_has_a_recording_of_its_own_that_ends_as_it_does(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile("""
        import pytest

        @pytest.mark.dsmil_recording("mine", context="sim")
        def test_one():
            pass

        @pytest.mark.dsmil_recording
        def test_two(dsmil_recording):
            assert dsmil_recording.session_id == ""
    """)

    result = ran(pytester, "--dsmil-archive", "kept", "--strict-markers")

    result.assert_outcomes(passed=1, failed=1)
    one, two = (kept(pytester, "kept").get_session_summary(name) for name in ("mine", "test_two"))
    assert (one["status"], one["context"]) == ("completed", "sim")
    assert (two["status"], two["context"], two["readings"]) == ("failed", "", 0)


def test_workers_of_xdist_join_the_recording_of_the_run(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_some=TESTS, test_bad=FAILING)

    result = ran(pytester, "--dsmil-record", "nightly", "-p", "xdist", "-n", "2")

    result.assert_outcomes(passed=2, failed=1)
    summary = kept(pytester).get_session_summary("nightly")
    assert (summary["successful_tokens"], summary["failed_tokens"]) == (1, 1)
    assert {test.notes.partition("::")[0] for test in kept(pytester).query_token_tests()} == {
        "test_some.py", "test_bad.py"
    }  # fmt: skip


def test_a_context_that_is_not_there_ends_the_run_before_its_first_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_some=TESTS)

    result = ran(pytester, "--dsmil-record", "nightly", "--dsmil-context", "nowhere")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --dsmil-record: *nowhere*"])
    assert not (pytester.path / "home/data/archive").exists()


def test_asking_for_help_records_nothing(pytester: pytest.Pytester) -> None:
    result = ran(pytester, "--dsmil-record", "nightly", "--help")

    result.stdout.fnmatch_lines(["*--dsmil-record=NAME*"])
    assert not (pytester.path / "home").exists()


def test_a_run_without_recordings_loads_nothing_of_them(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import sys

        def test_it():
            assert [name for name in sys.modules if name.startswith("dsmilctl.")] == [
                "dsmilctl.testing", "dsmilctl.testing.pytest_recording"
            ]
    """)

    ran(pytester).assert_outcomes(passed=1)
