"""Live: files that grow with every commit of a recording and can be cut back to any commit before.

While it is recorded a file has another shape than in the end: what stands at its start (the description) or
at its end (a footer) is not known yet.  Nothing here knows of the database.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Protocol

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from dsmilctl.archive.documents import documents
from dsmilctl.archive.importing import PLAIN

FAN = 32
"""Parts of Parquet that are made into one of the next size."""

LARGEST = 3
"""The size at which parts stay as they are: FAN to this power commits in each."""


class Length(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a live file counts: bytes of a file, or the names of parts."""

    readings: int = 0
    bytes: int = 0
    parts: tuple[str, ...] = ()


class Live(Protocol):
    """One file, or folder of parts, that grows."""

    length: Length

    def append(self, batch: pa.RecordBatch) -> None:
        """Add readings; they count once `length` is kept."""
        ...

    def cut(self, length: Length) -> None:
        """Go back to what it was, whatever came since; raises ValueError where it is shorter than that."""
        ...

    def sync(self) -> None:
        """Return when it is on the medium."""
        ...

    def kept(self) -> None:
        """What counts is noted now: what it stood in for may go."""
        ...

    def batches(self) -> Iterator[pa.RecordBatch]:
        """What it holds."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


class LiveFile:
    """A file to which bytes are added: lines of CSV or JSON, or messages of Arrow."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.length = Length()
        self._file: IO[bytes] = path.open("r+b" if path.exists() else "w+b")
        os.chmod(path, 0o600)  # noqa: PTH101 - the file that is open

    def append(self, batch: pa.RecordBatch) -> None:
        """Add readings."""
        self._file.seek(self.length.bytes)
        if not self.length.bytes:
            self._file.write(self.opening(batch.schema))
        self._file.write(self.encoded(batch))
        self._file.flush()
        self.length = Length(readings=self.length.readings + batch.num_rows, bytes=self._file.tell())

    def cut(self, length: Length) -> None:
        """Take away what was written since."""
        if self._file.seek(0, os.SEEK_END) < length.bytes:
            raise ValueError(f"{self.path.name} is shorter than what was noted of it")
        self._file.truncate(length.bytes)
        self.length = length

    def sync(self) -> None:
        """Return when it is on the medium."""
        os.fsync(self._file.fileno())

    def kept(self) -> None:
        """Nothing stood in for it."""

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """What it holds."""
        raise NotImplementedError

    def opening(self, schema: pa.Schema) -> bytes:
        """What stands before the first reading."""
        raise NotImplementedError

    def encoded(self, batch: pa.RecordBatch) -> bytes:
        """Readings as bytes."""
        raise NotImplementedError


class LiveCsv(LiveFile):
    """Lines of CSV behind a header."""

    def opening(self, schema: pa.Schema) -> bytes:
        """The header."""
        return _csv(schema.empty_table(), header=True)

    def encoded(self, batch: pa.RecordBatch) -> bytes:
        """Lines."""
        return _csv(batch, header=False)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """What it holds; it needs no reading back, as it is final already."""
        from pyarrow import csv

        options = csv.ConvertOptions(
            column_types=PLAIN, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
        )
        if self.length.readings:
            parse = csv.ParseOptions(newlines_in_values=True)
            yield from csv.open_csv(self.path, parse_options=parse, convert_options=options)


class LiveLines(LiveFile):
    """Lines of JSON; the description comes before them in the end."""

    def opening(self, schema: pa.Schema) -> bytes:
        """Nothing yet."""
        return b""

    def encoded(self, batch: pa.RecordBatch) -> bytes:
        """Lines."""
        return b"".join((*documents(batch, "\n"), b"\n")) if batch.num_rows else b""

    def batches(self) -> Iterator[pa.RecordBatch]:
        """What it holds."""
        from dsmilctl.archive.importing import rows_of_lines

        with self.path.open("rb") as file:
            yield from rows_of_lines(file)


