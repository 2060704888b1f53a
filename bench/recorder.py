"""Recorder: what one that records a thousand devices ten times a second takes of the machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

from bench.row import Row
from dsmilctl.archive.database import connect
from dsmilctl.archive.writer import INTERVAL

DEVICES = 1000
SECONDS = 20
TICKS = os.sysconf("SC_CLK_TCK")


def rows() -> Iterable[Row]:
    """Memory at its most, sealing included, and the share of one processor."""
    if not sys.platform.startswith("linux"):
        return
    with tempfile.TemporaryDirectory(prefix="dsmilctl-bench-") as home:
        begun = command(home, "-C", "sim", "record", "start", "@all", "TEMP", "-n", "bench",
                        "--interval", "100ms")  # fmt: skip
        process = begun["process"]
        before = processor_seconds(process)
        time.sleep(SECONDS)  # the stretch that is measured
        share = (processor_seconds(process) - before) / SECONDS * 100
        most = most_memory(process)
        ended = command(home, "record", "stop")
    rate = ended["readings"] / ended["duration_s"]
    yield Row("recorder: memory, 1,000 devices at 10 Hz", most, "MB", 150, absolute=True)
    yield Row("recorder: of a processor, the same", share, "%")
    yield Row("recorder: kept, the same", rate, "/s", DEVICES * 8, at_least=True, absolute=True)
    with tempfile.TemporaryDirectory(prefix="dsmilctl-bench-", dir=".") as home:
        held = held_up(home)
    yield Row(
        "recorder: a commit held up at most, beside readers and backups", held, "ms", 100, absolute=True
    )


def held_up(home: str) -> float:
    """Milliseconds by which a commit came late at most, while one reads and backs up without a pause."""
    shape = {"DSMIL_ARCHIVE__SEGMENT_READINGS": "4000000"}  # each commit stays, with its moment
    command(
        home, "-C", "sim", "record", "start", "@all", "TEMP", "-n", "bench", "--interval", "100ms", **shape
    )
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        command(home, "record", "query", "--every", "1m", "--limit", "0")
        command(home, "backup", "create")
    archive = Path(command(home, "record", "status")["archive"])
    with closing(connect(archive / "archive.db", read_only=True)) as database:
        moments: list[float] = [
            moment for (moment,) in database.execute("SELECT monotonic FROM chunks ORDER BY chunk_id")
        ]
    command(home, "record", "stop")
    return (max(later - earlier for earlier, later in pairwise(moments)) - INTERVAL) * 1000


def command(home: str, *words: str, **more: str) -> dict[str, Any]:
    """The data that a command line of ours tells."""
    settings = {"DSMIL_HOME": home, "DSMIL_SIM_OPTIONS": json.dumps({"devices": DEVICES})}
    settings["DSMIL_ARCHIVE__SEGMENT_READINGS"] = "60000"
    settings |= more
    done = subprocess.run(
        [sys.executable, "-m", "dsmilctl", *words, "-o", "json"],
        env=os.environ | settings, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    data: dict[str, Any] = json.loads(done.stdout)["data"]
    return data


def most_memory(process: int) -> float:
    """Megabytes that a process had at its most."""
    rows = dict(row.split(":", 1) for row in Path(f"/proc/{process}/status").read_text().splitlines())
    return int(rows["VmHWM"].split()[0]) / 1024


def processor_seconds(process: int) -> float:
    """Seconds of a processor that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
