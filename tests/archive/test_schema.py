"""Schema: tables, views and triggers of the archive, and the faults that the system before it had."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dsmilctl.archive import database
from dsmilctl.archive.places import Places
from dsmilctl.archive.recording import new_recording
from dsmilctl.archive.store import Store
from tests.archive.stand import SECOND, START, left_hot, recorded, rows, some_readings, table

NINE = {
    "test_sessions", "token_definitions", "token_tests", "system_metrics", "thermal_readings",
    "kernel_messages", "dsmil_responses", "token_correlations", "discovery_log",
}  # fmt: skip
VIEWS = {
    "session_summary", "token_success_rates", "group_performance", "thermal_impact_analysis",
    "dsmil_correlation_analysis",
}  # fmt: skip
TRIGGERS = {"update_session_stats", "update_session_timestamp", "update_token_timestamp"}


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """An archive with a session of two tests of 0x481, three temperatures and two metrics."""
    places, recording = recorded(tmp_path, [])
    opened = database.connect(places.database)
    session = recording.recording_id
    test = """INSERT INTO token_tests (session_id, token_id, test_timestamp, access_method, operation_type,
      success, test_duration_ms, created_at) VALUES (?, 1153, ?, 'smi', 'read', ?, 10, 0)"""
    opened.execute(test, (session, START + 20 * SECOND, 1))
    opened.execute(test, (session, START + 40 * SECOND, 0))
    for moment, celsius in ((10, 40.0), (25, 50.0), (45, 60.0)):
        opened.execute(
            """INSERT INTO thermal_readings (session_id, test_id, reading_timestamp, sensor_name,
                 temperature_celsius, thermal_state, created_at) VALUES (?, 1, ?, 'cpu', ?, ?, 0)""",
            (session, START + moment * SECOND, celsius, "warning" if celsius == 60 else "normal"),
        )
    for percent in (10.0, 30.0):
        opened.execute(
            """INSERT INTO system_metrics (session_id, metric_timestamp, cpu_percent, created_at)
               VALUES (?, ?, ?, 0)""",
            (session, START, percent),
        )
    opened.row_factory = sqlite3.Row
    yield opened
    opened.close()


def names(connection: sqlite3.Connection, kind: str) -> set[str]:
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = ?", (kind,))
    return {row["name"] for row in found if not row["name"].startswith("sqlite_")}


def test_the_nine_tables_five_views_three_triggers_and_thirty_five_indices_are_there(
    connection: sqlite3.Connection,
) -> None:
    assert names(connection, "table") >= NINE
    assert names(connection, "view") == VIEWS
    assert names(connection, "trigger") >= TRIGGERS
    assert len(names(connection, "index")) >= 35


def test_the_72_tokens_lie_in_groups_0_to_5_and_the_84_devices_in_0_to_6(
    connection: sqlite3.Connection,
) -> None:
    """The recorder of the system before took token // 12 for the group: 96 to 101."""
    tokens = connection.execute("SELECT * FROM token_definitions ORDER BY token_id").fetchall()
    devices = connection.execute("SELECT count(*), max(device_group) FROM device_definitions").fetchone()

    assert [row["hex_id"] for row in tokens] == [f"0x{number:03X}" for number in range(0x480, 0x4C8)]
    assert all(row["group_id"] == (row["token_id"] - 1152) // 12 for row in tokens)
    assert all(row["device_id"] == (row["token_id"] - 1152) % 12 for row in tokens)
    assert tuple(devices) == (84, 6)


def test_a_session_summary_has_times_and_counts_each_row_once(connection: sqlite3.Connection) -> None:
    """The view before had NULL for times and joined tests with temperatures with metrics."""
    row = connection.execute("SELECT * FROM session_summary").fetchone()

    assert row["start_time"] == "2025-11-13 02:13:20"
    assert row["end_time"] is not None
    assert (row["total_tokens"], row["successful_tokens"], row["failed_tokens"]) == (2, 1, 1)
    assert row["success_rate"] == 50.0
    assert row["unique_tokens_tested"] == 1
    assert (row["max_temperature"], row["avg_cpu_usage"]) == (60.0, 20.0)


def test_the_heat_of_the_thirty_seconds_around_a_test_is_found(connection: sqlite3.Connection) -> None:
    """The view before looked 30/86400 of a second far and was always empty."""
    first, second = connection.execute("SELECT * FROM thermal_impact_analysis ORDER BY test_id").fetchall()

    assert (first["avg_temp_before"], first["avg_temp_after"], first["temp_delta"]) == (40.0, 55.0, 15.0)
    assert (first["peak_temperature"], first["thermal_events"]) == (60.0, 1)
    assert second["avg_temp_before"] == 45.0


def test_rates_of_tokens_and_groups_are_not_multiplied_by_what_is_joined(
    connection: sqlite3.Connection,
) -> None:
    token = connection.execute("SELECT * FROM token_success_rates WHERE token_id = 1153").fetchone()
    group = connection.execute("SELECT * FROM group_performance WHERE group_id = 0").fetchone()

    assert (token["total_tests"], token["successful_tests"], token["success_rate"]) == (2, 1, 50.0)
    assert (group["tokens_in_group"], group["total_tests"], group["successful_tests"]) == (12, 2, 1)
    assert group["max_group_temperature"] == 60.0


def test_counts_follow_a_test_whose_outcome_is_known_later(connection: sqlite3.Connection) -> None:
    session = connection.execute("SELECT session_id FROM test_sessions").fetchone()[0]
    connection.execute(
        """INSERT INTO token_tests (session_id, token_id, test_timestamp, access_method, operation_type,
             created_at) VALUES (?, 1154, 0, 'smi', 'read', 0)""",
        (session,),
    )
    connection.execute("UPDATE token_tests SET success = 1 WHERE token_id = 1154")

    row = connection.execute("SELECT * FROM test_sessions").fetchone()
    assert (row["total_tokens"], row["successful_tokens"], row["failed_tokens"]) == (3, 2, 1)
    assert row["updated_at"] > START


def test_an_older_schema_is_migrated_as_a_copy_and_the_original_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places, _ = recorded(tmp_path, some_readings(100))
    left_hot(places, some_readings(50))
    step = tmp_path / "0002.sql"
    step.write_text("ALTER TABLE test_sessions ADD COLUMN place TEXT NOT NULL DEFAULT '';")
    steps = [*database.migrations(), step]
    monkeypatch.setattr(database, "migrations", lambda: steps)

    with Store(places):
        pass

    assert rows(places, "PRAGMA user_version") == [(len(steps),)]
    assert table(places).num_rows == 150
    kept = places.folder / f"archive.schema-{len(steps) - 1}"
    with closing(database.connect(kept, read_only=True)) as before:
        assert database.version_of(before) == len(steps) - 1


def test_a_disk_that_is_full_loses_nothing_that_fits_into_memory_and_is_told(tmp_path: Path) -> None:
    places = Places(tmp_path)
    with Store(places, interval=0.02) as store:
        writer = store.begin(new_recording("full", START))
        writer.readings(some_readings(1000))
        writer.flush()
        pages = writer._connection.execute("PRAGMA page_count").fetchone()[0]
        writer._connection.execute(f"PRAGMA max_page_count = {pages}")

        writer.readings(some_readings(30_000, first=1000))
        with pytest.raises(OSError, match="full"):
            writer.flush()
        assert "full" in writer.problem

        writer._connection.execute("PRAGMA max_page_count = 1000000")
        writer.flush()
        assert writer.problem == ""
        store.end(writer, "completed")

    found = table(places).column("sequence").to_pylist()
    assert sorted(found) == list(range(1, 31_001))