class LiveArrow(LiveFile):
    """Messages of Arrow's stream format; a footer and the description come to them in the end."""

    def opening(self, schema: pa.Schema) -> bytes:
        """The schema."""
        return _stream(schema, []).removesuffix(END)

    def encoded(self, batch: pa.RecordBatch) -> bytes:
        """One message."""
        return _stream(batch.schema, [batch]).removeprefix(self.opening(batch.schema)).removesuffix(END)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """What it holds."""
        if self.length.readings:
            with pa.OSFile(str(self.path)) as file:
                yield from pa.ipc.open_stream(file)


END = b"\xff\xff\xff\xff\x00\x00\x00\x00"
"""What ends a stream of Arrow.  Source: Arrow columnar format, IPC streaming format."""


class LiveParquet:
    """A folder of Parquet files, one more with every commit; FAN of one size become one of the next."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.length = Length()
        self._replaced: list[str] = []
        path.mkdir(mode=0o700, exist_ok=True)

    def append(self, batch: pa.RecordBatch) -> None:
        """Add a part, and gather many small ones."""
        parts = [*self.length.parts, self._write(0, pa.Table.from_batches([batch]))]
        while (level := _full(parts)) is not None:
            small = [name for name in parts if _level(name) == level]
            tables = [pq.read_table(self.path / name) for name in small]
            parts = [name for name in parts if name not in small]
            parts.append(self._write(level + 1, pa.concat_tables(tables)))
            self._replaced += small
        size = sum((self.path / name).stat().st_size for name in parts)
        self.length = Length(readings=self.length.readings + batch.num_rows, bytes=size, parts=tuple(parts))

    def _write(self, level: int, table: pa.Table) -> str:
        numbers = [int(name.partition("-")[2][:8]) for name in (path.name for path in self.path.iterdir())]
        name = f"{level}-{max(numbers, default=0) + 1:08d}.parquet"
        pq.write_table(table, self.path / name, compression="zstd", write_page_checksum=True)
        return name

    def cut(self, length: Length) -> None:
        """Remove the parts that do not count."""
        missing = [name for name in length.parts if not (self.path / name).is_file()]
        if missing:
            raise ValueError(f"{missing[0]} of {self.path.name} is missing")
        for path in self.path.iterdir():
            if path.name not in length.parts:
                path.unlink()
        self._replaced.clear()
        self.length = length

    def sync(self) -> None:
        """Return when the last parts are on the medium."""
        for name in self.length.parts[-2:]:
            with (self.path / name).open("rb") as file:
                os.fsync(file.fileno())

    def kept(self) -> None:
        """Remove the parts that became one."""
        for name in self._replaced:
            (self.path / name).unlink(missing_ok=True)
        self._replaced.clear()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """What it holds."""
        for name in self.length.parts:
            with pq.ParquetFile(self.path / name, page_checksum_verification=True) as file:
                yield from file.iter_batches(8192)

    def close(self) -> None:
        """Nothing is held open."""


def _level(name: str) -> int:
    return int(name.partition("-")[0])


def _full(parts: list[str]) -> int | None:
    """The size of which there are enough parts, smallest first."""
    levels = [_level(name) for name in parts]
    return next(
        (level for level in sorted(set(levels)) if levels.count(level) >= FAN and level < LARGEST), None
    )


def _csv(rows: pa.RecordBatch | pa.Table, *, header: bool) -> bytes:
    from pyarrow import csv

    sink = io.BytesIO()
    csv.write_csv(rows, sink, csv.WriteOptions(include_header=header))
    return sink.getvalue()


def _stream(schema: pa.Schema, batches: list[pa.RecordBatch]) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sink.getvalue()


def remove(path: Path) -> None:
    """Remove a live file, or its folder of parts."""
    if path.is_dir():
        import shutil

        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


LIVE: dict[str, type[LiveFile] | type[LiveParquet]] = {
    "csv": LiveCsv,
    "ndjson": LiveLines,
    "parquet": LiveParquet,
    "dsm": LiveArrow,
}
"""What writes each format while it is recorded."""
