"""Readings that wait for the disk: many of them are columns, and none is lost, changed or out of order."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsmilctl.archive.database import connect, prepare
from dsmilctl.archive.series import SeriesNumbers
from dsmilctl.archive.waiting import MANY, Waiting
from dsmilctl.clock import SYSTEM
from dsmilctl.model.reading import Reading


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """An empty archive."""
    path: Path = tmp_path_factory.mktemp("waiting") / "archive.db"
    prepare(path, SYSTEM)
    with closing(connect(path)) as connection:
        yield connection


def stretch(first: int, count: int) -> list[Reading]:
    """Readings of seven devices that are numbered from `first`."""
    return [
        Reading(0x8000 + number % 7, "TEMP", float(number), number, "°C", sequence=number)
        for number in range(first, first + count)
    ]


def numbers(waiting: Waiting, connection: sqlite3.Connection, most: int) -> list[int]:
    """The numbers of readings as the disk gets them; each has the series of its device."""
    series = SeriesNumbers(connection)
    found: list[int] = []
    for batch in waiting.batches(series, most):
        assert batch.num_rows < 2 * most
        given_numbers = batch.column("sequence").to_pylist()
        wanted = [series.number((0x8000 + number % 7, "TEMP", "°C")) for number in given_numbers]
        assert batch.column("series").to_pylist() == wanted
        assert batch.column("value").to_pylist() == given_numbers
        found += given_numbers
    return found


@settings(deadline=None, max_examples=40)
@given(
    arrived=st.tuples(*[st.lists(st.integers(1, 2 * MANY), max_size=6)] * 2),
    dropped=st.floats(0, 1),
    most=st.sampled_from([1000, MANY, 20 * MANY]),
    columns=st.booleans(),
)
def test_what_waits_leaves_in_the_order_in_which_it_came_and_the_oldest_are_dropped_first(
    connection: sqlite3.Connection,
    arrived: tuple[list[int], list[int]],
    dropped: float,
    most: int,
    columns: bool,
) -> None:
    first, second, total = Waiting(), Waiting(), 0
    for waiting, counts in zip((first, second), arrived, strict=True):
        for count in counts:
            waiting.extend(stretch(total, count), columns=columns)
            total += count

    first.join(second, columns=columns)
    gone = int(dropped * total)
    first.drop(gone)

    assert len(first) == total - gone
    assert numbers(first, connection, most) == list(range(gone, total))
    assert columns or [reading.sequence for reading in first.objects] == list(range(gone, total))


def test_a_reading_that_no_column_can_hold_keeps_its_neighbours_as_objects_until_it_is_left_out(
    connection: sqlite3.Connection,
) -> None:
    waiting = Waiting()
    waiting.extend([*stretch(0, MANY), Reading(0x8000, "TEMP", 1.0, 2**70), *stretch(MANY, 10)])
    waiting.extend(stretch(MANY + 10, MANY))
    assert waiting.many

    with pytest.raises(OverflowError):
        numbers(waiting, connection, 10 * MANY)
    assert waiting.leave_out(lambda reading: reading.timestamp < 2**63) == 1

    assert numbers(waiting, connection, 10 * MANY) == list(range(2 * MANY + 10))


def test_what_waits_for_long_leaves_hardly_any_object_behind() -> None:
    waiting = Waiting()
    before = sys.getallocatedblocks()

    for tick in range(100):
        waiting.extend(stretch(10_000 + 1000 * tick, 1000))

    assert len(waiting) == 100_000
    assert sys.getallocatedblocks() - before < 30_000, "as objects they are more than 300,000"
