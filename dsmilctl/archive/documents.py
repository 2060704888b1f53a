"""Documents: the rows of a batch as JSON, put together column by column, as rows of Python are slow."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

MARK = "\0"
"""A field that no other can be taken for, as JSON writes it out."""


def documents(batch: pa.RecordBatch, between: str) -> list[bytes | pa.Buffer]:
    """Each row as a JSON object, and a text between two of them, in parts that follow each other.

    Times are nanoseconds UTC, numbers that are not finite are words (`nan`, `inf`, `-inf`), and fields
    without anything in them are left out.
    """
    columns = [
        _fields(name, column)
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
        if column.null_count < batch.num_rows
    ]
    if not columns:
        return [between.join(["{}"] * batch.num_rows).encode()]
    marked = all(column.null_count for column in columns)
    if marked:  # Arrow leaves out a row without fields
        columns.append(pa.repeat(MARK, batch.num_rows))
    rows = pc.binary_join_element_wise(*columns, ",", null_handling="skip")
    whole = pa.ListArray.from_arrays(pa.array([0, len(rows)], pa.int32()), rows)
    inside = pc.binary_join(whole, f"}}{between}{{")[0]
    if marked:
        inside = pa.scalar(inside.as_py().replace("," + MARK, "").replace(MARK, ""))
    return [b"{", inside.as_buffer(), b"}"]


def _fields(name: str, column: pa.Array) -> pa.StringArray:
    """A column as `"name":value`; what is missing stays so."""
    before = msgspec.json.encode(name) + b":"
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    if pa.types.is_integer(column.type):
        return pc.binary_join_element_wise(before.decode(), column.cast(pa.string()), "")
    indices, values = _distinct(column)
    fields = [None if value is None else before + msgspec.json.encode(value) for value in values]
    return pc.take(pa.array(fields, pa.string()), indices)


def _distinct(column: pa.Array) -> tuple[pa.Array, list[Any]]:
    """The values that a column has, and which of them each row has."""
    if pa.types.is_floating(column.type):  # by their bits: 0.0 is not -0.0
        found = column.cast(pa.float64()).view(pa.int64()).dictionary_encode()
        numbers = found.dictionary.view(pa.float64()).to_pylist()
        return found.indices, [number if math.isfinite(number) else str(number) for number in numbers]
    if pa.types.is_dictionary(column.type) and len(column.dictionary) > len(column):
        column = column.dictionary_decode()
    found = column.dictionary_encode()  # one that is encoded already stays as it is
    return found.indices, found.dictionary.to_pylist()
