"""Query: hot and sealed readings are one table, and a SELECT can neither write nor look elsewhere."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from dsmilctl.archive.places import Places
from dsmilctl.archive.query import Query, Wanted
from dsmilctl.errors import DeviceNotFound, InvalidParameter, NotFound
from dsmilctl.model.reading import Quality, Reading
from tests.archive.stand import SECOND, START, left_hot, record, recorded, some_readings, table


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """An archive with 4,000 sealed readings (100 s) and 400 hot ones behind them."""
    places, _ = recorded(tmp_path, some_readings(4000), records=[record()])
    left_hot(places, some_readings(400, first=4000))
    return places


def test_sealed_and_hot_readings_are_found_together_in_order(places: Places) -> None:
    found = table(places, Wanted(selector="0x8001"))

    assert found.num_rows == 1100
    assert found.column("sequence").to_pylist() == list(range(2, 4402, 4))


def test_a_stretch_of_time_is_found_with_both_its_ends(places: Places) -> None:
    wanted = Wanted(selector="0x8000", since=START + 99 * SECOND, until=START + 101 * SECOND)

    assert table(places, wanted).num_rows == 21


def test_averages_of_a_second_are_those_of_its_readings(places: Places) -> None:
    with Query(places) as query:
        rows = query.readings(Wanted(selector="0x8000", every=SECOND)).read_all()

    own = [item for item in some_readings(4400) if item.device_id == 0x8000]
    first = [float(str(item.value)) for item in own if item.timestamp < START + SECOND]
    assert rows.num_rows == 110
    assert rows.column("value")[0].as_py() == pytest.approx(sum(first) / len(first))
    assert set(rows.column("readings").to_pylist()) == {10}


@pytest.mark.parametrize("length", [60 * SECOND, 3600 * SECOND], ids=["minutes", "hour"])
@pytest.mark.parametrize("aggregate", ["mean", "min", "max", "sum", "count", "first", "last"])
def test_stretches_made_while_sealing_answer_as_the_readings_themselves_would(
    places: Places, aggregate: str, length: int
) -> None:
    own = [(item.timestamp // length, float(str(item.value))) for item in some_readings(4400)[2::4]]
    values = {bucket: [value for moment, value in own if moment == bucket] for bucket, _ in own}
    computed: dict[str, Callable[[list[float]], float]] = {
        "mean": lambda found: sum(found) / len(found),
        "min": min,
        "max": max,
        "sum": sum,
        "count": len,
        "first": lambda found: found[0],
        "last": lambda found: found[-1],
    }
    expected = [computed[aggregate](found) for found in values.values()]

    wanted = Wanted(selector="0x8002", every=length, aggregate=aggregate)
    with Query(places) as query:
        found = query.readings(wanted).read_all()

    assert wanted.fits("1m")
    assert found.column("value").to_pylist() == pytest.approx(expected)
    assert found.column("readings").to_pylist() == [len(item) for item in values.values()]


def test_a_reading_that_cannot_be_trusted_is_in_no_average(tmp_path: Path) -> None:
    readings = [
        Reading("pump", "level", 10.0, START),
        Reading("pump", "level", 9999.0, START + 1, quality=Quality.BAD, error="above 100"),
    ]
    places, _ = recorded(tmp_path, readings)

    with Query(places) as query:
        rows = query.readings(Wanted(every=SECOND)).read_all().to_pydict()

    assert rows["value"] == [10.0]


def test_one_recording_is_found_by_its_name(places: Places) -> None:
    assert table(places, Wanted(recording="interrupted")).num_rows == 400
    assert table(places, Wanted(recording="tour")).num_rows == 4000


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        (Wanted(selector="0x9999"), DeviceNotFound),
        (Wanted(registers=("TMEP",)), InvalidParameter),
        (Wanted(recording="none"), NotFound),
        (Wanted(every=SECOND, aggregate="median; DROP TABLE x"), InvalidParameter),
    ],
)
def test_what_there_is_not_is_named(places: Places, wanted: Wanted, error: type[Exception]) -> None:
    with Query(places) as query, pytest.raises(error):
        query.readings(wanted)


def test_sql_joins_readings_with_what_else_was_recorded(places: Places) -> None:
    with Query(places) as query:
        rows = query.sql(
            """SELECT s.session_name AS name, count(*) AS readings FROM readings r
               JOIN test_sessions s ON s.session_id = r.recording GROUP BY 1 ORDER BY 1"""
        ).read_all()
    assert rows.to_pylist() == [{"name": "interrupted", "readings": 400}, {"name": "tour", "readings": 4000}]

    with Query(places) as query:
        assert query.sql("SELECT target FROM operations").read_all().to_pylist() == [{"target": "0x8000"}]


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE readings",
        "DELETE FROM operations",
        "SELECT 1; SELECT 2",
        "COPY (SELECT 1) TO 'stolen.csv'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM '/etc/passwd'",
        "ATTACH 'other.db'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "PRAGMA database_list",
        "CALL pragma_version()",
        "SELECT * FROM read_blob('/etc/hostname')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM sniff_csv('/etc/passwd')",
        "SELECT * FROM parquet_metadata('/etc/passwd')",
        "SELECT * FROM read_json('http://127.0.0.1:1/x')",
        "SELECT * FROM sqlite_scan('archive.db', 'chunks')",
        "SELECT * FROM query('DROP TABLE readings')",
        "SELECT getenv('HOME')",
        "SELECT * FROM duckdb_secrets()",
        "SELECT * FROM places",
        "WITH x AS (DELETE FROM operations RETURNING *) SELECT * FROM x",
        "CREATE TABLE x AS SELECT 1",
        "EXPORT DATABASE 'stolen'",
        "LOAD httpfs",
        "SELECT list(a) FROM range(100000000000) t(a)",
        "SELECT CAST(register AS INTEGER) FROM readings",
        "SELEC 1",
        "",
    ],
)
def test_sql_that_is_not_one_select_over_the_archive_is_refused(
    places: Places, sql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = {path.name for path in tmp_path.iterdir()} | {"archive.db-shm", "archive.db-wal"}

    with Query(places) as query, pytest.raises(InvalidParameter):
        query.sql(sql).read_all()

    assert {path.name for path in tmp_path.iterdir()} <= before


def test_a_wrong_select_is_told_with_what_could_be_asked_for(places: Places) -> None:
    with Query(places) as query, pytest.raises(InvalidParameter, match="redings") as caught:
        query.sql("SELECT * FROM redings")
    assert "tables: readings" in (caught.value.hint or "")

    with Query(places) as query, pytest.raises(InvalidParameter, match="Out of Memory") as caught:
        query.sql("SELECT list(a) FROM range(100000000000) t(a)").read_all()
    assert "less" in (caught.value.hint or "")


def test_a_question_without_end_is_ended_from_outside(places: Places) -> None:
    with Query(places) as query:
        asked = threading.Timer(0.3, query.interrupt)
        asked.start()
        with pytest.raises(InvalidParameter, match=r"[Ii]nterrupt"):
            query.sql("SELECT count(*) FROM range(10000000000000) a, range(100000) b").read_all()
        asked.join()


def test_one_reading_each_of_the_last_before_a_moment(places: Places) -> None:
    with Query(places) as query:
        found = query.latest(Wanted(until=START + 50 * SECOND)).read_all()
        assert set(found.column("sequence").to_pylist()) == {2001, 2002, 2003, 2004}
        times = query.in_time(Wanted()).read_all().column("time").cast("int64").to_pylist()
        assert times == sorted(times)


def test_a_bound_holds_wherever_it_lies_and_one_beyond_everything_is_none(places: Places) -> None:
    times = sorted({START + tick * SECOND // 10 for tick in range(1100)})
    edges = (None, times[0] - 1, times[0], times[0] + 1, times[1050], times[-1], times[-1] + 1)
    with Query(places) as query:
        whole = query.readings(Wanted(selector="0x8001")).read_all()
        taken = whole.column("time").cast(pa.int64()).to_pylist()
        for since, until in itertools.product(edges, edges):
            found = query.readings(Wanted(selector="0x8001", since=since, until=until)).read_all()

            wanted = [time for time in taken if (since or 0) <= time <= (until or 2**62)]
            assert found.column("time").cast(pa.int64()).to_pylist() == wanted
