"""Machine: how fast this one is beside the one for which the bars were written, by `gh --version`."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import time

GH_THERE = 39.0
"""Milliseconds of `gh --version` on the machine for which the bars were written."""
TAKEN = 15


def version_of_gh() -> float:
    """The median of `gh --version` in milliseconds, now; 0 where there is no gh."""
    if shutil.which("gh") is None:
        return 0.0
    took = []
    for _ in range(TAKEN):
        begun = time.perf_counter()
        subprocess.run(["gh", "--version"], stdout=subprocess.DEVNULL, check=True)
        took.append((time.perf_counter() - begun) * 1000)
    return statistics.median(took)
