"""Exporting: a recording, or one of its tables, as a file that other programs read."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import IO

import msgspec
import pyarrow as pa

from dsmilctl.archive.compression import ENDINGS, compressed
from dsmilctl.archive.description import Description
from dsmilctl.archive.formats import (
    COLUMNS,
    FORMATS,
    GzipParquetSink,
    HarmlessSink,
    Make,
    Sink,
    UnixCsvSink,
    UnixHarmlessSink,
)
from dsmilctl.errors import InvalidParameter, nearest

__all__ = ["COLUMNS", "FORMATS", "Layout", "export", "format_of", "layout_of", "write_description"]

PACKED = ("arrow", "dsm")
"""Formats that are always packed with zstd inside."""

AHEAD = 2
"""Batches that are read while one is written."""

SUFFIX = ".meta.json"
"""What the name of a description gets that stands beside its file."""


class Layout(msgspec.Struct, frozen=True):
    """How a file is written: its format, how it is packed (`zstd`, `gzip`, empty), formulas and lines in CSV.

    Lines of CSV end with CRLF, as RFC 4180 wants it, or with `line_feeds` alone.
    """

    format: str
    compress: str = ""
    escape_formulas: bool = False
    line_feeds: bool = False


def format_of(path: Path, wanted: str = "", known: Iterable[str] = tuple(FORMATS)) -> str:
    """The format that is asked for, or that the file's name says; raises InvalidParameter."""
    bare = path.with_suffix("") if path.suffix.lower() in ENDINGS else path
    name = wanted or bare.suffix.removeprefix(".").lower()
    if name not in known:
        hint = nearest(name, known) or f"--format {', '.join(known)}"
        raise InvalidParameter(f"no format {name or path.name!r}", hint=hint, target="--format")
    return name


def layout_of(
    path: Path,
    format: str = "",
    compress: str = "",
    *,
    escape_formulas: bool = False,
    line_feeds: bool = False,
) -> Layout:
    """How a file is to be written, as far as that is not said by its name; raises InvalidParameter."""
    chosen = format_of(path, format)
    packing = compress or ENDINGS.get(path.suffix.lower(), "")
    if packing not in ("", "none", *ENDINGS.values()):
        raise InvalidParameter(f"no compression {packing!r}", hint="zstd, gzip, none", target="--compress")
    if packing == "gzip" and chosen in PACKED:
        raise InvalidParameter(f"{chosen} is packed with zstd inside", hint="leave --compress out",
                               target="--compress")  # fmt: skip
    if escape_formulas and chosen not in ("csv", "excel"):
        raise InvalidParameter("only csv is opened by spreadsheets", hint="--format csv",
                               target="--escape-formulas")  # fmt: skip
    if line_feeds and chosen != "csv":
        raise InvalidParameter("only lines of csv may end so", hint="--format csv", target="--lf")
    return Layout(chosen, "" if packing == "none" else packing, escape_formulas, line_feeds)


def export(
    rows: pa.RecordBatchReader,
    description: Description | None,
    path: Path,
    layout: Layout,
    progress: Callable[[int], None],
) -> int:
    """Write readings, or other rows without a description, to a file that is whole or not there.

    The number of rows is returned, and `progress` hears how many are written so far.  Raises OSError; what
    was at `path` is there still then.
    """
    schema = _chosen_columns(rows.schema)
    with Whole(path) as file, compressed(file, _packing_around(layout)) as packed:
        sink, count = _make(layout)(packed, schema, description), 0
        batches = (batch.select(schema.names) for batch in rows if batch.num_rows)
        for written in _written(sink, batches):
            count += written
            progress(count)
        sink.close()
    return count


def write_description(description: Description, path: Path) -> Path:
    """Write everything of a recording but its readings beside a file; where it is."""
    beside = path.with_name(path.name + SUFFIX)
    with Whole(beside) as file:
        file.write(msgspec.json.format(msgspec.json.encode(description), indent=2) + b"\n")
    return beside


def _make(layout: Layout) -> Make:
    if layout.format == "csv" and layout.escape_formulas:
        return UnixHarmlessSink if layout.line_feeds else HarmlessSink
    if layout.format == "csv" and layout.line_feeds:
        return UnixCsvSink
    if layout.format == "parquet" and layout.compress == "gzip":
        return GzipParquetSink
    return FORMATS[layout.format]


def _packing_around(layout: Layout) -> str:
    """The compression of the whole file; Parquet and Arrow are packed inside."""
    return "" if layout.format in ("parquet", *PACKED) else layout.compress


def _written(sink: Sink, batches: Iterable[pa.RecordBatch]) -> Iterator[int]:
    """Write batches in a thread while the next ones are read; the rows of each one that is written."""

    def write(batch: pa.RecordBatch) -> int:
        sink.write(batch)
        return int(batch.num_rows)

    with ThreadPoolExecutor(1, "archive-export") as thread:
        waiting = deque[Future[int]]()
        for batch in batches:
            waiting.append(thread.submit(write, batch))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        yield from (future.result() for future in waiting)


def _chosen_columns(schema: pa.Schema) -> pa.Schema:
    """The columns that travel: those of readings without their recording, every one of other rows."""
    if set(COLUMNS) - set(schema.names):
        return schema
    return pa.schema([schema.field(name) for name in COLUMNS])


class Whole:
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
