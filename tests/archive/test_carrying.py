"""Carrying: what is exported and imported again is what was recorded, in every format."""

from __future__ import annotations

import gzip
import math
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from dsmilctl.archive import compression
from dsmilctl.archive import recording as recordings
from dsmilctl.archive.asking import Wanted
from dsmilctl.archive.check import check_archive
from dsmilctl.archive.description import Description, describe
from dsmilctl.archive.exporting import COLUMNS, Layout, export, layout_of
from dsmilctl.archive.importing import READERS
from dsmilctl.archive.intake import take_in
from dsmilctl.archive.places import Places
from dsmilctl.archive.scanning import Scan
from dsmilctl.archive.store import Store
from dsmilctl.archive.tables import rows_of as rows_of_table
from dsmilctl.errors import CheckFailed, InvalidParameter
from dsmilctl.model.reading import Reading
from dsmilctl.model.register import Value
from tests.archive.stand import (
    EVENT,
    SECOND,
    START,
    left_hot,
    listed,
    opened,
    record,
    recorded,
    some_readings,
    table,
)
from tests.archive.test_recording import READINGS


def written(places: Places, file: Path, format: str, compress: str = "", **more: bool) -> int:
    """The newest recording of an archive in a file; how many readings it has."""
    with Scan(places) as scan:
        description = scan.description("last")
        rows = scan.readings(Wanted(recording=description.recording.recording_id))
        return export(rows, description, file, layout_of(file, format, compress, **more), lambda _: None)


def carried(places: Places, file: Path, format: str, target: Places) -> recordings.Recording:
    """The newest recording of one archive, taken to another in a file."""
    written(places, file, format)
    with Store(target) as store:
        return take_in(store.places, file, format, progress=lambda _: None)[0]


def rows_of(places: Places) -> list[str]:
    """Every reading as text that tells -0.0 from 0.0 and NaN from nothing, in an order of its own."""
    found = table(places)
    found = found.set_column(COLUMNS.index("time"), "time", found.column("time").cast("int64"))
    return sorted(repr(tuple(row.values())) for row in found.to_pylist())


