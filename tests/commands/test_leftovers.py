"""Leftovers: a test that fails before it stops its recorder leaves none behind."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from tests.leftovers import running_in

ROOT = Path(__file__).parents[2]
FAILING = """
from pathlib import Path
from tests.commands.shell import Shell
from tests.leftovers import running_in

def test_that_fails_while_its_recorder_goes_on():
    home = Path(__file__).parent
    shell = Shell(home)
    assert shell("dsmilctl -C sim record start --name left 0x8000 TEMP").exit == 0
    raise RuntimeError(f"{len(running_in(home))} recorder left")
"""


def test_a_test_that_fails_before_it_stops_its_recorder_leaves_none_behind(tmp_path: Path) -> None:
    (tmp_path / "test_failing.py").write_text(FAILING)
    options = [
        "-p",
        "no:cacheprovider",
        "-p",
        "tests.conftest",
        "-c",
        "/dev/null",
        "--rootdir",
        str(tmp_path),
    ]

    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *options, str(tmp_path / "test_failing.py")],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert "RuntimeError: 1 recorder left" in ran.stdout, ran.stdout
    for _ in range(100):
        if not running_in(tmp_path):
            return
        time.sleep(0.1)
    raise AssertionError(f"still there: {running_in(tmp_path)}")
