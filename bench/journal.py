"""Bench: durable records, verification and the latch, beside the bare system calls and hashes under them.

python -m bench.journal
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from dsmilctl.guard.journal import Entry, Journal
from dsmilctl.guard.latch import Latch
from dsmilctl.model.emergency import Stop

SINGLE = 1000
GROUP = 1000
VERIFIED = 300_000
ROUNDS = 3


def entry(number: int) -> Entry:
    """A record as a guarded write leaves it."""
    return Entry(
        user="ada",
        host="ward",
        context="sim",
        action="device.write",
        target="0x8000",
        parameters={"register": "CONFIG", "value": number, "justification": "maintenance window of tonight"},
        outcome="SUCCESS",
        operation_id=f"op-{number:016x}",
    )


def fastest(ours: Callable[[], None], peer: Callable[[], None]) -> tuple[float, float]:
    """The best time of each in seconds, measured in turns so that both see the same machine."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for kept, work in zip(times, (ours, peer), strict=True):
            begun = time.perf_counter()
            work()
            kept.append(time.perf_counter() - begun)
    return min(times[0]), min(times[1])


def say(name: str, ours: str, peer: str, peer_name: str) -> None:
    """One row."""
    print(f"{name:<34} dsmilctl {ours:>20}   {peer_name} {peer}")


def append_raw(path: Path, lines: list[bytes]) -> None:
    """The peer of an append: the same bytes, each written and synced, and nothing else."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for line in lines:
        os.write(descriptor, line)
        os.fsync(descriptor)
    os.close(descriptor)


def singles(folder: Path) -> None:
    """Records one by one, each durable before the next."""
    journal = Journal(folder / "single")
    journal.append([entry(number) for number in range(SINGLE)])
    lines = (folder / "single" / "journal-000001.jsonl").read_bytes().splitlines(keepends=True)

    def ours() -> None:
        for number in range(SINGLE):
            journal.append([entry(number)])

    mine, raw = fastest(ours, lambda: append_raw(folder / "raw", lines))
    say(
        "journal, one durable record each", f"{SINGLE / mine:,.0f}/s", f"{SINGLE / raw:,.0f}/s", "write+fsync"
    )


def groups(folder: Path) -> None:
    """A thousand records at once: one write, one sync."""
    journal = Journal(folder / "group")
    entries = [entry(number) for number in range(GROUP)]
    journal.append(entries)
    content = (folder / "group" / "journal-000001.jsonl").read_bytes()

    mine, raw = fastest(
        lambda: discard(journal.append(entries)), lambda: append_raw(folder / "raw", [content])
    )
    say(f"journal, {GROUP} in one commit", f"{GROUP / mine:,.0f}/s", f"{GROUP / raw:,.0f}/s", "write+fsync")


def verification(folder: Path) -> None:
    """The whole chain of a long journal."""
    journal = Journal(folder / "long")
    entries = [entry(number) for number in range(10_000)]
    for _ in range(VERIFIED // len(entries)):
        journal.append(entries)
    files = sorted((folder / "long").glob("journal-*.jsonl"))

    def bare() -> None:
        for path in files:
            with path.open("rb") as file:
                for line in file:
                    hashlib.sha256(line).digest()

    mine, raw = fastest(lambda: expect(journal.verify().intact), bare)
    say(
        "journal, verify",
        f"{VERIFIED / mine:,.0f}/s",
        f"{VERIFIED / raw:,.0f}/s",
        "hashlib.sha256 of each line",
    )


def latch(folder: Path) -> None:
    """A stop of 10,000 named devices until it is on disk."""
    devices = tuple(range(10_000))
    count = 0

    def ours() -> None:
        nonlocal count
        count += 1
        name = f"stop-{count}"
        Latch(folder / "latch", "sim").engage(
            Stop(stop_id=name, scope="all", reason="", triggered_by="", triggered_at=0, devices=devices)
        )

    def bare() -> None:
        append_raw(folder / "temporary", [b"x" * 60_000])
        (folder / "temporary").rename(folder / "renamed")
        descriptor = os.open(folder, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)

    ours()
    mine, raw = fastest(ours, bare)
    say(
        "latch of 10,000 devices on disk",
        f"{mine * 1000:.2f} ms",
        f"{raw * 1000:.2f} ms",
        "write+fsync+rename",
    )


def discard(_: object) -> None:
    """Nothing: for what is measured and not looked at."""


def expect(condition: bool) -> None:
    """Stop the bench when what was measured did not work."""
    if not condition:
        raise SystemExit("the journal that the bench wrote does not verify")


def main() -> None:
    """Every row."""
    folder = Path(tempfile.mkdtemp(prefix="dsmilctl-bench-"))
    try:
        for row in (singles, groups, verification, latch):
            row(folder)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
