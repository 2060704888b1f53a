"""An export that the disk has no room for: it is told, whichever batch it was, and what was there stays."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dsmilctl.archive.exporting import FORMATS, Layout, export
from dsmilctl.archive.query import Wanted
from dsmilctl.archive.scanning import Scan
from tests.archive.stand import recorded, some_readings


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file of this process may become larger, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("format", FORMATS)
def test_an_export_without_room_fails_and_leaves_the_file_of_before(tmp_path: Path, format: str) -> None:
    places, _ = recorded(tmp_path / "archive", some_readings(60_000))
    target = tmp_path / f"x.{format}"
    target.write_text("the export of yesterday")

    with Scan(places) as scan:
        rows, description = scan.readings(Wanted()), scan.description("last")
        with largest_file(1_000), pytest.raises(OSError, match="File too large"):
            export(rows, description, target, Layout(format), lambda _: None)

    assert target.read_text() == "the export of yesterday"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
