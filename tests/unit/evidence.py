"""What the tests of the evidence share: entries, a journal's lines, a clock that somebody sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dsmilctl.clock import NANOSECONDS
from dsmilctl.guard.journal import Entry, Journal

NOON = 1_763_640_000 * NANOSECONDS


class WallClock:
    """A clock that stands where it was put."""

    def __init__(self, time: int = NOON) -> None:
        self.time = time

    def now(self) -> int:
        return self.time

    def monotonic(self) -> float:
        return self.time / NANOSECONDS

    def advance(self, seconds: float) -> None:
        self.time += round(seconds * NANOSECONDS)


def entry(number: int = 0, outcome: str = "SUCCESS", **changes: Any) -> Entry:
    fields: dict[str, Any] = {
        "user": "ada",
        "host": "ward",
        "context": "sim",
        "action": "device.write",
        "target": f"0x{0x8000 + number:04X}",
        "parameters": {"register": "CONFIG", "value": number},
        "outcome": outcome,
        "operation_id": f"op-{number}",
    }
    return Entry(**(fields | changes))


def lines(path: Path) -> list[bytes]:
    """The lines of a file, each with its line feed."""
    return path.read_bytes().splitlines(keepends=True)


def filled(folder: Path, count: int, segment_bytes: int = 1 << 20) -> Journal:
    """A journal with `count` records, written one by one."""
    journal = Journal(folder, WallClock(), segment_bytes=segment_bytes)
    for number in range(count):
        journal.append([entry(number)])
    return journal
