"""Retention: old readings make room for stretches, and no interruption leaves less than the policy keeps."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest

from dsmilctl.archive.check import check_archive
from dsmilctl.archive.database import connect
from dsmilctl.archive.places import Places
from dsmilctl.archive.query import Query, Wanted
from dsmilctl.archive.retention import Keep, maintain
from dsmilctl.archive.store import Store
from dsmilctl.model.reading import Reading
from dsmilctl.testing.clock import StandingClock
from tests.archive.stand import SECOND, START, recorded, table

HOUR = 3600 * SECOND
DAY = 24 * HOUR


def minutes_of(places: Places) -> list[tuple[object, ...]]:
    """Mean and count of every minute."""
    with Query(places) as query:
        found = query.readings(Wanted(every=60 * SECOND)).read_all()
    return list(zip(found.column("value").to_pylist(), found.column("readings").to_pylist(), strict=True))


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """Two hours of one register, a reading a second."""
    readings = [Reading("boiler", "TEMP", number % 60 / 2, START + number * SECOND) for number in range(7200)]
    return recorded(tmp_path / "archive", readings)[0]


def names(places: Places) -> list[str]:
    return sorted(path.name.rpartition("0000000")[2] for path in places.segments.iterdir())


def test_readings_that_are_over_leave_minutes_with_the_same_averages(places: Places) -> None:
    before = minutes_of(places)

    with Store(places) as store:
        done = maintain(store.places, Keep(raw=DAY), clock=StandingClock(START + 2 * DAY))

    assert len(done.removed) == 1
    assert table(places).num_rows == 0
    assert minutes_of(places) == before
    assert check_archive(places, places.folder).sound


def test_readings_become_seconds_and_minutes_become_hours_where_those_are_kept_longer(places: Places) -> None:
    keep = Keep(raw=HOUR, seconds=DAY, minutes=HOUR, hours=None)

    with Store(places) as store:
        done = maintain(store.places, keep, clock=StandingClock(START + DAY))

    assert sorted(name.rpartition("-")[2] for name in done.made) == ["1h.parquet", "1s.parquet"]
    assert check_archive(places, places.folder).sound


def test_what_is_not_over_stays_and_a_dry_run_changes_nothing(places: Places) -> None:
    before = names(places)

    with Store(places) as store:
        kept = maintain(store.places, Keep(raw=DAY), clock=StandingClock(START + HOUR))
        told = maintain(store.places, Keep(raw=DAY), dry_run=True, clock=StandingClock(START + 9 * DAY))

    assert (kept.removed, len(told.removed)) == ((), 1)
    assert names(places) == before


@pytest.mark.parametrize("step", range(8))
def test_an_interruption_at_any_step_keeps_what_the_policy_keeps_and_the_next_run_goes_on(
    places: Places, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = Keep(raw=HOUR, seconds=2 * DAY, minutes=HOUR)
    steps = iter(range(100))

    def interrupted(work: object) -> object:
        def call(*given: object, **named: object) -> object:
            if next(steps) == step:
                raise KeyboardInterrupt
            return work(*given, **named)  # type: ignore[operator]  # any function of os or pathlib

        return call

    with monkeypatch.context() as patched:
        for owner, name in ((os, "replace"), (os, "fsync"), (Path, "unlink")):
            patched.setattr(owner, name, interrupted(getattr(owner, name)))
        with pytest.raises((KeyboardInterrupt, OSError)), Store(places) as store:
            maintain(store.places, keep, clock=StandingClock(START + DAY))
            raise OSError("nothing was left to interrupt")

    with Store(places) as store:
        maintain(store.places, keep, clock=StandingClock(START + DAY))
        again = maintain(store.places, keep, clock=StandingClock(START + DAY))
    assert (again.removed, again.made) == ((), ())
    assert all("-1s" in name or "-1h" in name for name in names(places))
    assert sum(int(str(count)) for _, count in minutes_of(places)) == 7200
    assert check_archive(places, places.folder).sound


def test_the_database_gives_empty_pages_back_and_knows_its_indices_and_all_is_sound(places: Places) -> None:
    def filled() -> None:
        connection = connect(places.database)
        connection.execute("CREATE TABLE filling (content BLOB)")
        connection.execute("INSERT INTO filling VALUES (randomblob(4000000))")
        connection.execute("DROP TABLE filling")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()

    def ways() -> tuple[str, bool, bool]:
        filled()
        with Store(places) as store:
            done = maintain(store.places, Keep(), clock=StandingClock(START))
        return done.vacuum, done.vacuumed > 3_900_000, done.analyzed

    assert (ways(), ways()) == (("full", True, True), ("incremental", True, True))
    assert places.database.stat().st_size < 2_000_000
    with closing(connect(places.database, read_only=True)) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_stat1").fetchone()[0]
    assert check_archive(places, places.folder).sound
