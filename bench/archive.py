"""Archive: recording, asking, size, export, and operations that are durable, beside SQLite and DuckDB."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import duckdb

from bench.machine import version_of_gh
from bench.row import Row
from dsmilctl.archive.exporting import Layout, export
from dsmilctl.archive.places import Places
from dsmilctl.archive.query import Query, Wanted
from dsmilctl.archive.recorder import PAUSE
from dsmilctl.archive.recording import new_recording
from dsmilctl.archive.rows import operation_row
from dsmilctl.archive.scanning import Scan
from dsmilctl.archive.store import Store
from dsmilctl.archive.writer import Writer
from dsmilctl.fleet.bus import Bus, Policy, each
from dsmilctl.model.audit import AuditRecord
from dsmilctl.model.reading import Batch, Gap, Reading

START = 1_763_000_000_000_000_000
SECOND = 1_000_000_000
DEVICES = 1000
SIZES = (500_000, 1_000_000, 2_000_000)
OPERATIONS = 20_000
THREADS = 64


def readings(count: int) -> list[Reading]:
    """What 1,000 devices tell ten times a second: times with jitter, values that wander by tenths."""
    chance = random.Random(count)
    names = [f"boiler-{number}" for number in range(DEVICES)]
    values = [chance.randrange(200, 900) for _ in names]
    made = []
    for number in range(count):
        device, tick = number % DEVICES, number // DEVICES
        values[device] += chance.choice((-2, -1, 0, 0, 1, 2))
        moment = START + tick * SECOND // 10 + chance.randrange(2000) * 1000
        made.append(Reading(names[device], "TEMP", values[device] / 10, moment, "°C", sequence=number))
    return made


async def through_the_bus(batches: list[Batch], writer: Writer) -> None:
    """Batches from a bus to the disk, as a recorder takes them."""
    bus = Bus()
    listener = bus.readings.listen(Policy.BLOCK, size=8)

    async def take() -> None:
        async for batch in each(listener):
            if not isinstance(batch, Gap):
                writer.readings(batch.readings)
                while writer.crowded:
                    await asyncio.sleep(PAUSE)

    taking = asyncio.create_task(take())
    for batch in batches:
        await bus.readings.deliver(batch)
    bus.close()
    await taking


def record(folder: Path, made: list[Reading]) -> float:
    """Seconds from the first reading on the bus until the last one is on the disk, sealed as they come."""
    tick = DEVICES
    batches = [
        Batch(number, START, tuple(made[first : first + tick]))
        for number, first in enumerate(range(0, len(made), tick))
    ]
    with Store(Places(folder)) as store:
        writer = store.begin(new_recording("bench", START))
        begun = time.perf_counter()
        asyncio.run(through_the_bus(batches, writer))
        writer.flush()
        took = time.perf_counter() - begun
        store.end(writer, "completed")
    return took


def rows_of(made: list[Reading]) -> list[tuple[int, int, float, int]]:
    """The same for SQLite, as small as rows can be."""
    return [(number % DEVICES, item.timestamp, float(str(item.value)), 0) for number, item in enumerate(made)]


def sqlite_rows(path: Path, rows: list[tuple[int, int, float, int]]) -> float:
    """Seconds in which SQLite takes rows that are made already, 100,000 a commit."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("CREATE TABLE readings (series, timestamp, value, quality)")
    begun = time.perf_counter()
    for first in range(0, len(rows), 100_000):
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO readings VALUES (?, ?, ?, ?)", rows[first : first + 100_000])
        connection.execute("COMMIT")
    took = time.perf_counter() - begun
    connection.close()
    return took


