"""Waiting: readings on their way to the disk; where many wait they are kept as columns, not as objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from dsmilctl.archive.blocks import batch_of, fields_of, joined
from dsmilctl.archive.series import Arrivals, Key, SeriesNumbers
from dsmilctl.model.reading import Reading

MANY = 1_000
"""Readings from which on they become columns.

Python gives memory back by arenas of 1 MiB, and one object that is in use keeps the whole of it: what the
objects needed while the disk kept them waiting would stay, a little more after each time.
"""

UNFIT = (pa.ArrowException, ArithmeticError, LookupError, TypeError, ValueError)
"""What goes wrong with a reading that no column can hold: a time beyond 64 bits, a strange type."""


class Columns(msgspec.Struct, frozen=True):
    """Readings as a batch in which `series` is a place in `keys`, to which others may be added."""

    keys: list[Key]
    batch: pa.RecordBatch

    def __len__(self) -> int:
        return int(self.batch.num_rows)

    def numbered(self, series: SeriesNumbers) -> pa.RecordBatch:
        """The batch with the numbers that the archive has for its series."""
        numbers = pc.take(series.of_keys(self.keys), self.batch.column("series"))
        return self.batch.set_column(0, "series", numbers)


class Waiting:
    """Readings in the order in which they came; `arrivals` are those of whoever brings them."""

    def __init__(self, arrivals: Arrivals | None = None) -> None:
        self._arrivals = arrivals or Arrivals()
        self._parts: list[Columns | list[Reading]] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def many(self) -> bool:
        """Whether some of them have become columns."""
        return any(isinstance(part, Columns) for part in self._parts)

    @property
    def objects(self) -> list[Reading]:
        """Those that are no columns: all of them where none were to become some."""
        return [reading for part in self._parts if not isinstance(part, Columns) for reading in part]

    def extend(self, readings: Sequence[Reading], *, columns: bool = True) -> None:
        """Take readings; with `columns` many of them become some, unless one of them fits in none."""
        if not self._parts or isinstance(self._parts[-1], Columns):
            self._parts.append([])
        last = self._parts[-1]
        assert isinstance(last, list)
        last.extend(readings)
        self._count += len(readings)
        if columns and len(last) >= MANY:
            self._parts[-1:] = [_columns_of(last, self._arrivals), []]

    def join(self, later: Waiting, *, columns: bool = True) -> None:
        """Take what came later."""
        for part in later._parts:
            if isinstance(part, Columns):
                self._parts.append(part)
                self._count += len(part)
            else:
                self.extend(part, columns=columns)

    def drop(self, count: int) -> None:
        """Let go of the oldest ones."""
        self._count -= count
        while count:
            first = self._parts.pop(0)
            if len(first) > count:
                self._parts.insert(0, _behind(first, count))
            count -= min(count, len(first))

    def leave_out(self, fits: Callable[[Reading], bool]) -> int:
        """Drop the readings that do not fit; how many those were.  What has become columns did fit."""
        before = self._count
        for number, part in enumerate(self._parts):
            if isinstance(part, list):
                self._parts[number] = list(filter(fits, part))
        self._count = sum(map(len, self._parts))
        return before - self._count

    def batches(self, series: SeriesNumbers, most: int) -> Iterator[pa.RecordBatch]:
        """All of them as columns, in batches of about `most` readings; what does not fit raises UNFIT."""
        gathered: list[pa.RecordBatch] = []
        for part in self._parts:
            for first in range(0, len(part), most):
                gathered.append(_batch(part, first, most, series))
                if sum(batch.num_rows for batch in gathered) >= most:
                    yield joined(gathered)
                    gathered = []
        if gathered:
            yield joined(gathered)


def _columns_of(readings: list[Reading], arrivals: Arrivals) -> Columns | list[Reading]:
    """Readings as columns, or as they are where one of them fits in none."""
    fields = fields_of(readings)
    try:
        return Columns(arrivals.keys, batch_of(fields, arrivals.of(fields)))
    except UNFIT:
        return readings


def _behind(part: Columns | list[Reading], count: int) -> Columns | list[Reading]:
    """What comes after the first ones."""
    if isinstance(part, Columns):
        return Columns(part.keys, part.batch.slice(count))
    return part[count:]


def _batch(part: Columns | list[Reading], first: int, most: int, series: SeriesNumbers) -> pa.RecordBatch:
    if isinstance(part, Columns):
        return Columns(part.keys, part.batch.slice(first, most)).numbered(series)
    fields = fields_of(part[first : first + most])
    return batch_of(fields, series.of(fields))
