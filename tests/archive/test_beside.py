"""Beside: CSV, JSON lines, Parquet and .dsm are written with the archive and hold the same, come what may."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsmilctl.archive import live as live_files
from dsmilctl.archive.beside import require_formats
from dsmilctl.archive.check import check_archive
from dsmilctl.archive.exporting import COLUMNS
from dsmilctl.archive.importing import read_file
from dsmilctl.archive.live import LIVE
from dsmilctl.archive.places import Places
from dsmilctl.archive.query import Wanted
from dsmilctl.archive.recording import Recording, new_recording
from dsmilctl.archive.repair import repair_archive
from dsmilctl.archive.store import Store
from dsmilctl.archive.writer import Writer
from dsmilctl.errors import InvalidParameter
from dsmilctl.model.reading import Reading
from tests.archive import stand
from tests.archive.stand import START, some_readings, table
from tests.archive.test_carrying import EXTREMES
from tests.archive.test_recording import READINGS

FORMATS = tuple(LIVE)
ROUNDS = 10


def begun(store: Store, *, name: str = "tour") -> tuple[Recording, Writer]:
    recording = new_recording(name, START, operator="ada")
    return recording, store.begin(recording, FORMATS)


def told(rows: pa.Table) -> list[str]:
    """Every reading as text, in an order of its own."""
    plain = rows.select(list(COLUMNS))
    plain = plain.set_column(COLUMNS.index("time"), "time", plain.column("time").cast("int64"))
    return sorted(repr(tuple(row.values())) for row in plain.to_pylist())


def held(places: Places, recording_id: str) -> dict[str, list[str]]:
    """What each format holds of a recording, and the archive itself."""
    found = {"archive": told(table(places, Wanted(recording=recording_id)))}
    for name in FORMATS:
        _, batches = read_file(places.beside / f"{recording_id}.{name}", name)
        gathered = list(batches)
        found[name] = told(pa.Table.from_batches(gathered)) if gathered else []
    return found


def same(found: dict[str, list[str]]) -> list[str]:
    """What all of them hold."""
    for name, rows in found.items():
        assert rows == found["archive"], name
    return found["archive"]


@settings(max_examples=8, deadline=None)
@given(st.lists(READINGS, max_size=4))
def test_fault_138_every_format_holds_every_reading_as_it_was(commits: list[list[Reading]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        places = Places(Path(folder))
        with Store(places) as store:
            recording, writer = begun(store)
            for readings in [*commits, EXTREMES]:
                writer.readings(readings)
                writer.flush()
            store.end(writer, "completed")

        assert len(same(held(places, recording.recording_id))) == sum(map(len, commits)) + len(EXTREMES)
        assert check_archive(places, Path(folder) / "backups").sound
        assert not list(places.beside.glob("*.live"))


def test_the_files_say_whose_they_are_and_nothing_is_written_that_nobody_asked_for(tmp_path: Path) -> None:
    places = Places(tmp_path)
    with Store(places) as store:
        writer = store.begin(recording := new_recording("tour", START, operator="ada"), ("dsm", "ndjson"))
        writer.readings(some_readings(10))
        store.end(writer, "failed", "because")

    for name in ("dsm", "ndjson"):
        description, _ = read_file(places.beside / f"{recording.recording_id}.{name}", name)
        assert description is not None
        assert (description.recording.status, description.recording.notes) == ("failed", "because")
    assert len(list(places.beside.iterdir())) == 2
    with pytest.raises(InvalidParameter, match="no format 'xls'"):
        require_formats(["csv", "xls"])


def test_many_commits_become_few_parts_of_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_files, "FAN", 4)
    places = Places(tmp_path)
    with Store(places) as store:
        recording, writer = begun(store)
        for number in range(30):
            writer.readings(some_readings(10, first=10 * number))
            writer.flush()
        (folder,) = places.beside.glob("*.parquet.live")
        assert len(list(folder.iterdir())) <= 12
        store.end(writer, "completed")

    assert len(same(held(places, recording.recording_id))) == 300


def test_fault_184_a_commit_that_the_disk_refuses_is_in_no_file_and_in_all_of_them_later(
    tmp_path: Path,
) -> None:
    places = Places(tmp_path)
    with Store(places, interval=0.02) as store:
        recording, writer = begun(store)
        writer.readings(some_readings(1000))
        writer.flush()
        pages = writer._connection.execute("PRAGMA page_count").fetchone()[0]
        writer._connection.execute(f"PRAGMA max_page_count = {pages}")
        writer.readings(some_readings(30_000, first=1000))
        with pytest.raises(OSError, match="full"):
            writer.flush()
        lengths = [path.stat().st_size for path in places.beside.glob("*.csv.live")]

        writer._connection.execute("PRAGMA max_page_count = 1000000")
        writer.flush()
        assert [path.stat().st_size for path in places.beside.glob("*.csv.live")] > lengths
        store.end(writer, "completed")

    assert len(same(held(places, recording.recording_id))) == 31_000


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_that_takes_nothing_holds_back_the_whole_commit(name: str, tmp_path: Path) -> None:
    places = Places(tmp_path)
    with Store(places, interval=0.02) as store:
        recording, writer = begun(store)
        writer.readings(some_readings(100))
        writer.flush()
        assert writer.beside is not None
        file = writer.beside._live[name]
        append = file.append

        def refuse(batch: pa.RecordBatch) -> None:
            append(batch)
            raise OSError(28, "No space left on device")

        file.append = refuse  # type: ignore[method-assign]  # a disk that fills up just there
        writer.readings(some_readings(100, first=100))
        with pytest.raises(OSError, match="No space"):
            writer.flush()
        assert table(places).num_rows == 100

        file.append = append  # type: ignore[method-assign]  # there is room again
        writer.flush()
        store.end(writer, "completed")

    assert len(same(held(places, recording.recording_id))) == 200


def killed(folder: Path, lines: int) -> int:
    """How many readings a recorder had given when it was killed, some lines after it began."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.archive.recording_process", str(folder), "2000", *FORMATS],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(lines)]
    os.killpg(process.pid, signal.SIGKILL)
    said += process.stdout.readlines()
    process.wait()
    process.stdout.close()
    return max(int(line.split()[1]) for line in said if line.startswith(b"given") and line.endswith(b"\n"))


