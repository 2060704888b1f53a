"""Backup: an archive is copied while it is written, proved whole, and comes back with the same rows."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dsmilctl.archive.backup.creating import Source, create
from dsmilctl.archive.backup.folder import Folder
from dsmilctl.archive.backup.repository import Repository
from dsmilctl.archive.backup.restoring import bring_out, require_whole, restore
from dsmilctl.archive.backup.verifying import strangers, verify
from dsmilctl.archive.check import check_archive
from dsmilctl.archive.database import connect
from dsmilctl.archive.places import Places
from dsmilctl.archive.recording import new_recording
from dsmilctl.archive.store import Store
from dsmilctl.errors import CheckFailed, Conflict, InvalidParameter, NotFound
from tests.archive.stand import EVENT, START, listed, record, recorded, some_readings, table


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(Folder(tmp_path / "backups"))


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return recorded(
        tmp_path / "archive", some_readings(5000), records=[record(1), record(2)], events=[EVENT]
    )[0]


def everything(places: Places) -> dict[str, list[tuple[object, ...]]]:
    """All rows of an archive: its tables, and the readings, sealed or not."""
    connection = connect(places.database, read_only=True)
    try:
        tables = ("test_sessions", "operations", "events", "gaps", "token_definitions", "device_definitions")
        rows = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in tables}
    finally:
        connection.close()
    return rows | {"readings": [tuple(row.values()) for row in table(places).to_pylist()]}


def brought_back(repository: Repository, places: Places, name: str = "last") -> Path | None:
    """Restore over what is there."""
    return restore(repository, repository.manifest(name), places, before=lambda: True)


def test_what_is_restored_after_the_archive_is_lost_has_the_same_rows(
    places: Places, repository: Repository, tmp_path: Path
) -> None:
    before = everything(places)
    made = create(places, repository)
    assert verify(repository, made) == []
    places.folder.rename(tmp_path / "lost")

    brought_back(repository, places)

    assert everything(places) == before
    assert (made.recordings, made.tables["readings"], made.tables["operations"]) == (1, 5000, 2)
    assert check_archive(places, tmp_path / "backups").sound


def test_185_a_backup_is_verified_without_restoring_it_and_that_is_noted(
    places: Places, repository: Repository
) -> None:
    made = create(places, repository)
    assert repository.verified(made) is None

    assert verify(repository, made) == []

    assert repository.verified(repository.manifest(made.name)) is not None


def test_187_a_backup_right_after_the_first_record_holds_it_while_the_recorder_goes_on(
    repository: Repository, tmp_path: Path
) -> None:
    places = Places(tmp_path / "archive")
    with Store(places) as store:
        writer = store.begin(new_recording("first", START))
        writer.readings(some_readings(1))
        writer.flush()

        made = create(places, repository)

        writer.readings(some_readings(10, first=1))
        store.end(writer, "completed")
    assert verify(repository, made) == []
    assert (made.recordings, made.tables["readings"]) == (1, 1)
    bring_out(repository, made, tmp_path / "out")
    assert table(Places(tmp_path / "out/archive")).num_rows == 1
    (found,) = listed(Places(tmp_path / "out/archive"))
    assert found.status == "aborted", "it was running when the backup was made"


def test_188_a_reader_that_has_the_old_database_open_does_not_win_over_what_is_restored(
    places: Places, repository: Repository
) -> None:
    create(places, repository)
    before = everything(places)
    recorded(places.folder, some_readings(7), name="later")
    reader = connect(places.database)
    assert reader.execute("SELECT count(*) FROM test_sessions").fetchone() == (2,)
    reader.execute("BEGIN IMMEDIATE")
    reader.execute("UPDATE test_sessions SET notes = 'not to be kept'")

    brought_back(repository, places)
    reader.execute("COMMIT")
    reader.close()

    assert everything(places) == before


@pytest.mark.parametrize("part", ["archive.db", "parquet"])
def test_faults_181_and_189_objects_that_change_names_are_found(
    places: Places, repository: Repository, tmp_path: Path, part: str
) -> None:
    made = create(places, repository)
    database, *segments = (entry.objects[0] for entry in repository.entries(made))
    one, other = segments[:2] if part == "parquet" else (database, segments[0])
    folder = tmp_path / "backups/objects"
    (folder / one).rename(folder / "between")
    (folder / other).rename(folder / one)
    (folder / "between").rename(folder / other)

    found = verify(repository, made)

    assert {item.where for item in found} >= {f"objects/{one}"}
    with pytest.raises(CheckFailed, match="renamed"):
        require_whole(repository, made, scratch=None)


def test_190_the_same_name_twice_is_refused_and_two_in_one_second_get_two_names(
    places: Places, repository: Repository
) -> None:
    create(places, repository, name="tour")
    first = (repository.target.read("tour.json"), sorted(repository.target.names()))

    with pytest.raises(Conflict, match="tour already"):
        create(places, repository, name="tour")

    assert (repository.target.read("tour.json"), sorted(repository.target.names())) == first
    assert len({create(places, repository).name for _ in range(3)}) == 3
    assert len(repository.manifests()) == 4


@pytest.mark.parametrize("name", ["last", "../up", "a/b", ".hidden", " ", "x" * 101, "a\nb"])
def test_a_name_that_no_file_can_have_is_refused(places: Places, repository: Repository, name: str) -> None:
    with pytest.raises(InvalidParameter):
        create(places, repository, name=name)


def test_a_second_backup_adds_what_has_changed_only(places: Places, repository: Repository) -> None:
    first = create(places, repository)
    again = create(places, repository)
    recorded(places.folder, some_readings(100, first=5000), name="more")

    third = create(places, repository)

    assert again.stored == 0
    assert 0 < third.stored < first.stored
    assert verify(repository, third) == []


def test_an_archive_in_which_nothing_was_recorded_is_not_backed_up(
    repository: Repository, tmp_path: Path
) -> None:
    places = Places(tmp_path / "archive")
    with Store(places):
        pass

    with pytest.raises(NotFound, match="nothing was recorded"):
        create(places, repository)
    assert repository.manifests() == []


def test_a_backup_that_would_restore_nothing_fails_its_verification(
    places: Places, repository: Repository
) -> None:
    connection = connect(places.database)
    made = create(places, repository, name="empty")
    connection.execute("DELETE FROM test_sessions")
    connection.close()
    emptied = sqlite3.connect(places.database)
    emptied.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    emptied.close()

    from dsmilctl.archive.backup.verifying import check_database

    found = [item.what for item in check_database(made, places.database, {})]

    assert "it holds no recording: it would restore nothing" in found
    assert "readings has 0 rows and should have 5000" in found


def test_a_damaged_segment_is_told_and_not_backed_up_as_good(places: Places, repository: Repository) -> None:
    segment = next(places.segments.iterdir())
    content = bytearray(segment.read_bytes())
    content[50] ^= 1
    segment.write_bytes(content)

    with pytest.raises(CheckFailed, match=segment.name):
        create(places, repository)

    assert repository.manifests() == []


def test_configuration_and_journal_come_along_and_out_again(
    places: Places, repository: Repository, tmp_path: Path
) -> None:
    settings, journal = tmp_path / "config.toml", tmp_path / "journal-000001.jsonl"
    settings.write_text("timeout = '2s'\n")
    journal.write_bytes(b"{}\n" * 500_000)  # longer than one object
    sources = [Source("config/config.toml", settings), Source("state/journal-000001.jsonl", journal)]

    made = create(places, repository, along=sources, left_out=["state/tokens/plant"])
    bring_out(repository, made, tmp_path / "out")

    assert made.left_out == ("state/tokens/plant",)
    assert (tmp_path / "out/config/config.toml").read_bytes() == settings.read_bytes()
    assert (tmp_path / "out/state/journal-000001.jsonl").read_bytes() == journal.read_bytes()
    assert everything(Places(tmp_path / "out/archive")) == everything(places)


def test_a_folder_with_something_in_it_is_not_restored_into(
    places: Places, repository: Repository, tmp_path: Path
) -> None:
    made = create(places, repository)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine").write_text("keep")

    with pytest.raises(Conflict, match="not empty"):
        bring_out(repository, made, tmp_path / "out")

    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]


def test_nothing_is_restored_while_a_recorder_is_at_work(places: Places, repository: Repository) -> None:
    create(places, repository)
    with Store(places) as store:
        writer = store.begin(new_recording("now", START))
        writer.readings(some_readings(10))

        with pytest.raises(Conflict, match="another recorder"):
            brought_back(repository, places)

        store.end(writer, "completed")
    assert len(listed(places)) == 2


@pytest.fixture
def recording_now(tmp_path: Path) -> Iterator[tuple[Places, list[int]]]:
    """An archive into which a thread records as fast as it can, and the numbers that are on the disk."""
    places, flushed, ended = Places(tmp_path / "archive"), [0], threading.Event()

    def go_on() -> None:
        with Store(places, least=20_000) as store:
            writer = store.begin(new_recording("fast", START))
            while not ended.is_set():
                first = flushed[-1]
                writer.readings(some_readings(2000, first=first))
                writer.flush()
                flushed.append(first + 2000)
            store.end(writer, "completed")

    thread = threading.Thread(target=go_on)
    thread.start()
    while len(flushed) < 3:
        pass
    yield places, flushed
    ended.set()
    thread.join()


def test_backups_during_recording_at_full_speed_hold_all_that_was_on_the_disk_when_they_began(
    recording_now: tuple[Places, list[int]], repository: Repository, tmp_path: Path
) -> None:
    places, flushed = recording_now
    for number in range(4):
        there = flushed[-1]

        made = create(places, repository)

        assert verify(repository, made) == []
        assert there <= made.tables["readings"]
        bring_out(repository, made, tmp_path / f"out-{number}")
        found = sorted(table(Places(tmp_path / f"out-{number}/archive")).column("sequence").to_pylist())
        assert found == list(range(1, made.tables["readings"] + 1)), "nothing is missing, nothing is twice"
    assert list(strangers(repository)) == []


def test_files_in_other_formats_come_along_and_those_that_are_being_written_are_made_anew(
    repository: Repository, tmp_path: Path
) -> None:
    places = Places(tmp_path / "archive")
    with Store(places) as store:
        done = store.begin(new_recording("done", START), also=("csv",))
        done.readings(some_readings(300))
        store.end(done, "completed")
        running = store.begin(new_recording("running", START), also=("ndjson",))
        running.readings(some_readings(200))
        running.flush()
        made = create(places, repository)
        store.end(running, "completed")

    assert verify(repository, made) == []
    brought_back(repository, places)

    assert sorted(path.suffix for path in places.beside.iterdir()) == [".csv", ".ndjson"]
    assert check_archive(places, tmp_path / "backups").sound
    next(places.beside.glob("*.csv")).write_text("something else")
    with pytest.raises(CheckFailed, match="beside/"):
        create(places, Repository(Folder(tmp_path / "others")))


def test_a_sealed_file_that_the_last_backup_has_is_not_read_again_unless_an_object_of_it_is_missing(
    places: Places, repository: Repository, tmp_path: Path
) -> None:
    first = create(places, repository)
    segment = next(path for path in places.segments.iterdir() if "-1m" not in path.name)
    content = segment.read_bytes()
    segment.unlink()
    again = create(places, repository)
    assert verify(repository, again) == []
    assert again.entries == first.entries

    kept = next(entry for entry in first.entries if entry.name.endswith(segment.name))
    repository.target.remove(f"objects/{kept.objects[0]}")
    with pytest.raises(CheckFailed, match="missing"):
        create(places, repository)
    segment.write_bytes(content)

    assert verify(repository, create(places, repository)) == []
    assert verify(repository, first) == [], "the object is back for the others, too"
