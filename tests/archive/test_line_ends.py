"""Line ends: exported CSV has those of RFC 4180 unless told otherwise, and both kinds are read again."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsmilctl.archive.exporting import export, layout_of
from dsmilctl.archive.intake import take_in
from dsmilctl.archive.places import Places
from dsmilctl.archive.query import Wanted
from dsmilctl.archive.scanning import Scan
from dsmilctl.archive.store import Store
from dsmilctl.errors import InvalidParameter
from dsmilctl.model.reading import Reading
from tests.archive.stand import START, recorded, table

TEXTS = ["plain", "two\nlines", "old\r\nends", 'a "word"', "\r"]


@pytest.mark.parametrize(
    ("line_feeds", "escape"), [(False, False), (True, False), (False, True), (True, True)]
)
def test_lines_of_csv_end_with_crlf_or_as_told_and_text_keeps_its_own(
    line_feeds: bool, escape: bool, tmp_path: Path
) -> None:
    places, _ = recorded(tmp_path / "a", [Reading("x", "T", text, START + 1) for text in TEXTS])
    file = tmp_path / "tour.csv"
    layout = layout_of(file, escape_formulas=escape, line_feeds=line_feeds)
    with Scan(places) as scan:
        export(scan.readings(Wanted()), scan.description("last"), file, layout, lambda _: None)

    content = file.read_bytes()
    end = b"\n" if line_feeds else b"\r\n"
    outside = b"".join(content.split(b'"')[::2])
    assert content.startswith(b'"device","register"')
    assert outside.count(end) == 1 + len(TEXTS)
    assert outside.count(b"\n") == 1 + len(TEXTS)
    assert outside.count(b"\r") == (0 if line_feeds else 1 + len(TEXTS))
    with Store(Places(tmp_path / "b")) as store:
        take_in(store.places, file, "csv", progress=lambda _: None)
    expected = [f"'{text}" if escape and text == "\r" else text for text in TEXTS]
    assert table(Places(tmp_path / "b")).column("text").to_pylist() == expected


def test_only_csv_has_line_ends_to_choose() -> None:
    with pytest.raises(InvalidParameter, match="only lines of csv"):
        layout_of(Path("tour.parquet"), line_feeds=True)
