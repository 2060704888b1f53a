"""Formats: what writes batches of rows as CSV, JSON, NDJSON, Parquet, Arrow or .dsm."""

from __future__ import annotations

import codecs
import math
from collections.abc import Callable
from typing import IO, Protocol

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from dsmilctl.archive.description import FORMAT, KEY, Description
from dsmilctl.archive.documents import documents
from dsmilctl.archive.segments import DELTAS, PLAIN, ROWS, WORDS

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

    end_of_line = "\r\n"

    def __init__(self, file: IO[bytes], schema: pa.Schema, description: Description | None) -> None:
        from pyarrow import csv

        del description  # a table has no place for it
        options = csv.WriteOptions(eol=self.end_of_line)
        self._writer = csv.CSVWriter(file, plain(schema), write_options=options)

    def write(self, batch: pa.RecordBatch) -> None:
        """Add lines."""
        self._writer.write_batch(batch.cast(plain(batch.schema)))

    def close(self) -> None:
        """Nothing stands behind the last line."""
        self._writer.close()


class UnixCsvSink(CsvSink):
    """The same with lines that end with LF alone, as programs of Unix expect them."""

    end_of_line = "\n"


class HarmlessSink(CsvSink):
    """CSV without a text that a spreadsheet takes for a formula: those get an apostrophe in front.

    It cannot be told from text that had one, so it is not imported again.  Source: OWASP, CSV injection.
    """

    def write(self, batch: pa.RecordBatch) -> None:
        """Add lines."""
        harmless = batch.cast(plain(batch.schema))
        for place, field in enumerate(harmless.schema):
            if pa.types.is_string(field.type):
                column = pc.replace_substring_regex(harmless.column(place), r"^([=+\-@\t\r\n])", r"'\1")
                harmless = harmless.set_column(place, field, column)
        super().write(harmless)


class UnixHarmlessSink(HarmlessSink):
    """The same with lines that end with LF alone."""

    end_of_line = "\n"


class ExcelSink(HarmlessSink):
    """CSV that a spreadsheet opens as it is: harmless, and with a byte order mark."""

    def __init__(self, file: IO[bytes], schema: pa.Schema, description: Description | None) -> None:
        file.write(codecs.BOM_UTF8)
        super().__init__(file, schema, description)


class ParquetSink:
    """One file with zstd, the description in its metadata."""

    compression = "zstd"

    def __init__(self, file: IO[bytes], schema: pa.Schema, description: Description | None) -> None:
        import pyarrow.parquet as pq

        self._writer = pq.ParquetWriter(
            file, described(plain(schema), description), compression=self.compression,
            use_dictionary=[name for name in (*WORDS, *PLAIN) if name in schema.names],
            column_encoding={name: "DELTA_BINARY_PACKED" for name in DELTAS if name in schema.names},
            write_page_checksum=True, data_page_version="2.0",
        )  # fmt: skip

        self._gathered: list[pa.RecordBatch] = []

    def write(self, batch: pa.RecordBatch) -> None:
        """Add readings; a row group is written when there are enough for one."""
        self._gathered.append(batch.cast(plain(batch.schema)))
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


class GzipParquetSink(ParquetSink):
    """The same with gzip, for readers that know no zstd."""

    compression = "gzip"


class ArrowSink:
    """Arrow's file format, buffers compressed with zstd, the description in its metadata."""

    def __init__(self, file: IO[bytes], schema: pa.Schema, description: Description | None) -> None:
        options = pa.ipc.IpcWriteOptions(compression="zstd", unify_dictionaries=False)
        self._writer = pa.ipc.new_file(file, plain(described(schema, description)), options=options)

    def write(self, batch: pa.RecordBatch) -> None:
        """Add a batch; words are written out, as a file may have one dictionary only."""
        self._writer.write_batch(batch.cast(plain(batch.schema)))

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()


class LinesSink:
    """Lines of JSON, one for each row.

    With a description that stands in the first line, and the last one says how many rows there were, so
    that a cut file shows.
    """

    def __init__(self, file: IO[bytes], schema: pa.Schema, description: Description | None) -> None:
        del schema  # each line names its fields
        self._file = file
        self._count = 0
        self._described = description is not None
        if description is not None:
            file.write(msgspec.json.encode(description) + b"\n")

    def write(self, batch: pa.RecordBatch) -> None:
        """Add lines."""
        self._count += batch.num_rows
        if batch.num_rows:
            for part in (*documents(batch, "\n"), b"\n"):
                self._file.write(part)

    def close(self) -> None:
        """Say how many rows there were."""
        if self._described:
            self._file.write(b'{"end":%d}\n' % self._count)


class JsonSink:
    """One JSON document: a list of rows, or the description and in it the rows as `readings`."""

    def __init__(self, file: IO[bytes], schema: pa.Schema, description: Description | None) -> None:
        del schema  # each row names its fields
        self._file = file
        self._between, self._end = b"\n", b"\n]\n"
        opening = b"["
        if description is not None:
            opening = msgspec.json.encode(description).removesuffix(b"}") + b',"readings":['
            self._end = b"\n]}\n"
        file.write(opening)

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows."""
        if batch.num_rows:
            for part in (self._between, *documents(batch, ",\n")):
                self._file.write(part)
            self._between = b",\n"

    def close(self) -> None:
        """Close the document."""
        self._file.write(self._end)


Make = Callable[[IO[bytes], pa.Schema, Description | None], Sink]
FORMATS: dict[str, Make] = {
    "csv": CsvSink,
    "excel": ExcelSink,
    "json": JsonSink,
    "ndjson": LinesSink,
    "parquet": ParquetSink,
    "arrow": ArrowSink,
    "dsm": ArrowSink,
}
"""What makes each format; a description is written where there is one and the format has a place for it."""


def described(schema: pa.Schema, description: Description | None) -> pa.Schema:
    """The same with the description in its metadata, where there is one."""
    if description is None:
        return schema
    return schema.with_metadata({KEY: msgspec.json.encode(description), b"format": FORMAT.encode()})


def plain(schema: pa.Schema) -> pa.Schema:
    """The same without dictionaries."""
    fields = [
        pa.field(field.name, field.type.value_type) if pa.types.is_dictionary(field.type) else field
        for field in schema
    ]
    return pa.schema(fields, metadata=schema.metadata)
