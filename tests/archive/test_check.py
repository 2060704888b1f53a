"""Check: whatever is changed in a file of an archive is found, named, and mended where that is safe."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from dsmilctl.archive.check import check_archive
from dsmilctl.archive.database import connect
from dsmilctl.archive.finding import Checked
from dsmilctl.archive.places import Places
from dsmilctl.archive.recording import new_recording
from dsmilctl.archive.repair import repair_archive
from dsmilctl.archive.store import Store
from tests.archive.stand import EVENT, left_hot, record, recorded, rows, some_readings, table

SECOND_CHUNK = "chunk_id = (SELECT min(chunk_id) + 1 FROM chunks)"
FLIPS = 60
SEED = 20261120


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A closed archive with two sealed recordings."""
    recorded(tmp_path / "archive", some_readings(2000), records=[record()], events=[EVENT])
    return recorded(tmp_path / "archive", some_readings(1000), name="second")[0]


def checked(places: Places) -> Checked:
    return check_archive(places, places.folder.parent / "backups")


def errors(found: Checked) -> list[tuple[str, str]]:
    """Layer and place of everything that is damaged and not mended."""
    return [
        (item.layer, item.where) for item in found.findings if item.severity == "error" and not item.mended
    ]


def flip(path: Path, bit: int) -> None:
    """Turn one bit of a file around."""
    with path.open("r+b") as file:
        file.seek(bit // 8)
        (byte,) = file.read(1)
        file.seek(bit // 8)
        file.write(bytes([byte ^ (1 << bit % 8)]))


def random_bits(path: Path, count: int) -> list[int]:
    chance = random.Random(SEED)  # the same bits in every run
    return [chance.randrange(path.stat().st_size * 8) for _ in range(count)]


def test_a_sound_archive_is_sound_and_says_how_much_was_read(places: Places) -> None:
    found = checked(places)

    assert found.sound
    assert (found.segments, found.readings) == (2, 3000)


@pytest.mark.parametrize(
    "name", ["archive.db", "closing.json", "segments/*-0000000?.parquet", "segments/*-1m.parquet"]
)
def test_every_flipped_bit_of_a_closed_archive_is_found_and_its_file_named(places: Places, name: str) -> None:
    file = sorted(places.folder.glob(name))[0]
    kept = file.read_bytes()

    for bit in random_bits(file, FLIPS):
        flip(file, bit)
        found = {where for _, where in errors(checked(places))}
        assert str(file.relative_to(places.folder)) in found, f"bit {bit} of {name}"
        file.write_bytes(kept)

    assert checked(places).sound


def test_every_flipped_bit_of_the_log_that_a_killed_recorder_left_is_found(places: Places) -> None:
    with Store(places) as store:
        writer = store.begin(new_recording("cut short", 1))
        for first in range(0, 600, 200):
            writer.readings(some_readings(200, first=first))
            writer.flush()
        cut = Places(places.folder.parent / "cut")
        shutil.copytree(places.folder, cut.folder)
        store.end(writer, "completed")
    log = cut.folder / "archive.db-wal"
    kept = log.read_bytes()
    recording = {where for _, where in errors(checked(cut))}
    assert len(recording) == 1, "all that is wrong is that the recording has no end"

    for bit in random_bits(log, FLIPS):
        flip(log, bit)
        assert "archive.db-wal" in {where for _, where in errors(checked(cut))}, f"bit {bit}"
        log.write_bytes(kept)


def test_every_flipped_bit_of_a_chunk_is_found_and_the_chunk_named(places: Places) -> None:
    left_hot(places, some_readings(500))
    places.closing.unlink()  # as after a crash: nothing says what the file was like
    connection = connect(places.database)
    number, block = connection.execute("SELECT chunk_id, block FROM chunks LIMIT 1").fetchone()
    chance = random.Random(SEED)

    for _ in range(FLIPS):
        bit = chance.randrange(len(block) * 8)
        changed = bytearray(block)
        changed[bit // 8] ^= 1 << bit % 8
        connection.execute("UPDATE chunks SET block = ? WHERE chunk_id = ?", (bytes(changed), number))
        assert ("data", f"chunk {number}") in errors(checked(places)), f"bit {bit}"
    connection.close()


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (f"UPDATE chunks SET wall = wall + 1 WHERE {SECOND_CHUNK}", 1),
        (f"UPDATE chunks SET readings = 99 WHERE {SECOND_CHUNK}", 1),
        (f"DELETE FROM chunks WHERE {SECOND_CHUNK}", 2),
        (
            f"""UPDATE chunks SET (readings, first_timestamp, last_timestamp, wall, monotonic, previous,
               digest, block) = (SELECT readings, first_timestamp, last_timestamp, wall, monotonic, previous,
               digest, block FROM chunks ORDER BY chunk_id LIMIT 1) WHERE {SECOND_CHUNK}""",
            1,
        ),
    ],
    ids=["changed", "miscounted", "missing", "replayed"],
)
def test_a_chunk_that_is_changed_missing_or_replayed_is_named(
    places: Places, change: str, where: int
) -> None:
    left_hot(places, some_readings(500))
    connection = connect(places.database)
    first = connection.execute("SELECT min(chunk_id) FROM chunks").fetchone()[0]
    places.closing.unlink()

    connection.execute(change)
    connection.close()

    assert ("data", f"chunk {first + where}") in errors(checked(places))


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ("UPDATE operations SET user = 'eve'", ("data", "operations row 1")),
        ("UPDATE events SET message = 'all is well'", ("data", "events row 1")),
        (
            "UPDATE token_definitions SET accessible = 1 WHERE token_id = 1152",
            ("data", "token_definitions 0x480"),
        ),
        ("DELETE FROM device_definitions WHERE device_id = 32768", ("data", "device_definitions 0x8000")),
        ("DROP VIEW session_summary", ("database", "session_summary")),
        ("DROP TRIGGER update_session_stats", ("database", "update_session_stats")),
        ("PRAGMA foreign_keys = OFF; DELETE FROM test_sessions", ("database", "segments row 1")),
    ],
)
def test_a_row_or_object_that_somebody_changed_is_named(
    places: Places, change: str, where: tuple[str, str]
) -> None:
    connection = connect(places.database)
    connection.executescript(change)
    connection.close()
    places.closing.unlink()

    assert where in errors(checked(places))


