"""Times of a command line: durations and moments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmilctl.clock import NANOSECONDS, SYSTEM, rfc3339
from dsmilctl.commands.times import UNITS, duration, moment
from dsmilctl.commands.values import free_value, settings_of
from dsmilctl.errors import InvalidParameter
from dsmilctl.times import written_moment


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("10s", 10), ("2m", 120), ("1h", 3600), ("3d", 259200), ("1.5", 1.5)],
)
def test_a_duration_has_a_unit_or_is_in_seconds(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "-1s", "1 s 2", "10x", "inf", "nan", "1e3s", "٣s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter, match="is not a duration"):
        duration(text)


@pytest.mark.parametrize(
    ("text", "timestamp"),
    [
        ("1970-01-02", 86400 * NANOSECONDS),
        ("1970-01-01T00:00:01Z", NANOSECONDS),
        ("1970-01-01T01:00:00+01:00", 0),
        ("", None),
    ],
)
def test_a_moment_is_rfc_3339_and_utc_where_it_says_nothing_else(text: str, timestamp: int | None) -> None:
    assert moment(text) == timestamp


@given(timestamp=st.integers(-(2**63), 2**63 - 1))
def test_a_moment_that_a_server_wrote_is_read_to_the_nanosecond(timestamp: int) -> None:
    assert written_moment(rfc3339(timestamp, 9)) == timestamp


@pytest.mark.parametrize("text", ["1970-01-01T01:00:01+01:00", "1970-01-01T00:00:01Z"])
def test_a_moment_of_another_program_is_read_as_it_is_meant(text: str) -> None:
    assert written_moment(text) == NANOSECONDS


@pytest.mark.parametrize("text", ["soon", "1970-02-30T00:00:00.000000000Z"])
def test_a_moment_that_is_none_is_refused_whoever_wrote_it(text: str) -> None:
    with pytest.raises(InvalidParameter, match="is not a time"):
        written_moment(text)


def test_a_duration_longer_than_the_clock_goes_back_reaches_to_its_beginning() -> None:
    assert moment("99999999999999d") == 0


def test_a_moment_may_be_a_duration_ago() -> None:
    ago = moment("2h")

    assert ago is not None
    assert abs(SYSTEM.now() - ago - 7200 * NANOSECONDS) < 60 * NANOSECONDS


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "1970-01-01T99:00"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter):
        moment(text)


@given(st.text(max_size=20))
def test_no_text_ends_in_anything_but_a_time_or_an_error_of_ours(text: str) -> None:
    for parse in (duration, moment):
        try:
            parse(text)
        except InvalidParameter as error:
            assert error.hint


@given(st.integers(0, 10**6), st.sampled_from(sorted(UNITS)))
def test_a_duration_is_its_number_times_its_unit(number: int, unit: str) -> None:
    assert duration(f"{number}{unit}") == pytest.approx(number * UNITS[unit])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("False", False),
        ("5", 5),
        ("0x10", 16),
        ("-3", -3),
        ("2.5", 2.5),
        ("on", "on"),
        ("", ""),
    ],
)
def test_a_free_value_is_what_it_looks_like(text: str, value: object) -> None:
    assert free_value(text) == value
    assert type(free_value(text)) is type(value)


def test_settings_are_words_over_what_a_file_says(tmp_path: pytest.TempPathFactory) -> None:
    from pathlib import Path

    file = Path(str(tmp_path)) / "settings.json"
    file.write_text('{"threshold": 1, "mode": "single"}')

    assert dict(settings_of(["threshold=1024", "on=true"], str(file))) == {
        "threshold": 1024,
        "mode": "single",
        "on": True,
    }
    file.write_text("[1]")
    with pytest.raises(InvalidParameter, match=r"settings\.json: Expected `object`"):
        settings_of([], str(file))
