"""Growing: a slow recorder's readings gather in chunks, and no way of ending or sealing loses one of them."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dsmilctl.archive import hot
from dsmilctl.archive.blocks import batch_of, fields_of
from dsmilctl.archive.checks.data import check_chunks
from dsmilctl.archive.database import connect
from dsmilctl.archive.growing import GROWN, Growing
from dsmilctl.archive.places import Places
from dsmilctl.archive.recording import new_recording
from dsmilctl.archive.segments import write_next
from dsmilctl.archive.store import Store
from dsmilctl.archive.writer import Writer
from dsmilctl.clock import SYSTEM
from dsmilctl.errors import Conflict
from dsmilctl.testing.clock import StandingClock
from tests.archive.stand import START, left_hot, opened, rows, some_readings, table

CHUNKS = "SELECT readings FROM chunks ORDER BY chunk_id"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


@pytest.fixture
def store(places: Places) -> Iterator[Store]:
    """An archive of which nothing is sealed while a recording goes on."""
    with Store(places, least=10**9) as store:
        yield store


def commits(writer: Writer, count: int, each: int, first: int = 0) -> None:
    """Readings of a slow recorder: a few with each commit."""
    for number in range(count):
        writer.readings(some_readings(each, first=first + number * each))
        writer.flush()


def unsound(places: Places) -> list[object]:
    with opened(places) as connection:
        return list(check_chunks(connection))


def sequences(places: Places) -> list[int]:
    return sorted(table(places).column("sequence").to_pylist())


def test_a_few_readings_with_each_commit_gather_in_chunks_of_a_thousand(store: Store) -> None:
    places, writer = store.places, store.begin(new_recording("slow", START))

    commits(writer, count=250, each=11)

    assert rows(places, CHUNKS) == [(GROWN // 11 * 11,)] * 2 + [(770,)]
    assert sequences(places) == list(range(1, 2751))
    assert unsound(places) == []
    store.end(writer, "completed")
    assert sequences(places) == list(range(1, 2751))


def test_a_chunk_grows_for_a_minute_at_the_most(places: Places) -> None:
    clock = StandingClock()
    with Store(places, clock=clock) as store:
        writer = store.begin(new_recording("minutes", START))
        for number in range(5):
            commits(writer, 1, 10, first=10 * number)
            clock.advance(25)

        assert rows(places, CHUNKS) == [(30,), (20,)]
        store.end(writer, "completed")


def test_many_readings_at_once_are_a_chunk_of_their_own_and_what_follows_begins_another(store: Store) -> None:
    writer = store.begin(new_recording("bursts", START))

    for first, count in ((0, 5), (5, 3000), (3005, 5), (3010, 5)):
        commits(writer, 1, count, first)

    assert rows(store.places, CHUNKS) == [(5,), (3000,), (10,)]
    store.end(writer, "completed")


def test_a_commit_that_the_disk_refuses_leaves_the_chunk_as_it_was(store: Store) -> None:
    writer = store.begin(new_recording("full", START))
    commits(writer, 2, 10)

    def refuse(_: sqlite3.Connection) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    writer.readings(some_readings(10, first=20))
    with pytest.raises(OSError, match="full"):
        writer.work(refuse).result()
    assert rows(store.places, CHUNKS) == [(20,)]
    commits(writer, 1, 10, first=30)

    assert rows(store.places, CHUNKS) == [(40,)]
    store.end(writer, "completed")
    assert sequences(store.places) == list(range(1, 41))


def test_what_a_killed_recorder_left_does_not_grow(places: Places) -> None:
    with Store(places) as store:
        commits(store.begin(new_recording("killed", START)), 3, 10)
        writer = store.begin(new_recording("next", START))

        commits(writer, 3, 10, first=30)

        assert rows(places, CHUNKS) == [(30,), (30,)]
        previous, digest = (rows(places, f"SELECT {name} FROM chunks") for name in ("previous", "digest"))
        assert previous[1] == digest[0]
        store.end(writer, "completed")
    assert sequences(places) == list(range(1, 61))


def test_a_chunk_that_grows_while_it_is_sealed_keeps_every_reading(store: Store) -> None:
    places, writer = store.places, store.begin(new_recording("sealed", START))
    commits(writer, 120, 10)
    assert rows(places, CHUNKS) == [(1000,), (200,)]

    sealed = write_next(places, writer.recording_id)
    commits(writer, 1, 10, first=1200)
    assert sealed is not None
    with pytest.raises(Conflict, match="chunks up to 2 have changed"):
        writer.work(sealed.replace).result()
    assert sequences(places) == list(range(1, 1211))

    complete = write_next(places, writer.recording_id, ended=False)
    commits(writer, 1, 10, first=1210)
    assert complete is not None
    writer.work(complete.replace).result()
    assert rows(places, CHUNKS) == [(220,)]
    assert sequences(places) == list(range(1, 1221))
    store.end(writer, "completed")


def test_growing_and_sealing_by_chance_lose_nothing_and_leave_a_sound_chain(store: Store) -> None:
    places, writer, chance, told = (
        store.places,
        store.begin(new_recording("chance", START)),
        random.Random(7),
        0,
    )
    for _ in range(150):
        if chance.random() < 0.1:
            found = write_next(places, writer.recording_id, ended=False)
            count = chance.randrange(1, 400)
            commits(writer, 1, count, told)
            told += count
            if found is not None:
                writer.work(found.replace).result()
        count = chance.choice([1, 3, 11, 500, 1500])
        commits(writer, 1, count, told)
        told += count

    assert sequences(places) == list(range(1, told + 1))
    assert unsound(places) == []
    store.end(writer, "completed")
    assert sequences(places) == list(range(1, told + 1))


def test_a_transaction_that_is_taken_back_takes_the_growth_back(store: Store) -> None:
    places, writer = store.places, store.begin(new_recording("again", START))
    commits(writer, 1, 10)
    store.end(writer, "completed")
    fields = fields_of(some_readings(5, first=10))
    with closing(connect(places.database)) as connection:
        growing = Growing(connection, writer.recording_id, SYSTEM)
        for _ in range(3):
            newest = growing.newest
            connection.execute("BEGIN")
            growing.put(batch_of(fields, [1] * 5))
            connection.execute("ROLLBACK")
            growing.newest = newest
        growing.put(batch_of(fields, [1] * 5))
        growing.put(batch_of(fields, [1] * 5))

    assert rows(places, CHUNKS) == [(10,)]


@pytest.mark.parametrize("piece", [1, 50, 10**6])
def test_small_chunks_are_read_together_in_their_order_each_with_its_recording(
    places: Places, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr(hot, "PIECE", piece)
    first = left_hot(places, some_readings(400), chunk=7)
    second = left_hot(places, some_readings(400, first=400), chunk=30)

    with opened(places) as connection:
        found = hot.table_of(connection, hot.chunks(connection))
        ordered = hot.ordered_table_of(connection, hot.chunks(connection))

    assert found.column("sequence").to_pylist() == list(range(1, 801))
    assert found.column("recording").to_pylist() == [first.recording_id] * 400 + [second.recording_id] * 400
    of_devices = [list(range(device, 801, 4)) for device in (1, 2, 3, 4)]
    assert ordered.column("sequence").to_pylist() == [number for part in of_devices for number in part]
