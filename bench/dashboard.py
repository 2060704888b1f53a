"""Dashboard: its budgets with 10,000 simulated devices, a tenth changing each second, on 120 by 40.

The dashboard runs in a process of its own on a pseudo-terminal.  Times that depend on the machine are judged
beside `gh --version` of the same minute: 39 ms where the budgets were set, hence first paint ≤ 400 / 39 and
key to handler ≤ 25 / 39 of it, and 5 % of a core, which is 50 ms of each second, ≤ 50 / 39.
`python -m bench.dashboard` prints the rows.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from bench.machine import GH_THERE, version_of_gh
from bench.pseudo_terminal import PseudoTerminal
from bench.row import Row

DEVICES = 10_000
WATCHED = 20.0
KEYS = 100
STARTS = 7
FRAME = 0.05
"""Seconds between two values of each of 84 devices: every frame of a live chart shows another one."""


def rows() -> Iterable[Row]:
    """First paint, keys, processor, bytes and memory with a large fleet; then one live chart."""
    gh = version_of_gh()
    with tempfile.TemporaryDirectory(prefix="dsmilctl-bench-") as folder:
        paints = [first_paint(Path(folder)) for _ in range(STARTS)]
        yield judged("dashboard: first paint", statistics.median(paints), 400, gh)
        yield from large_fleet(Path(folder), gh)
        yield from live_chart(Path(folder), gh)


def judged(name: str, ours: float, budget: float, gh: float) -> Row:
    """A row in milliseconds, judged beside gh where there is one."""
    if not gh:
        return Row(name, ours, "ms", budget)
    return Row(name, ours, "ms", round(budget / GH_THERE, 2), "gh --version", gh)


def busy(name: str, share: float, percent: float, gh: float) -> Row:
    """The processor's milliseconds in each second: a tenth of them are per cent of one core."""
    return judged(f"{name}, processor per second", share * 1000, percent * 10, gh)


def start(folder: Path, devices: int, log: Path | None = None) -> PseudoTerminal:
    """The dashboard on the simulator, in a terminal; `log` gets the times of its handlers."""
    line = [sys.executable, "-m", "bench.dashboard", "--child"]
    options = {"devices": devices, "period": 10 if devices > 1000 else FRAME}
    environment = {
        **os.environ,
        "DSMIL_HOME": str(folder),
        "DSMIL_SIM_OPTIONS": json.dumps(options),
        "BENCH_LOG": str(log or ""),
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    return PseudoTerminal(line, environment)


def first_paint(folder: Path) -> float:
    """Milliseconds from the start of the process until the first screen, footer and all, was written."""
    terminal = start(folder, 84)
    try:
        return (terminal.wait_for("STOP EVERYTHING") - terminal.begun) * 1000
    finally:
        terminal.close()


def large_fleet(folder: Path, gh: float) -> Iterable[Row]:
    """A fleet that is only watched, then one in which somebody moves about."""
    log = folder / "keys"
    terminal = start(folder, DEVICES, log)
    try:
        shown = terminal.wait_for("°C", 60.0)
        yield Row("dashboard: readings of 10,000 on the screen after", (shown - terminal.begun), "s")
        time.sleep(15.0)  # until the first sparklines are drawn: what is measured is the rest of the days
        share, rate = watch(terminal, WATCHED)
        yield busy("dashboard: 10,000 devices", share, 5, gh)
        yield Row("dashboard: 10,000 devices, written", rate / 1000, "kB/s", 10)
        typed = []
        for number in range(KEYS):
            typed.append(terminal.type("j" if number % 20 < 15 else "k"))
            time.sleep(0.173)  # out of step with every interval of the dashboard
        yield Row("dashboard: 10,000 devices, memory", terminal.resident_bytes() / 1e6, "MB", 120)
        terminal.type("q")
        terminal.wait()
    finally:
        terminal.close()
    delays = sorted((at - sent) * 1000 for sent, at in zip(typed, times(log, "key"), strict=True))
    yield Row("dashboard: key to handler, median", statistics.median(delays), "ms")
    yield judged("dashboard: key to handler, p95", delays[int(len(delays) * 0.95)], 25, gh)


def live_chart(folder: Path, gh: float) -> Iterable[Row]:
    """A fleet of which every value is another one twenty times a second, then one chart as fast as that."""
    log = folder / "frames"
    terminal = start(folder, 84, log)
    try:
        terminal.wait_for("°C", 30.0)
        time.sleep(5.0)  # until the first pictures are drawn
        held = terminal.resident_bytes()
        share, rate = watch(terminal, WATCHED)
        yield busy("dashboard: 84 devices at 20 Hz", share, 5, gh)
        yield Row("dashboard: 84 devices at 20 Hz, written", rate / 1000, "kB/s", 10)
        yield Row("dashboard: 84 devices at 20 Hz, growth", (terminal.resident_bytes() - held) / 1e6, "MB")
        terminal.type("\r")
        terminal.wait_for("per second", 30.0)
        terminal.type("]]]")
        terminal.wait_for("20 per second", 30.0)
        time.sleep(5.0)  # until the chart has its pace
        begun = time.monotonic()
        share, rate = watch(terminal, WATCHED)
        ended = time.monotonic()
        terminal.type("qq")
        terminal.wait()
    finally:
        terminal.close()
    frames = [at for at in times(log, "frame") if begun <= at <= ended]
    yield Row("dashboard: live chart, frames", len(frames) / (ended - begun), "1/s", 19, at_least=True)
    yield busy("dashboard: live chart", share, 10, gh)
    yield Row("dashboard: live chart, written", rate / 1000, "kB/s")


def watch(terminal: PseudoTerminal, seconds: float) -> tuple[float, float]:
    """The share of one core and the bytes per second, over some seconds."""
    begun, used, written = time.monotonic(), terminal.processor_seconds(), terminal.count()
    time.sleep(seconds)  # the stretch that is measured
    elapsed = time.monotonic() - begun
    return (terminal.processor_seconds() - used) / elapsed, (terminal.count() - written) / elapsed


def times(log: Path, kind: str) -> list[float]:
    """The monotonic times of one kind of note in the log of the dashboard's process."""
    notes = (line.split() for line in log.read_text().splitlines())
    return [float(at) for name, at in notes if name == kind]


def child() -> int:
    """The dashboard itself, with a note of when its handlers ran."""
    from dsmilctl.client.interface import Client
    from dsmilctl.tui.run import run_dashboard

    def open_client(context: str) -> Client:
        from dsmilctl.client.opening import connect

        return connect(context)

    notes: list[str] = []
    if os.environ["BENCH_LOG"]:
        note_handlers(notes)
    try:
        return run_dashboard("sim", False, False, open_client)
    finally:
        if os.environ["BENCH_LOG"]:
            Path(os.environ["BENCH_LOG"]).write_text("\n".join(notes))


def note_handlers(notes: list[str]) -> None:
    """Note when a key's action runs and when a frame is drawn."""
    from dsmilctl.tui.widgets.chart import Chart
    from dsmilctl.tui.widgets.table import Table

    move, draw = Table.action_move, Chart.draw

    def action_move(table: Table, rows: int) -> None:
        notes.append(f"key {time.monotonic()}")
        move(table, rows)

    def drawn(chart: Chart, now: float) -> None:
        draw(chart, now)
        notes.append(f"frame {time.monotonic()}")

    setattr(Table, "action_move", action_move)  # noqa: B010 - noted, not replaced
    setattr(Chart, "draw", drawn)  # noqa: B010 - noted, not replaced


def main() -> int:
    """Print the rows."""
    for row in rows():
        print(row.line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(child() if "--child" in sys.argv else main())