def operations(folder: Path) -> Iterable[Row]:
    """Many threads, each of which waits until its operation is on the medium."""
    record = AuditRecord(
        sequence=1, time=START, user="ada", host="ward", context="sim", action="device.write",
        target="0x8000", parameters={"register": "CONFIG", "value": 5}, outcome="SUCCESS", operation_id="op",
    )  # fmt: skip
    with Store(Places(folder / "operations")) as store:
        writer = store.begin(new_recording("operations", START))
        row = operation_row(writer.recording_id, record)

        def work() -> None:
            for _ in range(OPERATIONS // THREADS // 16):
                for future in [writer.durable("operations", row) for _ in range(16)]:
                    future.result()

        threads = [threading.Thread(target=work) for _ in range(THREADS)]
        begun = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ours = OPERATIONS / (time.perf_counter() - begun)
        store.end(writer, "completed")
    theirs = durable_rows(folder / "single.db", row)
    yield Row(
        "archive: durable operations, 1,024 waiting", ours, "/s", 10_000, "SQLite, each synced", theirs,
        at_least=True, absolute=True,
    )  # fmt: skip


def durable_rows(path: Path, row: tuple[object, ...], count: int = 2000) -> float:
    """Rows a second that SQLite takes one by one, each on the medium before the next."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    marks = ", ".join(f"c{number}" for number in range(len(row)))
    connection.execute(f"CREATE TABLE operations ({marks})")
    begun = time.perf_counter()
    for _ in range(count):
        connection.execute(f"INSERT INTO operations VALUES ({', '.join('?' * len(row))})", row)
    took = time.perf_counter() - begun
    connection.close()
    return count / took


def best(work: Callable[[], object], rounds: int = 5) -> float:
    """The best time of some rounds, in milliseconds."""
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return min(times) * 1000


def raw_files(places: Places) -> list[str]:
    """The segments without their stretches."""
    return [str(path) for path in sorted(places.segments.iterdir()) if "-1m" not in path.name]


def asked(folder: Path, made: list[Reading]) -> Iterable[Row]:
    """Minute averages of everything, and one series, over what was recorded before."""
    places = Places(folder)
    native = duckdb.connect(str(folder / "native.duckdb"))
    files = raw_files(places)
    native.execute("CREATE TABLE readings AS SELECT device, time, value FROM read_parquet(?)", [files])
    minutes = """SELECT device, epoch_ns(time) // 60000000000 AS minute, avg(value) FROM readings
      GROUP BY ALL ORDER BY ALL"""
    theirs = best(lambda: native.sql(minutes).to_arrow_table())
    everything = Wanted(every=60 * SECOND)
    shorter = Wanted(every=6 * SECOND)
    one = Wanted(selector="boiler-500", registers=("TEMP",), since=START, until=START + 3600 * SECOND)
    with Query(places) as query:
        ours = best(lambda: query.readings(everything).read_all())
        plain = best(lambda: query.readings(shorter).read_all())
        series = best(lambda: query.readings(one).read_all())
    single = "SELECT * FROM readings WHERE device = 'boiler-500' ORDER BY time"
    peer = best(lambda: native.sql(single).to_arrow_table())
    six = best(lambda: native.sql(minutes.replace("60000000000", "6000000000")).to_arrow_table())
    what, gh = f"over {len(made):,}", version_of_gh()
    yield Row(
        f"archive: minute averages {what}", ours, "ms", 100, "DuckDB native", theirs, absolute=True, gh=gh
    )
    yield Row(f"archive: averages of 6 s {what}", plain, "ms", 0, "DuckDB native", six)
    yield Row("archive: one series of 1,000", series, "ms", 10, "DuckDB native", peer, absolute=True, gh=gh)


def taken_along(places: Places, target: Path, format: str) -> None:
    """Export the newest recording."""
    with Scan(places) as scan:
        export(scan.readings(Wanted()), scan.description("last"), target, Layout(format), lambda _: None)


PEAK = """import atexit, re, sys
def tell_peak():
    found = re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())
    print(found[1], file=sys.stderr, flush=True)
atexit.register(tell_peak)
"""
OURS = """from dsmilctl.cli import program
sys.argv[1:1] = ["record", "export", "last"]
program()
"""
THEIRS = "import duckdb; duckdb.execute(sys.argv[1])\n"


def peak(program: str, *arguments: str) -> float:
    """The largest resident size of a fresh process that runs a program, in MiB."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK + program, *arguments], check=True, capture_output=True, text=True
    )
    return int(done.stderr.split()[-1]) / 1024


COPIES = (
    ("csv", "FORMAT csv, HEADER", 1.2),
    ("parquet", "FORMAT parquet, COMPRESSION zstd", 1.2),
    ("ndjson", "FORMAT json", 3.0),
    ("json", "FORMAT json, ARRAY true", 3.0),
)
"""Formats with the options of DuckDB's COPY, which takes every core, and the bar of the ratio to it."""


def exported(folder: Path, made: list[Reading]) -> Iterable[Row]:
    """The whole recording in four formats, beside DuckDB's own COPY of the same columns."""
    places = Places(folder)
    files = raw_files(places)
    for format, options, bar in COPIES:
        ours = best(partial(taken_along, places, folder / f"ours.{format}", format), rounds=2)
        copy = f"COPY (SELECT * FROM read_parquet({files})) TO '{folder}/theirs.{format}' ({options})"
        theirs = best(partial(duckdb.execute, copy), rounds=2)
        yield Row(f"archive: export of {len(made):,} as {format}", ours, "ms", bar, "DuckDB COPY", theirs)
    memory = peak(OURS, str(folder / "peak.csv"), "--archive", str(folder))
    copy = f"COPY (SELECT * FROM read_parquet({files})) TO '{folder}/peak.csv' (FORMAT csv, HEADER)"
    what = f"archive: memory of an export of {len(made):,}"
    yield Row(what, memory, "MiB", 150, "DuckDB COPY", peak(THEIRS, copy), absolute=True)


def rows() -> Iterable[Row]:
    """Recording at three sizes, then questions, size and export of the largest, then operations."""
    with tempfile.TemporaryDirectory(prefix="dsmilctl-bench-") as name:
        folder = Path(name)
        record(folder / "first", readings(10_000))  # what is loaded once is not the rate at which it records
        for size in SIZES:
            made = readings(size)
            ours = size / record(folder / f"archive-{size}", made)
            theirs = size / sqlite_rows(folder / f"rows-{size}.db", rows_of(made))
            yield Row(
                f"archive: {size:,} readings from bus to disk", ours, "/s", 500_000, "SQLite rows", theirs,
                at_least=True, absolute=True,
            )  # fmt: skip
        largest = folder / f"archive-{SIZES[-1]}"
        sealed = sum(path.stat().st_size for path in Places(largest).segments.iterdir())
        plain = (folder / f"rows-{SIZES[-1]}.db").stat().st_size
        yield Row(
            "archive: bytes of a sealed reading", sealed / SIZES[-1], "B", 6, "SQLite rows",
            plain / SIZES[-1], absolute=True,
        )  # fmt: skip
        yield from asked(largest, made)
        yield from exported(largest, made)
        yield from operations(folder)
