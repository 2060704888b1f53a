"""Documents: batches as JSON, the same to the byte as each row on its own."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dsmilctl.archive.documents import documents

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
WHOLE = st.integers(-(2**63), 2**63 - 1)
SCHEMA = pa.schema(
    [
        ("device", pa.dictionary(pa.int32(), pa.string())),
        ("time", pa.timestamp("ns")),
        ("value", pa.float64()),
        ('"te,xt"', pa.string()),
        ("sequence", pa.int64()),
        ("raw", pa.binary()),
        ("nothing", pa.string()),
    ]
)
CELLS = (TEXTS, WHOLE, st.floats() | st.sampled_from([0.0, -0.0, 1e16, 5e-324]), TEXTS, WHOLE, st.binary())
ROWS = st.lists(st.tuples(*(st.none() | cells for cells in CELLS), st.none()), max_size=20)
EXTREMES: list[tuple[Any, ...]] = [
    ("°🌡\n", -(2**63), math.nan, 'a"b\\,', 2**63 - 1, b"\x00\xff", None),
    (None, 2**63 - 1, -math.inf, "", None, None, None),
    (None,) * 7,
    ("}\n{", 0, -0.0, "\x00\u2028", 0, b"", None),
]


def batch_of(rows: list[tuple[Any, ...]]) -> pa.RecordBatch:
    columns = list(zip(*rows, strict=True)) or [()] * len(SCHEMA)
    arrays = [
        pa.array(column, pa.string()).dictionary_encode()
        if pa.types.is_dictionary(field.type)
        else pa.array(column, pa.int64()).cast(field.type)
        if pa.types.is_timestamp(field.type)
        else pa.array(column, field.type)
        for column, field in zip(columns, SCHEMA, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def one_by_one(rows: list[tuple[Any, ...]]) -> bytes:
    """The lines, each row encoded by itself."""
    fields = [dict(zip(SCHEMA.names, row, strict=True)) for row in rows]
    for row in fields:
        if row["value"] is not None and not math.isfinite(row["value"]):
            row["value"] = str(row["value"])
    present = [{name: cell for name, cell in row.items() if cell is not None} for row in fields]
    return b"\n".join(map(msgspec.json.encode, present))


@given(rows=ROWS)
@example(rows=EXTREMES)
@example(rows=EXTREMES[2:3])
def test_a_batch_is_the_same_to_the_byte_as_its_rows_one_by_one(rows: list[tuple[Any, ...]]) -> None:
    found = b"".join(documents(batch_of(rows), "\n"))

    assert found == one_by_one(rows)


@pytest.mark.parametrize("first", [0, 3, 9])
def test_a_part_of_a_batch_is_written_without_what_stands_around_it(first: int) -> None:
    rows = EXTREMES * 3

    found = b"".join(documents(batch_of(rows).slice(first, 3), "\n"))

    assert found == one_by_one(rows[first : first + 3])


def test_a_batch_that_uses_few_words_of_a_large_dictionary_is_written_right() -> None:
    words = pa.DictionaryArray.from_arrays(
        pa.array([7, None, 900], pa.int32()), pa.array([f"boiler-{number}" for number in range(1000)])
    )

    found = b"".join(documents(pa.RecordBatch.from_arrays([words], ["device"]), ","))

    assert found == b'{"device":"boiler-7"},{},{"device":"boiler-900"}'