@pytest.mark.parametrize("format", READERS)
@settings(max_examples=8, deadline=None)
@given(readings=READINGS.filter(bool))
def test_every_reading_comes_back_as_it_was(format: str, readings: list[Reading]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        places, _ = recorded(Path(folder) / "from", readings)

        carried(places, Path(folder) / "file", format, target := Places(Path(folder) / "to"))

        assert rows_of(target) == rows_of(places)


def described(places: Places) -> Description:
    with opened(places) as connection:
        return describe(connection, recordings.find(connection, "tour"))


@pytest.mark.parametrize("format", [name for name in READERS if name != "csv"])
def test_the_recording_itself_its_operations_and_events_travel_along(format: str, tmp_path: Path) -> None:
    places, original = recorded(tmp_path / "from", some_readings(50), records=[record()], events=[EVENT])

    found = carried(places, tmp_path / "file", format, target := Places(tmp_path / "to"))

    before, after = described(places), described(target)
    assert found.recording_id == original.recording_id
    assert before == after
    assert len(after.operations) == len(after.events) == 1


def test_an_import_into_the_same_archive_gets_an_id_of_its_own(tmp_path: Path) -> None:
    places, original = recorded(tmp_path / "from", some_readings(50))

    again = carried(places, tmp_path / "file.parquet", "parquet", places)

    assert again.recording_id != original.recording_id
    assert table(places).num_rows == 100


@pytest.mark.parametrize("format", READERS)
def test_a_file_that_is_cut_or_something_else_changes_nothing(format: str, tmp_path: Path) -> None:
    places, _ = recorded(tmp_path / "from", some_readings(500))
    carried(places, file := tmp_path / "file", format, Places(tmp_path / "to"))
    target = Places(tmp_path / "other")
    content = file.read_bytes()

    cut = content[: len(content) // 2 - 7] if format != "csv" else b"a,b\n1,2\n"  # a table has no end to miss

    for damaged in (cut, b"\x80\x04]q\x00.", b"{}\n", b"DSML\x01\x00\x00\x00"):
        file.write_bytes(damaged)
        with Store(target) as store, pytest.raises(InvalidParameter):
            take_in(store.places, file, format, progress=lambda _: None)

    assert listed(target) == []
    assert not target.segments.exists() or not list(target.segments.iterdir())


def test_a_spreadsheet_finds_no_formula_in_what_was_written_for_it(tmp_path: Path) -> None:
    readings = [Reading("=cmd()", "@SUM(A1)", "+1", 1), Reading("pump", "TEMP", -1.5, 1)]
    places, _ = recorded(tmp_path / "from", readings)

    written(places, tmp_path / "file.csv", "excel")

    content = (tmp_path / "file.csv").read_text(encoding="utf-8-sig")
    cells = {cell for line in content.splitlines()[1:] for cell in line.split(",")}
    assert {'"\'=cmd()"', '"\'@SUM(A1)"', '"\'+1"', "-1.5", '"pump"'} <= cells


def test_an_old_pickled_dsm_is_refused_and_never_loaded(tmp_path: Path) -> None:
    (tmp_path / "old.dsm").write_bytes(b"DSML\x01\x00\x00\x00\x04\x00\x00\x00test")

    with Store(Places(tmp_path / "archive")) as store, pytest.raises(InvalidParameter, match="never loaded"):
        take_in(store.places, tmp_path / "old.dsm", "dsm", progress=lambda _: None)


def test_an_export_that_fails_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    places, _ = recorded(tmp_path / "from", some_readings(50))
    file = tmp_path / "file.csv"
    file.write_text("precious")

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with Scan(places) as scan, pytest.raises(KeyboardInterrupt):
        export(scan.readings(Wanted()), scan.description("last"), file, Layout("csv"), interrupt)

    assert file.read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["file.csv"]


@settings(max_examples=10, deadline=None)
@given(st.binary(max_size=200))
def test_no_content_of_a_file_is_more_than_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "file"
        file.write_bytes(content)
        with Store(Places(Path(folder) / "archive")) as store:
            for format in READERS:
                try:
                    take_in(store.places, file, format, progress=lambda _: None)
                except InvalidParameter:
                    continue  # that is what it should be


EXTREME_VALUES: list[tuple[Value | None, int, int | str | None]] = [
    (math.nan, 1_447_000_000_000_000_000, None),  # ten years old
    (math.inf, -(2**62), -(2**63)),
    (-math.inf, 2**62, 2**64 - 1),
    (-0.0, 0, "00ff"),
    (5e-324, 1, ""),
    (2**63 - 1, 2, None),
    (-(2**63), 3, None),
    (2**64 - 1, 4, None),
    (True, 5, None),
    ('=SUM(A1)\r\n"quoted",\u0000\u2028😀', 6, None),
    ("", 7, None),
    (None, 8, None),
]
EXTREMES = [
    Reading("'); DROP TABLE chunks; --", "😀 <script>", value, moment, "°C", sequence=2**62, raw=raw)
    for value, moment, raw in EXTREME_VALUES
]


@pytest.mark.parametrize("compress", ["", "zstd", "gzip"])
@pytest.mark.parametrize("format", READERS)
def test_extremes_come_back_from_every_format_and_compression(
    format: str, compress: str, tmp_path: Path
) -> None:
    places, _ = recorded(tmp_path / "from", EXTREMES)
    if compress == "gzip" and format in ("arrow", "dsm"):
        with pytest.raises(InvalidParameter, match="zstd inside"):
            written(places, tmp_path / "file", format, compress)
        return

    assert written(places, tmp_path / "file", format, compress) == len(EXTREMES)
    with Store(target := Places(tmp_path / "to")) as store:
        take_in(store.places, tmp_path / "file", format, progress=lambda _: None)

    assert rows_of(target) == rows_of(places)
    assert check_archive(target, tmp_path / "backups").sound


def test_hot_readings_travel_as_well_and_a_choice_of_them_alone(tmp_path: Path) -> None:
    places, _ = recorded(tmp_path / "from", some_readings(400))
    left_hot(places, some_readings(400, first=400))

    with Scan(places) as scan:
        everything = scan.readings(Wanted()).read_all()
        wanted = Wanted(
            selector="0x8001", registers=("temp",), since=START + 5 * SECOND, until=START + 15 * SECOND
        )
        chosen = scan.readings(wanted).read_all()

    assert sorted(everything.column("sequence").to_pylist()) == list(range(1, 801))
    assert chosen.num_rows == 101
    assert set(chosen.column("device").to_pylist()) == {"0x8001"}
    queried = table(places, wanted).column("sequence").to_pylist()
    assert sorted(chosen.column("sequence").to_pylist()) == sorted(queried)


def test_a_damaged_segment_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    places, _ = recorded(tmp_path / "from", some_readings(2000))
    segment = next(path for path in places.segments.iterdir() if "-1m" not in path.name)
    content = bytearray(segment.read_bytes())
    content[len(content) // 3] ^= 1
    segment.write_bytes(content)

    with pytest.raises(CheckFailed, match=segment.name):
        written(places, tmp_path / "file.csv", "csv")

    assert not (tmp_path / "file.csv").exists()


HEADER = ",".join(f'"{name}"' for name in COLUMNS).encode() + b"\n"
GOOD = b'"pump","level",2026-01-01 00:00:00.000000001,"float",1,,"%","good",1,,,,\n'
BOMBS: dict[str, Callable[[], bytes]] = {
    "rows.csv": lambda: HEADER + GOOD * 600_000,
    "line.ndjson": lambda: b'{"recording":"' + b"a" * 40_000_000,
    "document.json": lambda: b'{"recording":{"name":"' + b" " * 40_000_000,
}


@pytest.mark.parametrize("compress", ["zstd", "gzip"])
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_before_it_fills_the_memory_or_the_disk(
    name: str, compress: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compression, "UNSUSPICIOUS", 16 * 1024 * 1024)
    content = BOMBS[name]()
    file = tmp_path / name
    packed = gzip.compress(content, 9) if compress == "gzip" else zstandard.compress(content, 1)
    file.write_bytes(packed)
    assert len(content) > 100 * len(packed)
    target = Places(tmp_path / "archive")

    with Store(target) as store, pytest.raises(InvalidParameter, match="far more"):
        take_in(store.places, file, file.suffix[1:], progress=lambda _: None)

    assert listed(target) == []
    assert not target.segments.exists() or not list(target.segments.iterdir())


def test_a_zip_file_is_refused_by_name(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "tour.csv", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("tour.csv", b"0" * 1000)

    with Store(Places(tmp_path / "archive")) as store, pytest.raises(InvalidParameter, match="with zip"):
        take_in(store.places, tmp_path / "tour.csv", "csv", progress=lambda _: None)


def test_words_that_a_small_parquet_file_multiplies_are_refused(tmp_path: Path) -> None:
    places, _ = recorded(tmp_path / "from", some_readings(10))
    written(places, tmp_path / "small.parquet", "parquet")
    small = pq.read_table(tmp_path / "small.parquet").slice(0, 1)
    words = pa.DictionaryArray.from_arrays(pa.array([0] * 5000, pa.int32()), ["x" * 1_000_000])
    many = pa.concat_tables([small] * 5000).set_column(COLUMNS.index("text"), "text", words)
    pq.write_table(many, tmp_path / "bomb.parquet", compression="zstd", use_dictionary=True)
    assert (tmp_path / "bomb.parquet").stat().st_size < 1_000_000

    with (
        Store(Places(tmp_path / "archive")) as store,
        pytest.raises(InvalidParameter, match=r"unpack|larger"),
    ):
        take_in(store.places, tmp_path / "bomb.parquet", "parquet", progress=lambda _: None)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        HEADER.replace(b'"kind"', b'"kin"') + GOOD,
        HEADER + GOOD.replace(b'"float"', b'"fluid"'),
        HEADER + GOOD.replace(b'"good"', b'"splendid"'),
        HEADER + GOOD.replace(b"2026-01-01", b"2026-13-41"),
        HEADER + GOOD.replace(b",1,,", b",many,,"),
        HEADER + GOOD.replace(b'"good",1', b'"good",99999999999999999999'),
        HEADER + GOOD.replace(b'"pump"', b'"pu\xff\xfemp"'),
        HEADER + GOOD.rstrip(b"\n") + b",more,columns\n",
        HEADER + b'"never closed' + b"\n,x" * 2_000_000,
        HEADER.replace(b'"raw"', b'"device"') + GOOD,
    ],
    ids=[
        "empty",
        "column",
        "kind",
        "quality",
        "month",
        "number",
        "overflow",
        "bytes",
        "wide",
        "quote",
        "twice",
    ],
)
def test_a_hostile_csv_is_refused_and_changes_nothing(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file.csv").write_bytes(content)
    target = Places(tmp_path / "archive")

    with Store(target) as store, pytest.raises(InvalidParameter, match="cannot be read as csv"):
        take_in(store.places, tmp_path / "file.csv", "csv", progress=lambda _: None)

    assert listed(target) == []
    with Store(target) as store:
        (tmp_path / "file.csv").write_bytes(HEADER + GOOD)
        assert take_in(store.places, tmp_path / "file.csv", "csv", progress=lambda _: None)[1] == 1


@pytest.mark.parametrize("format", ["csv", "json", "ndjson", "parquet", "arrow"])
def test_operations_travel_as_a_table_of_their_own(format: str, tmp_path: Path) -> None:
    places, recording = recorded(tmp_path / "from", some_readings(5), records=[record(1), record(2)])
    file = tmp_path / f"operations.{format}"

    with Scan(places) as scan:
        rows = rows_of_table(scan.store, "operations", recording.recording_id)
        assert export(rows, None, file, Layout(format), lambda _: None) == 2

    found = duckdb.sql(f"SELECT * FROM {READ_BY[format]}('{file}')") if format != "arrow" else None
    kept = found.to_arrow_table() if found is not None else pa.ipc.open_file(file.read_bytes()).read_all()
    assert kept.column("operation_id").to_pylist() == ["op-1", "op-2"]
    assert kept.column("timestamp").to_pylist() == [START + SECOND, START + 2 * SECOND]


READ_BY = {"csv": "read_csv", "json": "read_json", "ndjson": "read_json", "parquet": "read_parquet"}


def test_the_command_exports_two_million_readings_in_150_megabytes(tmp_path: Path) -> None:
    places = Places(tmp_path / "archive")
    with Store(places) as store:
        writer = store.begin(recordings.new_recording("long", START))
        for first in range(0, 2_000_000, 100_000):
            writer.readings(some_readings(100_000, first, devices=100))
        store.end(writer, "completed")

    program = [sys.executable, "-m", "tests.archive.exporting_process", "last"]
    for name, around in (("all.csv", 1), ("all.ndjson", 2)):
        command = [*program, str(tmp_path / name), "--archive", str(places.folder)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        pool, peak = done.stderr.split()[-2:]

        with (tmp_path / name).open("rb") as file:
            assert sum(1 for _ in file) == 2_000_000 + around
        assert int(peak) < 150 * 1024, name
        assert pool == "system", "Arrow's own pool keeps thirty megabytes of which six are used"
