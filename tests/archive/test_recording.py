"""Recording: what is told to a recorder is on the disk, under a name, with how it ended."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsmilctl.archive import recording as recordings
from dsmilctl.archive.blocks import GENESIS, batch_of, fields_of, pack, unpack
from dsmilctl.archive.check import check_archive
from dsmilctl.archive.database import connect
from dsmilctl.archive.places import Places
from dsmilctl.archive.recording import new_recording
from dsmilctl.archive.rows import operation_row
from dsmilctl.archive.store import Store
from dsmilctl.archive.writer import Writer
from dsmilctl.errors import CheckFailed, ConfigError, Conflict, InvalidParameter
from dsmilctl.model.reading import Quality, Reading
from tests.archive.stand import EVENT, START, left_hot, opened, record, recorded, rows, some_readings, table

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(),
    st.integers(-(2**63), 2**64 - 1),
    st.text(max_size=30),
    st.sampled_from([2**53, 2**53 + 1, -(2**53) - 1, 2**64 - 1, -(2**63), "", "=1+1", "a\r\nb", '"', "😀"]),
)
WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
READINGS = st.lists(
    st.builds(
        Reading,
        device_id=st.one_of(st.integers(0, 0xFFFF), WORDS),
        register=WORDS,
        value=VALUES,
        timestamp=st.integers(-(2**62), 2**62),
        unit=st.text(st.characters(codec="utf-8"), max_size=4),
        quality=st.sampled_from(Quality),
        raw=st.one_of(
            st.none(), st.integers(-(2**63), 2**64), st.text(st.characters(codec="utf-8"), max_size=5)
        ),
        latency_ms=st.one_of(st.none(), st.integers(0, 10**6).map(lambda us: us / 1000)),
        error=st.text(st.characters(codec="utf-8"), max_size=20),
        error_code=st.sampled_from(["", "TIMEOUT"]),
        sequence=st.integers(0, 2**62),
    ),
    max_size=20,
)


def test_a_recording_keeps_readings_operations_and_events_with_who_made_it(tmp_path: Path) -> None:
    places, recording = recorded(tmp_path, some_readings(1000), records=[record()], events=[EVENT])

    with opened(places) as connection:
        found = recordings.find(connection, "tour")
        counts = recordings.counts(connection, found.recording_id)

    assert (found.recording_id, found.status, found.operator) == (recording.recording_id, "completed", "ada")
    assert (counts["readings"], counts["operations"], counts["events"]) == (1000, 1, 1)
    assert found.ended is not None


@settings(max_examples=60, deadline=None)
@given(READINGS)
def test_every_value_comes_out_of_a_block_as_it_went_in(readings: list[Reading]) -> None:
    batch = unpack(pack(batch_of(fields_of(readings), list(range(len(readings))))))

    assert batch.column("timestamp").to_pylist() == [reading.timestamp for reading in readings]
    assert batch.column("sequence").to_pylist() == [reading.sequence for reading in readings]
    for reading, kind, value, text in zip(
        readings, *(batch.column(name).to_pylist() for name in ("kind", "value", "text")), strict=True
    ):
        match reading.value:
            case None:
                assert kind == 0
            case bool() as truth:
                assert (kind, value) == (3, float(truth))
            case str() as word:
                assert kind == 4
                assert text == word.encode("utf-8", "backslashreplace").decode()
            case int() as whole:
                assert (int(value) if kind == 2 else int(text)) == whole
            case number:
                assert kind == 1
                assert repr(value) == repr(number)


def test_a_block_that_is_cut_or_changed_is_refused() -> None:
    block = pack(batch_of(fields_of(some_readings(100)), [1] * 100))

    with pytest.raises(CheckFailed):
        unpack(block[:-1])
    with pytest.raises(CheckFailed):
        unpack(block[:40] + bytes([block[40] ^ 1]) + block[41:])


def test_a_second_recorder_is_refused_with_the_process_that_holds_the_archive(tmp_path: Path) -> None:
    with Store(Places(tmp_path)), pytest.raises(Conflict, match=r"process \d+"), Store(Places(tmp_path)):
        pass


def test_a_recording_whose_recorder_ended_without_a_word_is_aborted_by_the_next_start(tmp_path: Path) -> None:
    places = Places(tmp_path)
    left = left_hot(places, some_readings(500))

    with Store(places) as store:
        assert store.aborted == [left.recording_id]
    with opened(places) as connection:
        assert recordings.find(connection, left.recording_id).status == "aborted"
    assert table(places).num_rows == 500


def test_operations_of_many_threads_are_durable_when_they_say_so(tmp_path: Path) -> None:
    places = Places(tmp_path)
    recording = new_recording("operations", START)
    with Store(places) as store:
        writer = store.begin(recording)
        threads = [threading.Thread(target=_operate, args=(writer, worker)) for worker in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        there = rows(places, "SELECT count(*) FROM operations")
        store.end(writer, "completed")

    assert there == [(400,)]


def _operate(writer: Writer, worker: int) -> None:
    for number in range(100):
        row = operation_row(writer.recording_id, record(worker * 100 + number))
        writer.durable("operations", row).result()


def test_fault_135_every_connection_enforces_foreign_keys_and_writes_ahead(tmp_path: Path) -> None:
    places, _ = recorded(tmp_path, [])

    with closing(connect(places.database)) as connection:
        assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(
                "INSERT INTO gaps (session_id, timestamp, missed, reason) VALUES ('none', 0, 1, '')"
            )


def test_an_archive_of_a_newer_program_is_refused_and_not_touched(tmp_path: Path) -> None:
    places, _ = recorded(tmp_path, some_readings(10))
    connection = connect(places.database)
    connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(ConfigError, match="schema 99"), Store(places):
        pass
    assert rows(places, "PRAGMA user_version") == [(99,)]


@pytest.mark.parametrize("name", ["", "   ", "x" * 201])
def test_a_recording_without_a_real_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidParameter):
        new_recording(name, START)


def test_a_reading_that_no_column_can_hold_is_noted_as_a_gap_and_the_others_are_kept(tmp_path: Path) -> None:
    unfit = [
        Reading("pump", "level", 1.0, 2**70),
        Reading("pump", "level", 2.0, START, sequence=2**70),
    ]
    strange = Reading("pump \ud800", "level", "\ud800", START)

    places, _ = recorded(tmp_path, [*some_readings(10), *unfit, strange, *some_readings(9, first=10)])

    assert table(places).num_rows == 20
    assert rows(places, "SELECT missed FROM gaps") == [(2,)]


def test_names_are_text_and_never_sql(tmp_path: Path) -> None:
    name = "x'; DROP TABLE chunks; -- 😀"
    readings = [Reading("d'; DROP TABLE series", 'r" OR 1=1', 1.0, START)]

    places, _ = recorded(tmp_path, readings, name=name)

    assert table(places).column("device").to_pylist() == ["d'; DROP TABLE series"]
    assert check_archive(places, tmp_path / "backups").sound


def test_the_chain_of_chunks_goes_on_behind_sealed_ones(tmp_path: Path) -> None:
    places, _ = recorded(tmp_path, some_readings(100))
    left_hot(places, some_readings(300))

    chunks = rows(places, "SELECT previous, digest FROM chunks ORDER BY chunk_id")
    end = rows(places, "SELECT last_digest FROM segments")[0][0]

    assert len(chunks) == 3
    assert [chunk[0] for chunk in chunks] == [end, *(chunk[1] for chunk in chunks[:-1])]
    assert end != GENESIS
