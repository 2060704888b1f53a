"""Old files: what the system before this one recorded comes in repaired, and the repairs are told."""

from __future__ import annotations

import gzip
import os
import pickle
import sqlite3
import struct
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from dsmilctl.archive.check import check_archive
from dsmilctl.archive.database import connect
from dsmilctl.archive.importing import read_file
from dsmilctl.archive.legacy.intake import TakenIn, take_in_old
from dsmilctl.archive.legacy.moments import NoMoment, moment_of
from dsmilctl.archive.legacy.source import JSON, SQLITE, kind_of
from dsmilctl.archive.places import Places
from dsmilctl.archive.store import Store
from dsmilctl.errors import InvalidParameter
from tests.archive.old_files import (
    BEGUN,
    JULIAN,
    SESSION,
    response,
    session,
    thermal,
    token_test,
    write_database,
    write_session,
)
from tests.archive.stand import recorded, some_readings

NANOSECONDS = 1_000_000_000
START = int(BEGUN) * NANOSECONDS + NANOSECONDS // 4


def brought_in(folder: Path, path: Path, *, name: str = "") -> TakenIn:
    with Store(Places(folder)) as store:
        return take_in_old(store.places, path, kind_of(path), name=name)


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(connect(Places(folder).database, read_only=True)) as connection:
        return connection.execute(query).fetchall()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "archive"


def test_faults_119_and_156_a_database_comes_in_with_its_times_groups_and_endings_repaired(
    tmp_path: Path, archive: Path
) -> None:
    old = write_database(
        tmp_path / "dsmil_tokens.db",
        token_tests=[token_test()],
        dsmil_responses=[response()],
        thermal_readings=[thermal()],
    )

    done = brought_in(archive, old)

    assert done.rows == {"token_tests": 1, "dsmil_responses": 1, "thermal_readings": 1}
    assert done.repaired["groups 96 to 101"] == 1
    assert done.repaired["recordings that were never closed"] == 1
    assert done.repaired["times in Unix seconds"] == 4
    assert done.repaired["session_type that was not defined"] == 1
    assert done.left_out == {}
    columns = "session_id, session_name, status, start_timestamp, end_timestamp, session_type, total_tokens"
    assert rows(archive, f"SELECT {columns}, emergency_stops, thermal_warnings FROM test_sessions") == [
        (SESSION, "Token Test", "aborted", START, START + 12 * NANOSECONDS, "custom", 1, 1, 2)
    ]
    assert rows(archive, "SELECT group_id, device_id, test_id FROM dsmil_responses") == [(5, 11, 1)]
    assert check_archive(Places(archive), tmp_path / "backups").sound


def test_fault_155_what_was_never_correlated_is_correlated_now(tmp_path: Path, archive: Path) -> None:
    old = write_database(tmp_path / "old.db", token_tests=[token_test()], dsmil_responses=[response()])

    brought_in(archive, old)

    assert rows(archive, "SELECT test_id, correlation_strength, response_delay_ms FROM dsmil_responses") == [
        (1, 0.9, 1000.0)
    ]
    assert rows(archive, "SELECT total_responses FROM dsmil_correlation_analysis") == [(1,)]


def test_fault_137_a_json_session_comes_in_with_the_rows_of_its_tables(tmp_path: Path, archive: Path) -> None:
    without = {name: value for name, value in token_test().items() if name not in ("session_id", "test_id")}
    old = write_session(
        tmp_path / "session.json",
        token_tests=[without | {"group_id": 101, "hex_id": "0x4C7"}],
        dsmil_responses=[response()],
        thermal_readings=[thermal(temperature_celsius="61.5")],
        system_metrics=[{"metric_timestamp": BEGUN + 10.1, "cpu_percent": 12.5, "process_count": "200"}],
    )

    done = brought_in(archive, old, name="again")

    assert [(item.name, item.status) for item in done.recordings] == [("again", "aborted")]
    assert rows(archive, "SELECT group_id FROM token_tests JOIN token_definitions USING (token_id)") == [(5,)]
    assert rows(archive, "SELECT cpu_percent, process_count, test_id FROM system_metrics") == [(12.5, 200, 1)]
    assert rows(archive, "SELECT temperature_celsius, test_id FROM thermal_readings") == [(61.5, None)]


