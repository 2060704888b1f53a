"""Importing: a file that was exported becomes a recording again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from dsmilctl.archive.compression import opened
from dsmilctl.archive.description import KEY, Description
from dsmilctl.archive.formats import COLUMNS, NOT_FINITE
from dsmilctl.archive.hot import KIND_NAMES, QUALITY_NAMES, TABLE
from dsmilctl.archive.recording import Recording, new_recording
from dsmilctl.archive.unfolding import largest_batch
from dsmilctl.errors import InvalidParameter

PLAIN = pa.schema(
    [
        pa.field(name, field.type.value_type if pa.types.is_dictionary(field.type) else field.type)
        for name in COLUMNS
        for field in [TABLE.field(name)]
    ]
)
"""What every format is read as."""

LINES = 20_000
LONGEST_LINE = 64 * 1024 * 1024
"""Bytes of a line of NDJSON: the first one holds every operation and event."""

LARGEST_BATCH = 256 * 1024 * 1024
"""Bytes that the words of a batch, or a row group of Parquet, may unpack to."""

LONGEST_DOCUMENT = 1024 * 1024 * 1024
"""Bytes of a JSON document, which is read whole; NDJSON has no such bound."""

OLD_MAGIC = b"DSML"
Imported = tuple[Description | None, Iterator[pa.RecordBatch]]


def read_file(path: Path, format: str) -> Imported:
    """The description in a file, where it has one, and its readings in batches.

    Raises InvalidParameter for a file that is not of that format, OSError.  An old `.dsm` holds pickled
    objects, which could run any program: it is refused.
    """
    with path.open("rb") as file:
        if file.read(4) == OLD_MAGIC:
            raise InvalidParameter(
                f"{path.name} is an old .dsm with pickled objects, which are never loaded",
                hint="import the SQLite or JSON file of that session", target=str(path),
            )  # fmt: skip
    try:
        description, batches = READERS[format](path)
    except _MISFITS as error:
        raise _misfit(path, format, error) from error
    return description, _checked(path, format, batches)


_MISFITS = (
    pa.ArrowException, msgspec.MsgspecError, AttributeError, KeyError, MemoryError, OverflowError, TypeError,
    ValueError,
)  # fmt: skip


def _misfit(path: Path, format: str, error: Exception) -> InvalidParameter:
    first = str(error).partition("\n")[0]
    return InvalidParameter(f"{path.name} cannot be read as {format}: {first}", target=str(path))


def _checked(path: Path, format: str, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    try:
        for batch in batches:
            _check_words(batch, "kind", KIND_NAMES)
            _check_words(batch, "quality", QUALITY_NAMES)
            yield batch
    except _MISFITS as error:
        raise _misfit(path, format, error) from error


def _check_words(batch: pa.RecordBatch, name: str, known: tuple[str, ...]) -> None:
    strange = {word.as_py() for word in batch.column(name).unique()} - set(known)
    if strange:
        wrong = ", ".join(map(str, strange))
        raise ValueError(f"{name} cannot be {wrong}, only {', '.join(known)}")


def _read_parquet(path: Path) -> Imported:
    import pyarrow.parquet as pq

    words = [field.name for field in PLAIN if pa.types.is_string(field.type)]
    file = pq.ParquetFile(path, page_checksum_verification=True, read_dictionary=words)
    for number in range(file.metadata.num_row_groups):
        if file.metadata.row_group(number).total_byte_size > LARGEST_BATCH:
            raise ValueError("a row group of it is larger than any that was exported")
    batches = (_plain(batch) for batch in file.iter_batches(LINES, columns=list(COLUMNS)))
    return _description(file.schema_arrow.metadata), batches


def _read_arrow(path: Path) -> Imported:
    file = pa.memory_map(str(path))
    if largest_batch(file.read_buffer()) > LARGEST_BATCH:
        raise ValueError("a batch of it unpacks to far more than any that was exported")
    reader = pa.ipc.open_file(file)
    batches = (_plain(reader.get_batch(number)) for number in range(reader.num_record_batches))
    return _description(reader.schema.metadata), batches


def _read_csv(path: Path) -> Imported:
    from pyarrow import csv

    options = csv.ConvertOptions(
        column_types=PLAIN, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
    )

    def batches() -> Iterator[pa.RecordBatch]:
        with opened(path) as file:
            parse = csv.ParseOptions(newlines_in_values=True)
            reader = csv.open_csv(file, parse_options=parse, convert_options=options)
            if missing := set(COLUMNS) - set(reader.schema.names):
                raise ValueError(f"it has no column {sorted(missing)[0]}")
            yield from map(_plain, reader)

    return None, batches()


def _read_lines(path: Path) -> Imported:
    with opened(path) as file:
        description = msgspec.json.decode(file.readline(LONGEST_DOCUMENT), type=Description)

    return description, _batches_of_lines(path)


def _batches_of_lines(path: Path) -> Iterator[pa.RecordBatch]:
    count, end = 0, None
    with opened(path) as file:
        file.readline(LONGEST_DOCUMENT)
        while rows := [msgspec.json.decode(line) for line in _lines(file)]:
            end = rows.pop()["end"] if "end" in rows[-1] else None
            count += len(rows)
            yield _rows(rows)
    if end != count:
        raise ValueError("its end is missing")


def rows_of_lines(file: IO[bytes]) -> Iterator[pa.RecordBatch]:
    """Readings out of lines of JSON without a description."""
    while rows := [msgspec.json.decode(line) for line in _lines(file)]:
        yield _rows(rows)


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """The next lines, LINES at the most."""
    for _ in range(LINES):
        line = file.readline(LONGEST_LINE)
        if not line:
            return
        yield line


class _Document(Description, frozen=True, kw_only=True):
    """A JSON export: a description with the readings in it."""

    readings: tuple[dict[str, Any], ...] = ()


def _read_json(path: Path) -> Imported:
    with opened(path) as file:
        content = file.read(LONGEST_DOCUMENT + 1)
    if len(content) > LONGEST_DOCUMENT:
        raise ValueError("it is too large for one document: export it as ndjson")
    document = msgspec.json.decode(content, type=_Document)
    fields = {name: getattr(document, name) for name in Description.__struct_fields__}
    starts = range(0, len(document.readings), LINES)
    rows = document.readings
    return Description(**fields), (_rows(list(rows[first : first + LINES])) for first in starts)


def _rows(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    for row in rows:
        if isinstance(row.get("value"), str):
            row["value"] = NOT_FINITE[row["value"]]
    times = pa.field("time", pa.int64())
    schema = pa.schema([times if field.name == "time" else field for field in PLAIN])
    return pa.RecordBatch.from_pylist(rows, schema).cast(PLAIN)


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    if _size(batch) > LARGEST_BATCH:
        raise ValueError("the words of it unpack to more than any recording has")
    return batch.select(list(COLUMNS)).cast(PLAIN)


def _size(batch: pa.RecordBatch) -> int:
    """The bytes that the words of a batch take when each is written out."""
    found = 0
    for column in batch.columns:
        if pa.types.is_dictionary(column.type) and pa.types.is_string(column.type.value_type):
            lengths = pc.binary_length(column.dictionary)
            found += pc.sum(pc.take(lengths.cast(pa.int64()), column.indices)).as_py() or 0
    return found


def _description(metadata: dict[bytes, bytes] | None) -> Description | None:
    content = (metadata or {}).get(KEY)
    return msgspec.json.decode(content, type=Description) if content else None


READERS: dict[str, Callable[[Path], Imported]] = {
    "csv": _read_csv,
    "json": _read_json,
    "ndjson": _read_lines,
    "parquet": _read_parquet,
    "arrow": _read_arrow,
    "dsm": _read_arrow,
}


def as_recording(description: Description | None, name: str, now: int, taken: set[str]) -> Recording:
    """The recording that an import makes: the one that was exported, under another id where that is taken."""
    if description is None:
        return new_recording(name, now)
    found = description.recording
    if name:
        found = msgspec.structs.replace(found, name=name)
    if found.recording_id not in taken:
        return found
    fresh = new_recording(found.name, found.started)
    return msgspec.structs.replace(found, recording_id=fresh.recording_id)
