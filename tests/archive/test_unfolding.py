"""Unfolding: a small Arrow file whose buffers unfold to far too much is refused before they do."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from dsmilctl.archive.importing import PLAIN
from dsmilctl.archive.intake import take_in
from dsmilctl.archive.places import Places
from dsmilctl.archive.store import Store
from dsmilctl.archive.unfolding import largest_batch
from dsmilctl.errors import InvalidParameter


def bomb(path: Path, packing: str) -> None:
    """A file of a few kilobytes with 320 MB of blanks in one batch."""
    blanks = pa.array([" " * 320_000_000])
    arrays = [blanks if field.name == "text" else pa.nulls(1, field.type) for field in PLAIN]
    batch = pa.RecordBatch.from_arrays(arrays, schema=PLAIN)
    options = pa.ipc.IpcWriteOptions(compression=packing)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, PLAIN, options=options) as writer:
        writer.write_batch(batch)


@pytest.mark.parametrize(("ending", "packing"), [("arrow", "zstd"), ("dsm", "zstd"), ("dsm", "lz4")])
def test_a_bomb_is_refused_before_it_unfolds(ending: str, packing: str, tmp_path: Path) -> None:
    file = tmp_path / f"bomb.{ending}"
    bomb(file, packing)
    assert file.stat().st_size < 2_000_000
    used = pa.total_allocated_bytes()

    with (
        Store(Places(tmp_path / "archive")) as store,
        pytest.raises(InvalidParameter, match="unpacks to far more"),
    ):
        take_in(store.places, file, ending, progress=lambda _: None)

    assert pa.total_allocated_bytes() - used < 10_000_000


def test_the_size_is_that_of_the_largest_batch_or_dictionary(tmp_path: Path) -> None:
    words = pa.DictionaryArray.from_arrays(pa.array([0], pa.int32()), ["x" * 1_000_000])
    batch = pa.record_batch({"number": pa.array([1]), "word": words})
    for packing in ("zstd", None):
        path = tmp_path / f"{packing}.arrow"
        options = pa.ipc.IpcWriteOptions(compression=packing)
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, batch.schema, options=options) as out:
            out.write_batch(batch)
        assert 1_000_000 <= largest_batch(pa.memory_map(str(path)).read_buffer()) < 1_001_000
