"""Belongings: token tests and what is tied to them travel with a recording, and come back the same."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dsmilctl.archive.belongings import TABLES, Table, restore_belongings
from dsmilctl.archive.check import check_archive
from dsmilctl.archive.database import connect
from dsmilctl.archive.intake import take_in
from dsmilctl.archive.legacy.intake import take_in_old
from dsmilctl.archive.legacy.source import SQLITE
from dsmilctl.archive.places import Places
from dsmilctl.archive.store import Store
from dsmilctl.errors import InvalidParameter
from dsmilctl.recording.archived import Archived
from tests.archive.old_files import BEGUN, SESSION, response, thermal, token_test, write_database
from tests.archive.stand import recorded, some_readings


def full_archive(folder: Path) -> Places:
    """An archive whose recording holds a row of everything, the second test with effects."""
    places = Places(folder / "archive")
    own = {"session_id": SESSION}
    old = write_database(
        folder / "old.db",
        token_tests=[token_test(token_id=0x480), token_test(test_id=8, notes="ünïcode")],
        thermal_readings=[thermal(test_id=8)],
        dsmil_responses=[response()],
        system_metrics=[own | {"metric_timestamp": BEGUN + 10.1, "cpu_percent": 12.5}],
        kernel_messages=[
            own | {"message_timestamp": BEGUN + 10.2, "log_level": "err", "message_text": "smbios: no"}
        ],
        discovery_log=[own | {"discovery_timestamp": BEGUN, "discovery_type": "behavior", "title": "it"}],
    )
    with Store(places) as store:
        take_in_old(store.places, old, SQLITE)
    return places


def belonging(places: Places) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, with tests named by their tokens."""
    found = {}
    with closing(connect(places.database, read_only=True)) as connection:
        for table in TABLES:
            columns = [
                name
                for name, key in connection.execute("SELECT name, pk FROM pragma_table_info(?)", (table,))
                if not key and name not in ("session_id", "test_id", "correlation_tags")
            ]
            test = "(SELECT token_id FROM token_tests t WHERE t.test_id = r.test_id)"
            query = f"SELECT {', '.join(columns)}, {test} FROM {table} r ORDER BY rowid"
            found[table] = connection.execute(query).fetchall()
    return found


@pytest.mark.parametrize("format", ["json", "ndjson", "parquet", "arrow", "dsm"])
def test_tests_and_all_that_is_tied_to_them_come_back_the_same(format: str, tmp_path: Path) -> None:
    places = full_archive(tmp_path)
    file = tmp_path / f"tour.{format}"
    Archived(places.folder).export_session_data(file)
    other, _ = recorded(tmp_path / "other", some_readings(10))
    with Store(other) as store:
        take_in_old(store.places, write_database(tmp_path / "x.db", token_tests=[token_test()]), SQLITE)
    before = belonging(other)

    with Store(other) as store:
        recording, _ = take_in(store.places, file, format, progress=lambda _: None)

    there, here = belonging(places), belonging(other)
    assert all(there.values())
    assert {name: rows[len(before[name]) :] for name, rows in here.items()} == there
    with closing(connect(other.database, read_only=True)) as connection:
        query = "SELECT total_tokens, successful_tokens FROM test_sessions WHERE session_id = ?"
        assert connection.execute(query, (recording.recording_id,)).fetchone() == (2, 2)
    assert check_archive(other, tmp_path / "backups").sound


@pytest.mark.parametrize(
    "tables",
    [
        {"sqlite_schema": Table(("sql",), (("x",),))},
        {"token_tests": Table(("test_id) VALUES (1); DROP TABLE series; --",), ((1,),))},
        {"token_tests": Table(("test_id", "token_id"), ((1,),))},
        {"token_tests": Table(("test_id", "token_id"), ((1, "no token"),))},
        {"thermal_readings": Table(("thermal_state",), (("molten",),))},
        {"thermal_readings": Table(("sensor_name",), (({"a": 1},),))},
        {"thermal_readings": Table(("fan_speed_rpm",), ((2**70,),))},
    ],
)
def test_tables_that_cannot_be_are_refused(tmp_path: Path, tables: dict[str, Table]) -> None:
    places = full_archive(tmp_path)
    tables = msgspec.json.decode(msgspec.json.encode(tables), type=dict[str, Table])

    with closing(connect(places.database)) as connection, pytest.raises(InvalidParameter):
        restore_belongings(connection, SESSION, tables)