def test_every_row_keeps_its_test_under_the_number_that_it_has_here(tmp_path: Path, archive: Path) -> None:
    recorded(archive, some_readings(10))
    for name in ("first", "second"):
        old = write_database(
            tmp_path / f"{name}.db",
            token_tests=[token_test(test_id=3, token_id=0x480), token_test(test_id=7, token_id=0x481)],
            thermal_readings=[thermal(test_id=7), thermal(test_id=99)],
        )
        brought_in(archive, old)

    query = """SELECT r.test_id, token_id FROM thermal_readings r LEFT JOIN token_tests t USING (test_id)
      ORDER BY reading_id"""
    assert rows(archive, query) == [(2, 0x481), (None, None), (4, 0x481), (None, None)]
    assert len({row[0] for row in rows(archive, "SELECT session_id FROM test_sessions")}) == 3


def test_the_test_of_a_token_that_is_none_of_the_72_is_kept_as_a_discovery(
    tmp_path: Path, archive: Path
) -> None:
    old = write_database(tmp_path / "old.db", token_tests=[token_test(token_id=0x400), token_test(test_id=8)])

    done = brought_in(archive, old)

    assert done.left_out == {"token_tests: the token is none of the 72; kept as a discovery": 1}
    ((title, evidence),) = rows(archive, "SELECT title, evidence_data FROM discovery_log")
    assert title == "test of token 1024, which is none of the 72"
    assert '"token_id":"1024"' in evidence


def test_words_and_numbers_that_were_never_defined_are_replaced_or_left_out_and_counted(
    tmp_path: Path, archive: Path
) -> None:
    message = {"session_id": SESSION, "message_timestamp": BEGUN, "message_text": "x", "log_level": "warn"}
    old = write_database(
        tmp_path / "old.db",
        token_tests=[token_test(access_method="telepathy", initial_value=b"\xff", success=None)],
        kernel_messages=[message | {"correlation_tags": "dsmil"}, message | {"log_level": "loud"}],
        thermal_readings=[
            thermal(temperature_celsius="hot"), thermal(reading_timestamp=-5), thermal(session_id="x")
        ],
        dsmil_responses=[response(correlation_strength=7, group_id=None)],
        discovery_log=[
            {"session_id": SESSION, "discovery_timestamp": BEGUN, "discovery_type": "behavior", "title": "t",
             "token_ids": "[1152]", "evidence_data": "{not json", "confidence_level": 0.5}
        ],
    )  # fmt: skip

    done = brought_in(archive, old)

    assert done.left_out == {
        "thermal_readings: temperature_celsius is no number": 1,
        "thermal_readings: reading_timestamp is no time": 1,
        "rows without a session": 1,
    }
    assert done.repaired["access_method that was not defined"] == 1
    assert done.repaired["log_level that was not defined"] == 1
    assert rows(archive, "SELECT log_level FROM kernel_messages ORDER BY message_id") == [
        ("warning",),
        ("info",),
    ]
    assert rows(archive, "SELECT access_method, initial_value, success FROM token_tests") == [
        ("direct", "\\xff", None)
    ]
    assert rows(archive, "SELECT token_ids, evidence_data FROM discovery_log") == [("[1152]", '"{not json"')]


def test_a_session_that_was_closed_stays_so_and_one_without_a_time_is_left_out(
    tmp_path: Path, archive: Path
) -> None:
    closed = session(status="failed", end_timestamp=BEGUN + 60, session_type="group")
    lost = session(session_id="lost", start_timestamp=None, created_at="never")
    backwards = session(
        session_id="back", start_timestamp=JULIAN, end_timestamp=BEGUN - 60, status="completed"
    )
    old = write_database(tmp_path / "old.db", test_sessions=[closed, lost, backwards])

    done = brought_in(archive, old)

    assert done.left_out == {"sessions: created_at is no time": 1}
    assert done.repaired["times in Julian days"] == 1
    found = rows(
        archive, "SELECT session_id, status, end_timestamp - start_timestamp FROM test_sessions ORDER BY 1"
    )
    assert found == [("back", "completed", 0), (SESSION, "failed", 60 * NANOSECONDS)]


def test_fault_187_what_is_still_in_the_log_of_an_old_database_comes_in_and_the_file_stays_as_it_is(
    tmp_path: Path, archive: Path
) -> None:
    old = write_database(tmp_path / "old.db")
    with closing(sqlite3.connect(old)) as live:
        live.execute("PRAGMA journal_mode = WAL")
        live.execute(
            "INSERT INTO thermal_readings (session_id, reading_timestamp, sensor_name, temperature_celsius)"
            f" VALUES ('{SESSION}', {BEGUN}, 'cpu', 50)"
        )
        live.commit()
        content = old.read_bytes()

        done = brought_in(archive, old)

        assert done.rows == {"thermal_readings": 1}
        assert old.read_bytes() == content


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_a_packed_old_file_is_unpacked(tmp_path: Path, archive: Path, pack: Any) -> None:
    for number, path in enumerate((write_database(tmp_path / "a"), write_session(tmp_path / "b"))):
        packed = tmp_path / f"{number}.packed"
        packed.write_bytes(pack(path.read_bytes()))

        assert kind_of(packed) == (SQLITE, JSON)[number]
        assert len(brought_in(archive, packed).recordings) == 1


