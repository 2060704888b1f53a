"""Exporting: a recording as a file that other programs read: CSV, JSON, NDJSON, Parquet, Arrow and .dsm."""

from __future__ import annotations

import codecs
import math
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv

from dsmilctl.archive.description import FORMAT, KEY, Description
from dsmilctl.archive.segments import DELTAS, PLAIN, ROWS, WORDS
from dsmilctl.errors import InvalidParameter, nearest

COLUMNS = (
    "device", "register", "time", "kind", "value", "text", "unit", "quality", "sequence", "latency_us", "raw",
    "error", "error_code",
)  # fmt: skip
"""The columns of every format; `time` is UTC with nanoseconds, `kind` says what the value is."""

NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


class Sink(Protocol):
    """Where batches go; closing it makes the file whole."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Add the readings of a batch."""
        ...

    def close(self) -> None:
        """Write what comes behind the last reading."""
        ...


class CsvSink:
    """RFC 4180 with one header, UTF-8; text is quoted, what is missing is empty and not quoted."""

    def __init__(self, file: IO[bytes], schema: pa.Schema, description: Description) -> None:
        del description  # a table of readings has no place for it
        self._writer = csv.CSVWriter(file, _plain(schema))

    def write(self, batch: pa.RecordBatch) -> None:
        """Add lines."""
        self._writer.write_batch(batch.cast(_plain(batch.schema)))

    def close(self) -> None:
        """Nothing stands behind the last line."""
        self._writer.close()


class ExcelSink(CsvSink):
    """CSV that a spreadsheet opens as it is: with a byte order mark, and no text that it takes for a formula.

    Source: OWASP, CSV injection.  It cannot be imported again: text may have got an apostrophe in front.
    """

    def __init__(self, file: IO[bytes], schema: pa.Schema, description: Description) -> None:
        file.write(codecs.BOM_UTF8)
        super().__init__(file, schema, description)

    def write(self, batch: pa.RecordBatch) -> None:
        """Add lines."""
        harmless = batch.cast(_plain(batch.schema))
        for place, field in enumerate(harmless.schema):
            if pa.types.is_string(field.type):
                column = pc.replace_substring_regex(harmless.column(place), r"^([=+\-@\t\r])", r"'\1")
                harmless = harmless.set_column(place, field, column)
        super().write(harmless)


class ParquetSink:
    """One file with zstd, the description in its metadata."""

    def __init__(self, file: IO[bytes], schema: pa.Schema, description: Description) -> None:
        self._writer = pq.ParquetWriter(
            file, _described(schema, description), compression="zstd",
            use_dictionary=[name for name in (*WORDS, *PLAIN) if name in schema.names],
            column_encoding=dict.fromkeys(DELTAS, "DELTA_BINARY_PACKED"),
            write_page_checksum=True, data_page_version="2.0",
        )  # fmt: skip

        self._gathered: list[pa.RecordBatch] = []

    def write(self, batch: pa.RecordBatch) -> None:
        """Add readings; a row group is written when there are enough for one."""
        self._gathered.append(batch)
        if sum(part.num_rows for part in self._gathered) >= ROWS:
            self._write_gathered()

    def close(self) -> None:
        """Write what is left, and the footer."""
        self._write_gathered()
        self._writer.close()

    def _write_gathered(self) -> None:
        if self._gathered:
            self._writer.write_table(pa.Table.from_batches(self._gathered))
            self._gathered.clear()


class ArrowSink:
    """Arrow's file format, buffers compressed with zstd, the description in its metadata."""

    def __init__(self, file: IO[bytes], schema: pa.Schema, description: Description) -> None:
        options = pa.ipc.IpcWriteOptions(compression="zstd", unify_dictionaries=False)
        self._writer = pa.ipc.new_file(file, _plain(_described(schema, description)), options=options)

    def write(self, batch: pa.RecordBatch) -> None:
        """Add a batch; words are written out, as a file may have one dictionary only."""
        self._writer.write_batch(batch.cast(_plain(batch.schema)))

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()


