"""History: pages of recorded readings through the client, and the past of the simulator.

The peer of the archive's rows is DuckDB with the series in a table of its own, opened before.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path

import duckdb

from bench.machine import version_of_gh
from bench.row import Row
from dsmilctl.archive.places import Places
from dsmilctl.archive.query import Query, Wanted
from dsmilctl.archive.recording import new_recording
from dsmilctl.archive.store import Store
from dsmilctl.client.local import LocalClient
from dsmilctl.client.opening import connect_context
from dsmilctl.config.contexts import Context, DriverUse
from dsmilctl.model.history import ReadingsQuery
from dsmilctl.model.reading import Reading

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
DEVICES = 84
NAME = "bench"
ROUNDS = 7


def made(number: int, second: int, begun: int) -> Reading:
    """One reading of one device."""
    value = 40 + (second + number) % 17 / 10
    moment = begun + second * SECOND
    return Reading(0x8000 + number, "TEMP", value, moment, "°C", sequence=second * DEVICES + number)


def recorded(folder: Path, begun: int) -> Places:
    """An hour of TEMP of 84 devices, one reading a second."""
    places = Places(folder)
    recording = new_recording("bench", begun, context=NAME)
    with Store(places) as store:
        writer = store.begin(recording)
        for second in range(3600):
            writer.readings([made(number, second, begun) for number in range(DEVICES)])
            while writer.crowded:
                time.sleep(0.005)  # until the disk has caught up
        store.end(writer, "completed")
    return places


async def best(work: Callable[[], Awaitable[object]], rounds: int = ROUNDS) -> float:
    """The shortest of some rounds, in milliseconds, after one that warms up."""
    await work()
    found = []
    for _ in range(rounds):
        begun = time.perf_counter()
        await work()
        found.append((time.perf_counter() - begun) * 1000)
    return min(found)


def natively(places: Places) -> float:
    """One series of an hour, as DuckDB gives it out of a table of its own as rows of Python."""
    with Query(places) as query:
        hour = query.readings(Wanted(devices=("0x8004",), registers=("TEMP",))).read_all()
    assert hour.num_rows == 3600
    found = []
    with duckdb.connect(":memory:") as native:
        native.execute("CREATE TABLE readings AS SELECT * FROM hour")
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            native.sql("SELECT * FROM readings ORDER BY time").fetchall()
            found.append((time.perf_counter() - begun) * 1000)
    return min(found)


def client(past_days: float) -> LocalClient:
    """A client on simulated devices."""
    drivers = (DriverUse("sim", {"past_days": past_days, "persist": False}),)
    return connect_context(Context(name=NAME, drivers=drivers, target="simulated", fleet=NAME))


async def measured(begun: int, places: Places) -> list[Row]:
    """The rows of this module."""
    series = ReadingsQuery(device_ids=(0x8004,), registers=("TEMP",), limit=10_000)
    now = time.time_ns()
    found, gh = list[Row](), version_of_gh()
    async with client(30) as past:
        hour = ReadingsQuery(device_ids=(0x8004,), registers=("TEMP",), since=now - HOUR)
        month = ReadingsQuery(device_ids=(0x8004,), registers=("TEMP",), every=HOUR)
        found += [
            Row(
                "history: one hour of the simulator's past",
                await best(lambda: past.readings(hour)),
                "ms",
                10,
                gh=gh,
            ),
            Row(
                "history: 30 days of it by the hour",
                await best(lambda: past.readings(month)),
                "ms",
                100,
                gh=gh,
            ),
        ]
    native = natively(places)
    async with client(0) as archived:
        archived.archive = places.folder
        since, until = begun, begun + HOUR
        first = ReadingsQuery(device_ids=(0x8004,), registers=("TEMP",), since=since, until=until, limit=1000)
        minutes = ReadingsQuery(device_ids=(0x8004,), registers=("TEMP",), every=60 * SECOND)
        whole = await best(lambda: archived.readings(series))
        page = await best(lambda: archived.readings(first))
        by_minute = await best(lambda: archived.readings(minutes))
    row = partial(Row, unit="ms", bar=10, peer="DuckDB native", theirs=native, absolute=True, gh=gh)
    return [
        *found,
        row("history: one recorded hour, 3,600 readings", whole),
        row("history: its first page of 1,000", page),
        row("history: its averages by the minute", by_minute),
    ]


def rows() -> Iterable[Row]:
    """Measure in a throw-away home."""
    before = os.environ.get("DSMIL_HOME")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DSMIL_HOME"] = folder
        try:
            begun = time.time_ns() - 2 * HOUR
            places = recorded(Path(folder) / "archive", begun)
            yield from asyncio.run(measured(begun, places))
        finally:
            if before is None:
                del os.environ["DSMIL_HOME"]
            else:
                os.environ["DSMIL_HOME"] = before