@pytest.mark.parametrize("round", range(ROUNDS))
def test_fault_140_a_killed_recorder_leaves_every_format_with_the_same_readings(
    round: int, tmp_path: Path
) -> None:
    places = Places(tmp_path / "archive")

    given = killed(places.folder, random.Random(100 + round).randrange(5, 200))

    noted = stand.rows(places, "SELECT readings FROM sinks")
    assert len({row[0] for row in noted}) == 1, "each of them counts as many"
    before = check_archive(places, tmp_path / "backups")
    assert sum("was not finished" in item.what for item in before.findings) == len(FORMATS)
    with Store(places) as store:
        (recording_id,) = store.aborted
    rows = same(held(places, recording_id))
    assert len(rows) == noted[0][0]
    assert len(rows) <= given
    assert check_archive(places, tmp_path / "backups").sound
    assert not list(places.beside.glob("*.live"))


@pytest.mark.parametrize("name", FORMATS)
def test_what_a_power_cut_took_from_a_live_file_comes_out_of_the_archive(name: str, tmp_path: Path) -> None:
    places = Places(tmp_path / "archive")
    killed(places.folder, 60)
    (path,) = places.beside.glob(f"*.{name}.live")
    if path.is_dir():
        sorted(path.iterdir())[0].unlink()
    else:
        os.truncate(path, path.stat().st_size // 2)

    with Store(places) as store:
        (recording_id,) = store.aborted

    assert same(held(places, recording_id))


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("harm", "word"),
    [
        (flip, "bits of it have changed"),
        (lambda path: path.unlink(), "missing"),
        (lambda path: path.write_bytes(b""), "bytes and should have"),
    ],
    ids=["flipped", "missing", "cut"],
)
@pytest.mark.parametrize("name", FORMATS)
def test_harm_to_a_file_beside_is_named_and_mended(
    name: str, harm: Callable[[Path], object], word: str, tmp_path: Path
) -> None:
    places = Places(tmp_path / "archive")
    with Store(places) as store:
        recording, writer = begun(store)
        writer.readings(some_readings(500))
        store.end(writer, "completed")
    harm(places.beside / f"{recording.recording_id}.{name}")

    found = check_archive(places, tmp_path / "backups")
    (item,) = [item for item in found.findings if item.severity == "error"]
    assert (item.layer, item.where) == ("files", f"beside/{recording.recording_id}.{name}")
    assert word in item.what

    assert repair_archive(places, tmp_path / "backups").sound
    assert check_archive(places, tmp_path / "backups").sound
    assert len(same(held(places, recording.recording_id))) == 500


def test_a_file_that_nobody_knows_is_named(tmp_path: Path) -> None:
    places = Places(tmp_path / "archive")
    with Store(places) as store:
        _, writer = begun(store)
        store.end(writer, "completed")
    (places.beside / "stranger.csv").write_text("x")

    found = [
        item.where
        for item in check_archive(places, tmp_path / "backups").findings
        if item.severity == "error"
    ]

    assert found == ["beside/stranger.csv"]
