"""Start-up: whole commands beside `gh --version` and a plain Typer tool, taking turns in one run.

Medians of fresh processes with warm caches; the bars are of `docs/decisions/0003-commands-start-quickly.md`.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.row import Row

ROUNDS = 21
WARM_UP = 3
SCRIPT = Path(__file__).parents[1] / "completions/dsmilctl.bash"

PLAIN_TYPER = """
import typer
app = typer.Typer()

@app.command()
def hello(name: str = "world") -> None:
    typer.echo(f"hello {name}")

@app.command()
def goodbye(name: str = "world") -> None:
    typer.echo(f"goodbye {name}")

app()
"""
COMPLETE = """
source "$0"
COMP_LINE='dsmilctl -C sim device read 0x80' COMP_POINT=32 COMP_CWORD=5
COMP_WORDS=(dsmilctl -C sim device read 0x80)
_dsmilctl
((${#COMPREPLY[@]} > 50))
"""


def commands(folder: Path) -> dict[str, list[str]]:
    """Every command line that is measured, by the name of its row."""
    plain = folder / "plain.py"
    plain.write_text(PLAIN_TYPER)
    ours = [str(Path(sys.executable).with_name("dsmilctl"))]
    lines = {
        "gh --version": ["gh", "--version"],
        "plain Typer --help": [sys.executable, str(plain), "--help"],
        "plain Typer hello": [sys.executable, str(plain), "hello"],
        "python -c pass": [sys.executable, "-c", "pass"],
        "--version": [*ours, "--version"],
        "--help": [*ours, "--help"],
        "device read": [*ours, "-C", "sim", "device", "read", "0x8000"],
        "device read, json": [*ours, "-C", "sim", "device", "read", "0x8000", "-o", "json"],
        "emergency stop": [*ours, "-C", "sim", "emergency", "stop", "--reason", "bench"],
        "TAB": ["bash", "--norc", "-c", COMPLETE, str(SCRIPT)],
    }
    if shutil.which("gh") is None:
        del lines["gh --version"]
    return lines


def rows() -> Iterable[Row]:
    """One row per command: `--help`, `--version` and TAB at most 1.6 times gh, a read and a stop 4 times."""
    with tempfile.TemporaryDirectory(prefix="dsmilctl-bench-") as folder:
        took = measure(commands(Path(folder)), {**os.environ, "DSMIL_HOME": folder})
    gh = took.get("gh --version", 0.0)
    for name, bar in (("--version", 1.6), ("--help", 1.6), ("TAB", 1.6), ("device read", 4.0)):
        yield Row(f"start-up: {name}", took[name], "ms", bar, "gh --version", gh)
    yield Row("start-up: device read, json", took["device read, json"], "ms", 4.0, "gh --version", gh)
    yield Row("start-up: emergency stop, 84 devices", took["emergency stop"], "ms", 4.0, "gh --version", gh)
    typer = took["plain Typer --help"]
    yield Row("start-up: --help", took["--help"], "ms", 1.0, "plain Typer --help", typer)
    yield Row("start-up: device read", took["device read"], "ms", 0, "plain Typer", took["plain Typer hello"])
    yield Row("start-up: bare Python, for comparison", took["python -c pass"], "ms", 0, "gh --version", gh)


def measure(lines: Mapping[str, list[str]], environment: Mapping[str, str]) -> dict[str, float]:
    """The median of each command in milliseconds; they take turns, so that a slow moment hits all of them."""
    release = [*lines["--version"][:1], "-C", "sim", "emergency", "release"]
    release += ["--justification", "the next round of the bench", "--confirm", "sim"]
    listing = [*lines["--version"][:1], "-C", "sim", "device", "list"]
    seconds(listing, environment)
    took: dict[str, list[float]] = {name: [] for name in lines}
    for turn in range(WARM_UP + ROUNDS):
        for name, line in lines.items():
            elapsed = seconds(line, environment)
            if turn >= WARM_UP:
                took[name].append(elapsed)
            if name == "emergency stop":
                seconds(release, environment)
    return {name: statistics.median(values) * 1000 for name, values in took.items()}


def seconds(line: list[str], environment: Mapping[str, str]) -> float:
    """How long a fresh process takes; raises CalledProcessError when it does not do what it should."""
    begun = time.perf_counter()
    done = subprocess.run(
        line, env=dict(environment), stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    elapsed = time.perf_counter() - begun
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, line, done.stdout, done.stderr)
    return elapsed
