"""Token tests: what an archive keeps of the test of an SMBIOS token, beside a recorder and without one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmilctl.archive.check import check_archive
from dsmilctl.archive.inscribing import inscribing
from dsmilctl.archive.places import Places
from dsmilctl.archive.recording import Recording, new_recording
from dsmilctl.archive.store import Store
from dsmilctl.archive.tokens import (
    FIRST,
    LAST,
    Outcome,
    TokenTest,
    begin,
    complete,
    find_test,
    group_of,
    hex_id_of,
    open_test,
    parse_token,
    query_token_tests,
    same_value,
)
from dsmilctl.errors import Conflict, DSMILError, InvalidParameter, NotFound
from tests.archive.stand import SECOND, START, opened, rows, some_readings


def made() -> Recording:
    return new_recording("token 0x481", START, type="single", status="completed", ended=START)


def begun(places: Places, token_id: int = 0x481, started: int = START, **fields: Any) -> int:
    with inscribing(places) as inscription:
        test = TokenTest(
            recording_id=inscription.recording_for(made()), token_id=token_id, started=started, **fields
        )
        return begin(inscription.connection, test, START)


def completed(places: Places, test_id: int, outcome: Outcome, now: int = START + SECOND) -> TokenTest:
    with inscribing(places) as inscription:
        return complete(inscription.connection, test_id, outcome, now)


@given(st.integers(FIRST, LAST))
def test_fault_156_a_token_has_its_group_of_0_to_5_and_not_its_number_divided_by_12(token_id: int) -> None:
    assert group_of(token_id) in range(6)
    assert token_id == FIRST + 12 * group_of(token_id) + (token_id - FIRST) % 12
    assert parse_token(hex_id_of(token_id)) == parse_token(str(token_id)) == token_id


@pytest.mark.parametrize("text", ["0x47F", "0x4C8", "1151", "96", "", "token", "-1152", "1152.0"])
def test_what_is_none_of_the_72_tokens_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter):
        parse_token(text)


def test_a_test_keeps_what_was_there_what_was_set_and_what_came_of_it(tmp_path: Path) -> None:
    places = Places(tmp_path)
    test_id = begun(places, initial_value="0", set_value="1", expected_value="0x1", notes="first try")

    found = completed(places, test_id, Outcome(final_value="1", retry_count=2, notes="second try"))

    assert (found.hex_id, found.group_id, found.device_id) == ("0x481", 0, 1)
    assert (found.initial_value, found.set_value, found.final_value) == ("0", "1", "1")
    assert (found.success, found.retry_count, found.duration_ms) == (True, 2, 1000.0)
    assert found.notes == "first try\nsecond try"
    assert check_archive(places, tmp_path / "backups").sound


@pytest.mark.parametrize(
    ("outcome", "expected", "success"),
    [
        (Outcome(final_value="1"), "", True),
        (Outcome(final_value="0"), "1", False),
        (Outcome(final_value="1"), "0x00000001", True),
        (Outcome(final_value="1", expected_value="2"), "1", False),
        (Outcome(final_value="1", error_code="TIMEOUT"), "1", False),
        (Outcome(final_value="1", success=False), "1", False),
        (Outcome(final_value="0", success=True), "1", True),
    ],
)
def test_errors_and_other_values_than_expected_make_a_test_fail_unless_somebody_says_otherwise(
    tmp_path: Path, outcome: Outcome, expected: str, success: bool
) -> None:
    places = Places(tmp_path)
    given: Any = {"expected_value": expected} if expected else {}
    test_id = begun(places, **given)

    assert completed(places, test_id, outcome).success is success


def test_two_texts_that_are_no_numbers_are_the_same_only_when_they_are_equal() -> None:
    assert same_value("on", "on")
    assert not same_value("on", "off")
    assert not same_value(None, "0")


def test_a_test_ends_once_and_one_that_never_began_cannot_end(tmp_path: Path) -> None:
    places = Places(tmp_path)
    test_id = begun(places)
    completed(places, test_id, Outcome())

    with pytest.raises(Conflict, match="ended already"):
        completed(places, test_id, Outcome())
    with pytest.raises(NotFound):
        completed(places, 99, Outcome())
    with pytest.raises(InvalidParameter, match="telepathy"):
        begun(places, access_method="telepathy")


def test_a_clock_that_was_put_back_makes_no_test_end_before_it_began(tmp_path: Path) -> None:
    places = Places(tmp_path)

    found = completed(places, begun(places), Outcome(), now=START - 3600 * SECOND)

    assert found.duration_ms == 0


def test_the_test_that_is_meant_is_found_by_its_id_its_token_or_as_the_newest(tmp_path: Path) -> None:
    places = Places(tmp_path)
    ids = [begun(places, token) for token in (0x481, 0x482, 0x481)]
    with opened(places) as connection:
        assert open_test(connection).test_id == ids[2]
        assert open_test(connection, "0x482").test_id == ids[1]
        assert open_test(connection, str(ids[0])).test_id == ids[0]
        with pytest.raises(NotFound, match="0x4C7"):
            open_test(connection, "0x4C7")


def test_beside_a_recorder_a_test_goes_into_its_recording_and_the_digests_of_the_end_cover_it(
    tmp_path: Path,
) -> None:
    places = Places(tmp_path)
    with Store(places) as store:
        recording = new_recording("tour", START)
        writer = store.begin(recording)
        writer.readings(some_readings(100))
        test_id = begun(places)
        completed(places, test_id, Outcome())
        store.end(writer, "completed")

    assert rows(places, "SELECT total_tokens, successful_tokens FROM test_sessions") == [(1, 1)]
    with opened(places) as connection:
        assert find_test(connection, test_id).recording_id == recording.recording_id
    assert check_archive(places, tmp_path / "backups").sound


def test_what_holds_an_archive_without_recording_is_waited_for_and_then_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dsmilctl.archive.inscribing.PATIENCE", 0.1)

    with Store(Places(tmp_path)), pytest.raises(Conflict, match="another recorder"):
        begun(Places(tmp_path))


def test_a_failure_in_between_leaves_nothing_behind(tmp_path: Path) -> None:
    places = Places(tmp_path)

    with pytest.raises(DSMILError), inscribing(places) as inscription:
        test = TokenTest(recording_id=inscription.recording_for(made()), token_id=0x481, started=START)
        begin(inscription.connection, test, START)
        raise DSMILError("the power is gone")

    assert rows(places, "SELECT count(*) FROM test_sessions") == [(0,)]
    with opened(places) as connection:
        assert query_token_tests(connection) == []
    assert check_archive(places, tmp_path / "backups").sound


def test_tests_are_asked_for_by_recording_token_and_outcome_newest_first(tmp_path: Path) -> None:
    places = Places(tmp_path)
    first = begun(places, 0x481)
    second = begun(places, 0x481, START + SECOND)
    other = begun(places, 0x482, START + 2 * SECOND)
    completed(places, first, Outcome(success=False))
    completed(places, second, Outcome(success=True))
    with opened(places) as connection:
        recording_id = find_test(connection, other).recording_id

    def ids(**wanted: Any) -> list[int]:
        with opened(places) as connection:
            return [test.test_id for test in query_token_tests(connection, **wanted)]

    assert ids() == [other, second, first]
    assert ids(token_id=0x481) == [second, first]
    assert ids(success=False) == [first]
    assert ids(recording_id=recording_id) == [other]
    assert ids(limit=1) == [other]