def _rename(file: Path) -> None:
    file.rename(file.with_name("other.parquet"))


def _add(file: Path) -> None:
    shutil.copy(file, file.with_name("extra.parquet"))


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (Path.unlink, {"{file}"}),
        (_rename, {"{file}", "segments/other.parquet"}),
        (_add, {"segments/extra.parquet"}),
        (_cut, {"{file}"}),
    ],
    ids=["missing", "renamed", "extra", "cut"],
)
def test_a_segment_that_is_missing_renamed_cut_or_too_many_is_named(
    places: Places, change: Callable[[Path], None], named: set[str]
) -> None:
    file = sorted(places.segments.iterdir())[0]

    change(file)

    found = {where for _, where in errors(checked(places))}
    assert found == {name.format(file=f"segments/{file.name}") for name in named}


def test_a_repair_sets_a_damaged_segment_aside_notes_the_gap_and_keeps_the_rest(places: Places) -> None:
    file = next(path for path in places.segments.glob("*-second-*") if "-1m" not in path.name)
    flip(file, 999)
    content = file.read_bytes()

    found = repair_archive(places, places.folder.parent / "backups")

    assert found.sound
    assert any("damaged/" in item.mended for item in found.findings)
    assert checked(places).sound
    assert table(places).num_rows == 2000
    gaps = rows(places, "SELECT missed FROM gaps")
    assert gaps == [(1000,)]
    assert [path.read_bytes() for path in (places.folder / "damaged").iterdir()] == [content]


def test_a_repair_sets_a_damaged_chunk_aside_and_keeps_every_intact_one_readable(places: Places) -> None:
    left_hot(places, some_readings(500))
    connection = connect(places.database)
    connection.execute("UPDATE chunks SET wall = 0 WHERE chunk_id = (SELECT min(chunk_id) FROM chunks)")
    connection.close()
    places.closing.unlink()

    found = repair_archive(places, places.folder.parent / "backups")

    assert next(item.where for item in found.findings if "damaged/" in item.mended).startswith("chunk ")
    assert table(places).num_rows == 3400
    assert checked(places).sound


def test_a_repair_leaves_a_database_alone_whose_own_pages_are_damaged(places: Places) -> None:
    flip(places.database, 8 * 4096 * 3 + 5)
    content = places.database.read_bytes()

    found = repair_archive(places, places.folder.parent / "backups")

    assert not found.sound
    assert places.database.read_bytes() == content


def test_a_recording_without_an_end_is_told_and_marked_by_a_repair(places: Places) -> None:
    left = left_hot(places, some_readings(10))

    assert ("data", f"recording {left.recording_id}") in errors(checked(places))
    assert repair_archive(places, places.folder.parent / "backups").sound
    assert checked(places).sound


def test_an_archive_is_checked_while_a_recorder_is_at_work(places: Places) -> None:
    with Store(places) as store:
        writer = store.begin(new_recording("now", 1))
        writer.readings(some_readings(1000))
        writer.flush()

        assert checked(places).sound
        store.end(writer, "completed")
