"""Recorder: what one that records a thousand devices ten times a second takes of the machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from bench.row import Row

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


def command(home: str, *words: str) -> dict[str, int]:
    """The data that a command line of ours tells."""
    settings = {"DSMIL_HOME": home, "DSMIL_SIM_OPTIONS": json.dumps({"devices": DEVICES})}
    settings["DSMIL_ARCHIVE__SEGMENT_READINGS"] = "60000"
    done = subprocess.run(
        [sys.executable, "-m", "dsmilctl", *words, "-o", "json"],
        env=os.environ | settings, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    data: dict[str, int] = json.loads(done.stdout)["data"]
    return data


def most_memory(process: int) -> float:
    """Megabytes that a process had at its most."""
    rows = dict(row.split(":", 1) for row in Path(f"/proc/{process}/status").read_text().splitlines())
    return int(rows["VmHWM"].split()[0]) / 1024


def processor_seconds(process: int) -> float:
    """Seconds of a processor that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
