"""Diagnostics: errors and warnings as lines for people and as JSON for programs, on stderr alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import pytest

from dsmilctl import diagnostics, log_fallback
from dsmilctl.errors import DeviceNotFound, InvalidParameter, RateLimitError


@pytest.fixture(autouse=True)
def people() -> Iterator[None]:
    """Every test begins with diagnostics for people."""
    diagnostics.speak_json(False)
    yield
    diagnostics.speak_json(False)


def test_an_error_is_a_line_with_its_hint_below_and_gives_its_exit_status(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status = diagnostics.fail(DeviceNotFound("no device 0x9999", device_id=0x9999, hint="0x8000 to 0x8053"))

    told = capsys.readouterr()
    assert status == 2
    assert told.out == ""
    assert told.err == "dsmilctl: error: no device 0x9999\nhint: 0x8000 to 0x8053\n"


def test_an_error_without_a_hint_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    diagnostics.fail(InvalidParameter("two\nlines\x1b[2J"))

    assert capsys.readouterr().err == "dsmilctl: error: two\nlines\\x1b[2J\n"


def test_programs_get_errors_and_warnings_as_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    diagnostics.speak_json(True)

    diagnostics.fail(RateLimitError("too many \udcff", retry_after=1.5, target="0x8000"))
    diagnostics.warn("the disk is nearly full")

    error, warning = map(json.loads, capsys.readouterr().err.splitlines())
    assert error == {
        "error": {
            "code": "RATE_LIMITED",
            "message": "too many \\udcff",
            "hint": None,
            "target": "0x8000",
            "retry_after": 1.5,
        }
    }
    assert warning == {"warning": {"message": "the disk is nearly full"}}


def test_nobody_who_reads_stderr_fails_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Gone())
    diagnostics.warn("nobody hears this")
    monkeypatch.setattr(sys, "stderr", None)
    diagnostics.warn("nor this")

    assert not diagnostics.is_terminal()
    assert diagnostics.width() == 80


def test_what_is_urgent_is_told_as_a_warning_where_there_is_no_log(
    capsys: pytest.CaptureFixture[str],
) -> None:
    import logging

    before = logging.lastResort
    try:
        log_fallback.install()
        assert logging.lastResort is not None
        record = logging.makeLogRecord(
            {"levelno": logging.ERROR, "msg": "login with password=%s failed", "args": ("swordfish",)}
        )
        logging.lastResort.handle(record)
        logging.lastResort.handle(logging.makeLogRecord({"levelno": logging.INFO, "msg": "all is well"}))
    finally:
        logging.lastResort = before

    told = capsys.readouterr().err
    assert told.startswith("dsmilctl: warning: login with password=")
    assert "swordfish" not in told
