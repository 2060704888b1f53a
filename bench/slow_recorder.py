"""Slow recorder: how long a question takes to what a few sensors told in an hour, in a commit a second.

The peer is DuckDB with the same readings in a table of its own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import duckdb

from bench.archive import SECOND, START, best
from bench.machine import version_of_gh
from bench.row import Row
from dsmilctl.archive.database import connect
from dsmilctl.archive.places import Places
from dsmilctl.archive.query import Query, Wanted
from dsmilctl.archive.recording import new_recording
from dsmilctl.archive.store import Store
from dsmilctl.model.reading import Reading

SENSORS = 11
SECONDS = 3600
MINUTES = Wanted(every=60 * SECOND)
NATIVE = """SELECT device, epoch_ns(time) // 60000000000 AS minute, avg(value) FROM readings
  GROUP BY ALL ORDER BY ALL"""


def made(second: int) -> list[Reading]:
    """What the sensors read in one second."""
    moment, sequence = START + second * SECOND, second * SENSORS
    return [
        Reading(f"hwmon-{number}", "TEMP", 40 + (second + number) % 53 / 10, moment, "°C", sequence=sequence)
        for number in range(SENSORS)
    ]


def asked(places: Places) -> None:
    """A question as a command asks it: the archive is opened for it."""
    with Query(places) as query:
        query.readings(MINUTES).read_all()


def natively(places: Places) -> float:
    """The same question to DuckDB, in milliseconds."""
    with Query(places) as query:
        hour = query.readings(Wanted()).read_all()
    assert hour.num_rows == SENSORS * SECONDS
    with duckdb.connect(":memory:") as native:
        native.execute("CREATE TABLE readings AS SELECT * FROM hour")
        return best(lambda: native.sql(NATIVE).to_arrow_table())


def rows() -> Iterable[Row]:
    """A question to an hour that is not sealed yet, and what that hour takes of the disk."""
    with tempfile.TemporaryDirectory(prefix="dsmilctl-bench-") as name, Store(Places(Path(name))) as store:
        writer = store.begin(new_recording("bench", START))
        for second in range(SECONDS):
            writer.readings(made(second))
            writer.flush()
        yield Row(
            "slow recorder: minutes of its last hour", best(lambda: asked(store.places)), "ms", 100,
            "DuckDB native", natively(store.places), absolute=True, gh=version_of_gh(),
        )  # fmt: skip
        with closing(connect(store.places.database, read_only=True)) as connection:
            taken = connection.execute("SELECT sum(length(block)) FROM chunks").fetchone()[0]
        yield Row("slow recorder: bytes of a hot reading", taken / SENSORS / SECONDS, "B", 12, absolute=True)
        store.end(writer, "completed")
