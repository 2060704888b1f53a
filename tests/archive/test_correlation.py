"""Correlation: known causes with known effects, and what the tables and views say of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmilctl.archive import recording as recordings
from dsmilctl.archive.correlation import AKIN, ELSEWHERE, SAME, Cause, Causes, Effect, place_of
from dsmilctl.archive.database import connect, prepare
from dsmilctl.archive.dependencies import note_discoveries, relate_tokens
from dsmilctl.archive.recording import new_recording
from dsmilctl.archive.rows import insert_of, operation_row
from dsmilctl.archive.tokens import Outcome, TokenTest, begin, complete
from dsmilctl.archive.tying import related, tie_at_end, tie_recording
from dsmilctl.clock import SYSTEM
from tests.archive.stand import SECOND, START, record

MILLISECOND = SECOND // 1000
ANSWER = """SELECT response_data, test_id, response_delay_ms, correlation_strength
  FROM dsmil_responses WHERE response_id = ?"""
FIRST_TEST = Cause(started=0, ended=SECOND, place=(0, 1), words=frozenset({"0x481", "0x8001"}), test_id=1)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    prepare(tmp_path / "archive.db", SYSTEM)
    connection = connect(tmp_path / "archive.db")
    yield connection
    connection.close()


def session(archive: sqlite3.Connection, name: str = "tour") -> str:
    recording = new_recording(name, START)
    recordings.insert(archive, recording, START)
    return recording.recording_id


def made_test(
    archive: sqlite3.Connection,
    recording_id: str,
    token_id: int,
    at: float,
    *,
    lasting: float = 0.5,
    success: bool = True,
) -> int:
    started = START + round(at * SECOND)
    test = TokenTest(recording_id=recording_id, token_id=token_id, started=started)
    test_id = begin(archive, test, started)
    complete(archive, test_id, Outcome(success=success), started + round(lasting * SECOND))
    return test_id


def message(archive: sqlite3.Connection, recording_id: str, at: float, text: str, tags: str = "[]") -> int:
    row = (recording_id, START + round(at * SECOND), "warning", text, text, tags, START)
    statement = """INSERT INTO kernel_messages (session_id, message_timestamp, log_level, message_text,
      raw_message, correlation_tags, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)"""
    return archive.execute(statement, row).lastrowid or 0


def response(archive: sqlite3.Connection, recording_id: str, at: float, place: tuple[int, int]) -> int:
    row = (recording_id, START + round(at * SECOND), *place, START)
    statement = """INSERT INTO dsmil_responses (session_id, response_timestamp, group_id, device_id,
      response_type, previous_state, new_state, created_at)
      VALUES (?, ?, ?, ?, 'state_change', '0x0', '0x1', ?)"""
    return archive.execute(statement, row).lastrowid or 0


def temperature(
    archive: sqlite3.Connection, recording_id: str, at: float, celsius: float, state: str = "normal"
) -> None:
    row = (recording_id, START + round(at * SECOND), celsius, state, START)
    statement = """INSERT INTO thermal_readings (session_id, reading_timestamp, sensor_name,
      temperature_celsius, thermal_state, created_at) VALUES (?, ?, 'cpu', ?, ?, ?)"""
    archive.execute(statement, row)


def one(archive: sqlite3.Connection, query: str, *values: Any) -> tuple[Any, ...]:
    row: tuple[Any, ...] = archive.execute(query, values).fetchone()
    return row


@pytest.mark.parametrize(
    ("effect", "strength"),
    [
        (Effect(moment=SECOND // 2, place=(0, 1)), SAME),
        (Effect(moment=SECOND, place=(0, 1)), SAME),
        (Effect(moment=2 * SECOND, place=(0, 1)), 0.8 * SAME),
        (Effect(moment=2 * SECOND, place=(0, 7)), 0.8 * AKIN),
        (Effect(moment=2 * SECOND, place=(3, 1)), 0.8 * ELSEWHERE),
        (Effect(moment=2 * SECOND), 0.8 * ELSEWHERE),
        (Effect(moment=2 * SECOND, text="dsmil: device 0x8001 woke up"), 0.8 * SAME),
        (Effect(moment=2 * SECOND, text="dell_smbios: call failed"), 0.8 * AKIN),
        (Effect(moment=2 * SECOND, text="usb 1-1: new device"), 0.8 * ELSEWHERE),
        (Effect(moment=6 * SECOND, place=(0, 1)), None),
        (Effect(moment=-1, place=(0, 1)), None),
    ],
)
def test_the_strength_of_known_effects_is_what_the_formula_says(
    effect: Effect, strength: float | None
) -> None:
    tie = Causes([FIRST_TEST], window=5).of(effect)

    assert (tie and tie.strength) == (strength and pytest.approx(strength))


def test_of_several_causes_the_strongest_counts_and_of_equal_ones_the_last() -> None:
    near = Cause(started=3 * SECOND, ended=3 * SECOND, place=(5, 5), test_id=2)
    again = msgspec.structs.replace(FIRST_TEST, test_id=3, started=10, ended=SECOND)

    def chosen(causes: list[Cause], effect: Effect) -> int | None:
        tie = Causes(causes, window=5).of(effect)
        return None if tie is None else tie.cause.test_id

    assert chosen([FIRST_TEST, near], Effect(moment=3 * SECOND, place=(0, 1))) == 1
    assert chosen([FIRST_TEST, near], Effect(moment=3 * SECOND, place=(5, 5))) == 2
    assert chosen([FIRST_TEST, again], Effect(moment=20, place=(0, 1))) == 3


def test_an_effect_in_the_middle_of_a_long_cause_is_found_behind_many_short_ones() -> None:
    long = Cause(started=0, ended=3600 * SECOND, place=(0, 1), test_id=1)
    short = [Cause(started=n * SECOND, ended=n * SECOND, place=(1, 1), test_id=n) for n in range(2, 1800)]

    tie = Causes([long, *short], window=1).of(Effect(moment=1799 * SECOND + 1, place=(0, 1)))

    assert tie is not None
    assert (tie.cause.test_id, tie.strength) == (1, 1.0)
    assert tie.delay_ms == pytest.approx(1_799_000, abs=1)


@given(st.integers(0, 10 * SECOND), st.floats(0, 20), st.tuples(st.integers(0, 6), st.integers(0, 11)))
def test_strength_is_above_0_and_at_most_1_and_grows_with_the_window(
    moment: int, window: float, place: tuple[int, int]
) -> None:
    effect = Effect(moment=moment, place=place)
    ties = [Causes([FIRST_TEST], window=length).of(effect) for length in (window, window + 1)]
    narrow, wide = (tie.strength if tie else 0.0 for tie in ties)

    assert 0 <= narrow <= wide <= 1


def test_a_window_of_nothing_ties_what_happens_during_a_cause_only() -> None:
    causes = Causes([FIRST_TEST], window=0)

    assert causes.of(Effect(moment=SECOND)) is not None
    assert causes.of(Effect(moment=SECOND + 1)) is None


@pytest.mark.parametrize(
    ("target", "place"),
    [("0x8000", (0, 0)), ("0x8053", (6, 11)), ("0x8054", None), ("0x7FFF", None), ("cpu", None), ("", None)],
)
def test_a_target_has_a_place_only_where_it_is_one_of_the_84(target: str, place: object) -> None:
    assert place_of(target) == place


def test_fault_155_messages_and_responses_get_the_test_that_they_belong_to_with_delay_and_strength(
    archive: sqlite3.Connection,
) -> None:
    tour = session(archive)
    test_id = made_test(archive, tour, 0x481, at=10)
    near = message(archive, tour, 11.5, "dsmil 0x8001: state 3", '["dsmil"]')
    far = message(archive, tour, 60, "dsmil 0x8001: state 4")
    answer = response(archive, tour, 10.25, (0, 1))

    assert tie_recording(archive, tour, window=5) == 2
    assert tie_recording(archive, tour, window=5) == 2

    tied, tags = one(
        archive, "SELECT test_id, correlation_tags FROM kernel_messages WHERE message_id = ?", near
    )
    assert tied == test_id
    assert msgspec.json.decode(tags) == ["dsmil", f"test={test_id}", "delay_ms=1500.000", "strength=0.800"]
    assert one(archive, "SELECT test_id FROM kernel_messages WHERE message_id = ?", far) == (None,)
    query = (
        "SELECT test_id, response_delay_ms, correlation_strength FROM dsmil_responses WHERE response_id = ?"
    )
    assert one(archive, query, answer) == (test_id, 250.0, 1.0)


def test_fault_155_what_follows_an_operation_names_it_and_what_was_refused_has_no_effect(
    archive: sqlite3.Connection,
) -> None:
    tour = session(archive)
    done = msgspec.structs.replace(record(1, "INTENT"), target="0x8001", operation_id="op-done")
    refused = msgspec.structs.replace(record(4, "DENIED"), decision="DENIED", operation_id="op-refused")
    archive.executemany(insert_of("operations"), [operation_row(tour, item) for item in (done, refused)])
    answer = response(archive, tour, 2, (0, 1))
    later = response(archive, tour, 5, (0, 0))

    tie_recording(archive, tour, window=2)

    data, *rest = one(archive, ANSWER, answer)
    assert msgspec.json.decode(data) == {"operation_id": "op-done"}
    assert rest == [None, 1000.0, 0.5]
    assert one(archive, ANSWER, later) == (None, None, None, None)


def test_a_narrower_window_unties_what_a_wider_one_had_tied(archive: sqlite3.Connection) -> None:
    tour = session(archive)
    made_test(archive, tour, 0x481, at=0)
    response(archive, tour, 3, (0, 1))

    tie_recording(archive, tour, window=10)
    tie_recording(archive, tour, window=1)

    assert one(archive, "SELECT test_id, correlation_strength FROM dsmil_responses") == (None, None)


def test_metrics_of_the_machine_during_a_test_are_tied_to_it(archive: sqlite3.Connection) -> None:
    tour = session(archive)
    test_id = made_test(archive, tour, 0x481, at=1)
    for at in (0.9, 1.2, 1.6):
        row = (tour, START + round(at * SECOND), START)
        archive.execute(
            "INSERT INTO system_metrics (session_id, metric_timestamp, created_at) VALUES (?, ?, ?)", row
        )

    tie_recording(archive, tour)

    rows = archive.execute("SELECT test_id FROM system_metrics ORDER BY metric_timestamp").fetchall()
    assert rows == [(None,), (test_id,), (None,)]


def test_a_test_knows_its_operations_messages_and_responses_in_order(archive: sqlite3.Connection) -> None:
    tour = session(archive)
    test_id = made_test(archive, tour, 0x481, at=0.5)
    archive.execute(insert_of("operations"), operation_row(tour, record(1)))
    message(archive, tour, 3, "dell-smbios: done")
    response(archive, tour, 2, (0, 1))
    message(archive, tour, 20, "dell-smbios: much later")

    found = related(archive, tour, test_id, window=5)

    assert [(item.kind, item.delay_ms) for item in found] == [
        ("operation", 500), ("response", 1500), ("kernel", 2500)
    ]  # fmt: skip
    assert [round(item.strength, 2) for item in found] == [0.75, 0.8, 0.45]


def test_fault_132_the_thermal_view_looks_30_seconds_back_and_ahead(archive: sqlite3.Connection) -> None:
    tour = session(archive)
    test_id = made_test(archive, tour, 0x481, at=100)
    for at, celsius in ((69, 10.0), (71, 40.0), (99, 42.0), (101, 50.0), (129, 54.0), (131, 99.0)):
        temperature(archive, tour, at, celsius, "warning" if celsius == 54 else "normal")
    other = session(archive, "elsewhere")
    temperature(archive, other, 100, 0.0)

    row = one(
        archive,
        "SELECT test_id, avg_temp_before, avg_temp_after, temp_delta, peak_temperature, thermal_events"
        " FROM thermal_impact_analysis",
    )

    assert row == (test_id, 41.0, 52.0, 11.0, 54.0, 1)


def test_faults_129_to_133_sums_are_not_multiplied_by_joins_and_times_are_there(
    archive: sqlite3.Connection,
) -> None:
    tour = session(archive)
    for number in range(3):
        made_test(archive, tour, 0x480 + number, at=number, success=number != 1)
        temperature(archive, tour, number, 40.0 + number)
        response(archive, tour, number, (0, number))
    tie_recording(archive, tour)

    summary = one(
        archive,
        "SELECT total_tokens, successful_tokens, success_rate, unique_tokens_tested,"
        " max_temperature, start_time FROM session_summary",
    )
    assert summary == (3, 2, pytest.approx(200 / 3), 3, 42.0, "2025-11-13 02:13:20")
    group = one(
        archive,
        "SELECT tokens_in_group, total_tests, successful_tests, dsmil_responses, avg_correlation_strength"
        " FROM group_performance WHERE group_id = 0",
    )
    assert group == (12, 3, 2, 3, 1.0)
    rates = one(
        archive,
        "SELECT total_tests, success_rate, avg_duration_ms FROM token_success_rates WHERE hex_id = '0x481'",
    )
    assert rates == (1, 0.0, 500.0)
    answers = one(
        archive,
        "SELECT total_responses, avg_correlation, avg_response_delay_ms, response_types"
        " FROM dsmil_correlation_analysis WHERE device_id = 2",
    )
    assert answers == (1, 1.0, 0.0, "state_change")


def pair(archive: sqlite3.Connection, first: int, second: int) -> tuple[Any, ...] | None:
    query = """SELECT correlation_type, round(correlation_strength, 3), test_count, round(success_rate, 3)
      FROM token_correlations WHERE primary_token_id = ? AND correlated_token_id = ?"""
    row: tuple[Any, ...] | None = archive.execute(query, (first, second)).fetchone()
    return row


def test_fault_126_a_token_that_works_only_behind_another_is_dependent_on_it(
    archive: sqlite3.Connection,
) -> None:
    tour = session(archive)
    for number, success in enumerate([True, True, False, False]):
        made_test(archive, tour, 0x480, at=100 * number, success=success)
        made_test(archive, tour, 0x481, at=100 * number + 1, success=success)

    relate_tokens(archive, START, window=5)

    assert pair(archive, 0x480, 0x481) == ("dependent", 1.0, 4, 0.5)
    assert pair(archive, 0x481, 0x480) is None


def test_fault_126_tokens_that_hinder_each_other_conflict_and_others_follow_or_overlap(
    archive: sqlite3.Connection,
) -> None:
    tour, other = session(archive), session(archive, "other")
    for number, success in enumerate([True, True, False, False]):
        made_test(archive, tour, 0x480, at=100 * number, success=success)
        made_test(archive, tour, 0x481, at=100 * number + 1, success=not success)
    for number in range(2):
        made_test(archive, tour, 0x490, at=1000 + 100 * number, lasting=10)
        made_test(archive, tour, 0x491, at=1001 + 100 * number)
    made_test(archive, tour, 0x4A0, at=2000)
    made_test(archive, tour, 0x4A1, at=2001)
    made_test(archive, tour, 0x4A1, at=3000)
    made_test(archive, tour, 0x4A1, at=3001)
    made_test(archive, tour, 0x4B0, at=4000)
    made_test(archive, other, 0x4B1, at=4001)

    assert relate_tokens(archive, START, window=5) == 3
    assert relate_tokens(archive, START + SECOND, window=5) == 3

    assert pair(archive, 0x480, 0x481) == ("conflicting", 1.0, 4, 0.5)
    assert pair(archive, 0x490, 0x491) == ("simultaneous", 1.0, 2, 1.0)
    assert pair(archive, 0x4A0, 0x4A1) == ("sequential", 0.333, 1, 1.0)
    assert one(archive, "SELECT DISTINCT discovered_at FROM token_correlations") == (START,)


def test_fault_127_what_depends_on_what_is_noted_as_a_discovery_and_once_only(
    archive: sqlite3.Connection,
) -> None:
    tour, other = session(archive), session(archive, "other")
    for number, success in enumerate([True, True, False, False]):
        made_test(archive, tour, 0x480, at=100 * number, success=success)
        made_test(archive, tour, 0x481, at=100 * number + 1, success=success)
        made_test(archive, tour, 0x482, at=100 * number + 2, success=not success)

    for _ in range(2):
        relate_tokens(archive, START, window=5)
        tie_at_end(archive, tour, START)
        assert note_discoveries(archive, other, START) == 0

    query = "SELECT session_id, title, confidence_level, token_ids FROM discovery_log ORDER BY token_ids"
    assert archive.execute(query).fetchall() == [
        (tour, "0x481 works only behind 0x480", 1.0, "[1152,1153]"),
        (tour, "0x482 fails behind 0x480", 1.0, "[1152,1154]"),
        (tour, "0x482 fails behind 0x481", 1.0, "[1153,1154]"),
    ]


def test_thousands_of_operations_before_a_message_are_compared_up_to_a_bound() -> None:
    crowd = [Cause(started=number, ended=number, operation_id=str(number)) for number in range(50_000)]
    first = Cause(started=0, ended=SECOND, place=(0, 1), operation_id="first")
    effect = Effect(moment=50_000, place=(0, 1))

    far = Causes([first, *crowd], window=5).of(effect)
    near = Causes([first, *crowd[-1000:]], window=5).of(effect)

    assert [tie.cause.operation_id for tie in (far, near) if tie] == ["49999", "first"]
