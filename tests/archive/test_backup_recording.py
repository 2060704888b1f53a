"""One recording out of a backup: it comes back beside the others, with all that belongs to it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from dsmilctl.archive.backup.creating import create
from dsmilctl.archive.backup.folder import Folder
from dsmilctl.archive.backup.recovering import recover
from dsmilctl.archive.backup.repository import Repository
from dsmilctl.archive.check import check_archive
from dsmilctl.archive.database import connect
from dsmilctl.archive.places import Places
from dsmilctl.archive.query import Wanted
from dsmilctl.archive.recording import new_recording
from dsmilctl.archive.store import Store
from dsmilctl.errors import Conflict, NotFound
from tests.archive.stand import EVENT, START, left_hot, record, recorded, rows, some_readings, table

TESTS = """INSERT INTO token_tests
  (session_id, token_id, test_timestamp, access_method, operation_type, success, created_at)
  VALUES (?, ?, ?, 'smi', 'read', ?, 0)"""
HOT = (
    "INSERT INTO thermal_readings (session_id, test_id, reading_timestamp, sensor_name, temperature_celsius, \
created_at) VALUES (?, ?, 0, 'x', 40.5, 0)"
)


def with_tests(places: Places, recording_id: str, success: tuple[int, ...]) -> None:
    """Token tests of a recording, each with a thermal reading."""
    with Store(places):
        connection = connect(places.database)
        for number, found in enumerate(success):
            row = connection.execute(TESTS, (recording_id, 0x480 + number, START + number, found))
            connection.execute(HOT, (recording_id, row.lastrowid))
        connection.close()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(Folder(tmp_path / "backups"))


JOINED = """SELECT t.token_id, t.success, r.temperature_celsius
  FROM thermal_readings r JOIN token_tests t USING (test_id)
  WHERE t.session_id = ? AND r.session_id = t.session_id ORDER BY 1"""


def test_a_recording_that_was_deleted_comes_back_with_its_rows_and_the_others_stay(
    repository: Repository, tmp_path: Path
) -> None:
    places, kept = recorded(tmp_path / "archive", some_readings(500, first=3000), name="kept")
    with_tests(places, kept.recording_id, (1, 1))
    _, lost = recorded(
        places.folder, some_readings(3000), name="lost", records=[record(1), record(2)], events=[EVENT]
    )
    with_tests(places, lost.recording_id, (1, 0, 1))
    before = rows(places, "SELECT * FROM test_sessions WHERE session_id = ?", lost.recording_id)
    readings, joined = table(places, Wanted(recording="lost")), rows(places, JOINED, lost.recording_id)
    made = create(places, repository)
    forgotten(places, lost.recording_id)
    with_tests(places, kept.recording_id, (0,))  # takes numbers that the lost tests had
    others = table(places, Wanted(recording="kept")), rows(places, JOINED, kept.recording_id)

    recover(repository, made, "lost", places)

    assert rows(places, "SELECT * FROM test_sessions WHERE session_id = ?", lost.recording_id) == before
    assert table(places, Wanted(recording="lost")).equals(readings)
    assert rows(places, JOINED, lost.recording_id) == joined
    assert len(joined) == 3
    assert rows(places, "SELECT count(*) FROM operations WHERE session_id = ?", lost.recording_id) == [(2,)]
    assert rows(places, "SELECT count(*) FROM events WHERE session_id = ?", lost.recording_id) == [(1,)]
    assert (table(places, Wanted(recording="kept")), rows(places, JOINED, kept.recording_id)) == others
    assert check_archive(places, tmp_path / "backups").sound


def forgotten(places: Places, recording_id: str) -> None:
    """Take a recording out of an archive."""
    with Store(places):
        connection = connect(places.database)
        for (file,) in connection.execute("SELECT file FROM segments WHERE session_id = ?", (recording_id,)):
            places.segment(file).unlink()
        connection.execute("DELETE FROM test_sessions WHERE session_id = ?", (recording_id,))
        connection.close()


def test_what_was_not_sealed_in_the_backup_comes_back_sealed(repository: Repository, tmp_path: Path) -> None:
    places = Places(tmp_path / "archive")
    lost = left_hot(places, some_readings(700))
    made = create(places, repository)
    forgotten(places, lost.recording_id)
    recorded(places.folder, some_readings(10), name="other")

    recover(repository, made, lost.recording_id, places)

    assert table(places, Wanted(recording=lost.recording_id)).num_rows == 700
    assert rows(places, "SELECT count(*) FROM chunks") == [(0,)]
    assert check_archive(places, tmp_path / "backups").sound


def test_into_an_archive_that_is_lost_one_recording_comes_alone(
    repository: Repository, tmp_path: Path
) -> None:
    recorded(tmp_path / "archive", some_readings(20), name="one")
    places, _ = recorded(tmp_path / "archive", some_readings(30), name="two")
    made = create(places, repository)
    places.folder.rename(tmp_path / "lost")

    recover(repository, made, "two", places)

    assert rows(places, "SELECT session_name FROM test_sessions") == [("two",)]
    assert table(places).num_rows == 30
    assert check_archive(places, tmp_path / "backups").sound


def test_one_that_is_there_still_or_was_never_there_changes_nothing(
    repository: Repository, tmp_path: Path
) -> None:
    places, _ = recorded(tmp_path / "archive", some_readings(100))
    made = create(places, repository)

    with pytest.raises(Conflict, match="still"):
        recover(repository, made, "tour", places)
    with pytest.raises(NotFound):
        recover(repository, made, "none of these", places)
    with Store(places) as store:
        writer = store.begin(new_recording("now", START))
        with pytest.raises(Conflict, match="another recorder"):
            recover(repository, made, "tour", places)
        store.end(writer, "completed")

    assert table(places).num_rows == 100
    assert check_archive(places, tmp_path / "backups").sound
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive", "backups"]


def test_a_failure_in_the_middle_leaves_no_row_and_no_file(repository: Repository, tmp_path: Path) -> None:
    places, lost = recorded(tmp_path / "archive", some_readings(100), events=[EVENT])
    made = create(places, repository)
    forgotten(places, lost.recording_id)
    connection = sqlite3.connect(places.database)
    connection.execute(
        "CREATE TRIGGER no BEFORE INSERT ON test_sessions BEGIN SELECT RAISE(ABORT, 'no'); END"
    )
    connection.close()

    with pytest.raises(sqlite3.IntegrityError, match="no"):
        recover(repository, made, "tour", places)

    assert rows(places, "SELECT count(*) FROM events") == [(0,)]
    assert list(places.segments.iterdir()) == []
