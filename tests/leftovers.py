"""Leftovers: processes of a test's home that go on after it, above all detached recorders."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

HOMES: list[Path] = []
"""Every home in which commands were run so far."""


def running_in(home: Path) -> list[int]:
    """The processes that have this home.  Source: proc(5), environ; without it none is found."""
    found, mark = [], f"DSMIL_HOME={home}".encode()
    for file in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # it has ended meanwhile, or is somebody else's
            if mark in file.read_bytes().split(b"\0"):
                found.append(int(file.parent.name))
    return found


def end_all(homes: list[Path]) -> None:
    """Kill what still runs in these homes."""
    for process in (process for home in homes for process in running_in(home)):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
