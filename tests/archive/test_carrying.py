"""Carrying: what is exported and imported again is what was recorded, in every format."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsmilctl.archive import recording as recordings
from dsmilctl.archive.database import connect
from dsmilctl.archive.description import describe
from dsmilctl.archive.exporting import COLUMNS, export
from dsmilctl.archive.importing import READERS
from dsmilctl.archive.intake import take_in
from dsmilctl.archive.places import Places
from dsmilctl.archive.query import Query, Wanted
from dsmilctl.archive.store import Store
from dsmilctl.errors import InvalidParameter
from dsmilctl.model.reading import Reading
from tests.archive.stand import EVENT, record, recorded, some_readings, table
from tests.archive.test_recording import READINGS


def carried(places: Places, file: Path, format: str, target: Places) -> recordings.Recording:
    """The newest recording of one archive, taken to another in a file."""
    with Query(places) as query:
        description = query.description("last")
        export(query.readings(Wanted(), ordered=False), description, file, format, lambda _: None)
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


@pytest.mark.parametrize("format", [name for name in READERS if name != "csv"])
def test_the_recording_itself_its_operations_and_events_travel_along(format: str, tmp_path: Path) -> None:
    places, original = recorded(tmp_path / "from", some_readings(50), records=[record()], events=[EVENT])

    found = carried(places, tmp_path / "file", format, target := Places(tmp_path / "to"))

    before, after = (
        describe(connection := connect(where.database, read_only=True), recordings.find(connection, "tour"))
        for where in (places, target)
    )
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

    assert recordings.recordings(connect(target.database, read_only=True)) == []
    assert not target.segments.exists() or not list(target.segments.iterdir())


def test_a_spreadsheet_finds_no_formula_in_what_was_written_for_it(tmp_path: Path) -> None:
    readings = [Reading("=cmd()", "@SUM(A1)", "+1", 1), Reading("pump", "TEMP", -1.5, 1)]
    places, _ = recorded(tmp_path / "from", readings)

    with Query(places) as query:
        found = query.readings(Wanted(), ordered=False)
        export(found, query.description("last"), tmp_path / "file.csv", "excel", lambda _: None)

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

    with Query(places) as query, pytest.raises(KeyboardInterrupt):
        export(query.readings(Wanted(), ordered=False), query.description("last"), file, "csv", interrupt)

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