def test_a_bomb_is_refused_before_it_fills_the_disk(
    tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dsmilctl.archive.compression.UNSUSPICIOUS", 1024 * 1024)
    bomb = tmp_path / "bomb.db.zst"
    bomb.write_bytes(zstandard.compress(b"SQLite format 3\x00" + bytes(512 * 1024 * 1024)))
    zipped = tmp_path / "bomb.zip"
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("old.db", bytes(10_000_000))

    with pytest.raises(InvalidParameter, match="unpacks to far more"):
        brought_in(archive, bomb)

    assert kind_of(zipped) == ""
    assert rows(archive, "SELECT count(*) FROM test_sessions") == [(0,)]


class Trap:
    """What runs a program when it is unpickled."""

    def __init__(self, told: Path) -> None:
        self.told = told

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.told}",)


def test_fault_139_an_old_dsm_with_pickled_objects_is_refused_and_never_unpickled(tmp_path: Path) -> None:
    told = tmp_path / "unpickled"
    content = pickle.dumps(Trap(told))
    path = tmp_path / "session.dsm"
    name = SESSION.encode()
    head = b"DSML" + struct.pack("<II", 1, len(name)) + name + struct.pack("<d", BEGUN)
    path.write_bytes(head + b"TEST" + struct.pack("<I", len(content)) + content)

    assert kind_of(path) == ""
    with pytest.raises(InvalidParameter, match="pickled objects, which are never loaded"):
        read_file(path, "dsm")
    assert not told.exists()
    pickle.loads(content)
    assert told.exists()  # the trap would have caught


def test_damaged_foreign_and_own_databases_are_refused_and_leave_nothing(
    tmp_path: Path, archive: Path
) -> None:
    places, _ = recorded(tmp_path / "own", some_readings(10))
    old = write_database(tmp_path / "old.db", token_tests=[token_test(test_id=n) for n in range(500)])
    content = old.read_bytes()
    cut = tmp_path / "cut.db"
    cut.write_bytes(content[:4096] + os.urandom(len(content) - 4096))
    foreign = tmp_path / "foreign.db"
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute(
            "CREATE VIEW test_sessions AS WITH RECURSIVE n(i) AS"
            " (SELECT 1 UNION ALL SELECT i FROM n) SELECT * FROM n"
        )
    endless = tmp_path / "endless.json"
    endless.write_text('{"session_info": ' + "[" * 100_000)

    for path, says in (
        (cut, "is no recording"),
        (foreign, "no table test_sessions"),
        (places.database, "archive of this program"),
        (endless, "is no recording"),
    ):
        with pytest.raises(InvalidParameter, match=says):
            brought_in(archive, path)

    assert rows(archive, "SELECT count(*) FROM test_sessions") == [(0,)]


def test_what_we_export_ourselves_is_no_old_session(tmp_path: Path) -> None:
    path = tmp_path / "ours.json"
    path.write_text('{"format":"dsmilctl/recording/1","recording":{},"readings":[]}')

    assert kind_of(path) == ""


@given(st.floats(0, 9_000_000_000).filter(lambda value: not 2_400_000 <= value < 2_600_000))
def test_a_time_in_seconds_is_exact_to_what_a_float_can_say(seconds: float) -> None:
    nanoseconds, kind = moment_of(seconds)

    assert kind == "seconds"
    assert nanoseconds / NANOSECONDS == pytest.approx(seconds, abs=2e-6)


@given(st.integers(0, 4_000_000_000))
def test_a_julian_day_is_the_moment_that_sqlite_meant(seconds: int) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        (day,) = connection.execute("SELECT julianday(?, 'unixepoch')", (seconds,)).fetchone()

    assert moment_of(day) == (seconds * NANOSECONDS, "julian")


@pytest.mark.parametrize("value", [None, "", "soon", True, float("nan"), float("inf"), -1, 1e18, b"1", [1]])
def test_what_is_no_time_is_none(value: Any) -> None:
    with pytest.raises(NoMoment):
        moment_of(value)


def test_a_time_as_text_is_utc_unless_it_says_otherwise() -> None:
    assert moment_of("2025-09-01T08:00:00.25") == (START, "text")
    assert moment_of("2025-09-01T10:00:00.25+02:00") == (START, "text")