class LinesSink:
    """Lines of JSON: the description, a reading each, and how many there were, so that a cut file shows."""

    def __init__(self, file: IO[bytes], schema: pa.Schema, description: Description) -> None:
        del schema  # each line names its fields
        self._file = file
        self._count = 0
        file.write(msgspec.json.encode(description) + b"\n")

    def write(self, batch: pa.RecordBatch) -> None:
        """Add lines."""
        self._count += batch.num_rows
        self._file.write(b"".join(line + b"\n" for line in documents(batch)))

    def close(self) -> None:
        """Say how many readings there were."""
        self._file.write(b'{"end":%d}\n' % self._count)


class JsonSink:
    """One JSON document: the description, and in it the readings."""

    def __init__(self, file: IO[bytes], schema: pa.Schema, description: Description) -> None:
        del schema  # each reading names its fields
        self._file = file
        self._between = b"\n"
        file.write(msgspec.json.encode(description).removesuffix(b"}") + b',"readings":[')

    def write(self, batch: pa.RecordBatch) -> None:
        """Add readings."""
        for line in documents(batch):
            self._file.write(self._between + line)
            self._between = b",\n"

    def close(self) -> None:
        """Close the document."""
        self._file.write(b"\n]}\n")


FORMATS: dict[str, Callable[[IO[bytes], pa.Schema, Description], Sink]] = {
    "csv": CsvSink,
    "excel": ExcelSink,
    "json": JsonSink,
    "ndjson": LinesSink,
    "parquet": ParquetSink,
    "arrow": ArrowSink,
    "dsm": ArrowSink,
}


def format_of(path: Path, wanted: str = "", known: Iterable[str] = tuple(FORMATS)) -> str:
    """The format that is asked for, or that the file's name says; raises InvalidParameter."""
    name = wanted or path.suffix.removeprefix(".").lower()
    if name not in known:
        hint = nearest(name, known) or f"--format {', '.join(known)}"
        raise InvalidParameter(f"no format {name or path.name!r}", hint=hint, target="--format")
    return name


def export(
    readings: pa.RecordBatchReader,
    description: Description,
    path: Path,
    format: str,
    progress: Callable[[int], None],
) -> int:
    """Write readings to a file that is whole or not there; how many there were.

    `progress` hears how many are written so far.  Raises OSError; what was at `path` is there still then.
    """
    with _Whole(path) as file:
        sink, count = None, 0
        for batch in _chosen(readings):
            sink = sink or FORMATS[format](file, batch.schema, description)
            sink.write(batch)
            count += batch.num_rows
            progress(count)
        sink = sink or FORMATS[format](file, _empty(readings.schema), description)
        sink.close()
    return count


def documents(batch: pa.RecordBatch) -> Iterator[bytes]:
    """Each reading as JSON; fields without anything in them are left out."""
    rows = batch.set_column(
        batch.schema.names.index("time"), "time", batch.column("time").cast(pa.int64())
    ).to_pylist()
    for row in rows:
        value = row["value"]
        if value is not None and not math.isfinite(value):
            row["value"] = str(value)
        yield msgspec.json.encode({name: item for name, item in row.items() if item is not None})


def _chosen(readings: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    for batch in readings:
        if batch.num_rows:
            yield batch.select(list(COLUMNS))


def _empty(schema: pa.Schema) -> pa.Schema:
    return pa.schema([schema.field(name) for name in COLUMNS])


def _described(schema: pa.Schema, description: Description) -> pa.Schema:
    return schema.with_metadata({KEY: msgspec.json.encode(description), b"format": FORMAT.encode()})


def _plain(schema: pa.Schema) -> pa.Schema:
    """The same without dictionaries."""
    fields = [
        pa.field(field.name, field.type.value_type) if pa.types.is_dictionary(field.type) else field
        for field in schema
    ]
    return pa.schema(fields, metadata=schema.metadata)


class _Whole:
    """A file that takes its place when it is whole, and leaves nothing behind when it is not."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")

    def __enter__(self) -> IO[bytes]:
        self._file: IO[bytes] = self._temporary.open("wb")
        return self._file

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._file.flush()
                os.fsync(self._file.fileno())
            self._file.close()
            if error is None:
                os.replace(self._temporary, self._path)  # noqa: PTH105 - renames over what is there
        finally:
            self._temporary.unlink(missing_ok=True)
