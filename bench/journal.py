"""Journal: durable records, verification and the latch, beside the bare system calls and hashes below."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from bench.row import Row
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


def append_raw(path: Path, lines: list[bytes]) -> None:
    """The peer of an append: the same bytes, each written and synced, and nothing else."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for line in lines:
        os.write(descriptor, line)
        os.fsync(descriptor)
    os.close(descriptor)


def singles(folder: Path) -> Row:
    """Records one by one, each durable before the next."""
    journal = Journal(folder / "single")
    journal.append([entry(number) for number in range(SINGLE)])
    lines = (folder / "single" / "journal-000001.jsonl").read_bytes().splitlines(keepends=True)

    def ours() -> None:
        for number in range(SINGLE):
            journal.append([entry(number)])

    mine, raw = fastest(ours, lambda: append_raw(folder / "raw", lines))
    return Row(
        "journal: durable records, one by one", SINGLE / mine, "/s", 0.5, "write+fsync", SINGLE / raw, True
    )


def groups(folder: Path) -> Row:
    """A thousand records at once: one write, one sync."""
    journal = Journal(folder / "group")
    entries = [entry(number) for number in range(GROUP)]
    journal.append(entries)
    content = (folder / "group" / "journal-000001.jsonl").read_bytes()

    mine, raw = fastest(
        lambda: discard(journal.append(entries)), lambda: append_raw(folder / "raw", [content])
    )
    return Row(
        f"journal: durable records, {GROUP} in one commit",
        GROUP / mine, "/s", 2000, "write+fsync", GROUP / raw, at_least=True, absolute=True,
    )  # fmt: skip


def verification(folder: Path) -> Row:
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
    return Row(
        "journal: verify", VERIFIED / mine, "/s", 0.2, "SHA-256 of lines", VERIFIED / raw, at_least=True
    )  # fmt: skip


def latch(folder: Path) -> Row:
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
    return Row(
        "stop: latch of 10,000 devices on the disk",
        mine * 1000, "ms", 10, "write+fsync+rename", raw * 1000, absolute=True,
    )  # fmt: skip


def discard(_: object) -> None:
    """Nothing: for what is measured and not looked at."""


def expect(condition: bool) -> None:
    """Stop the bench when what was measured did not work."""
    if not condition:
        raise SystemExit("the journal that the bench wrote does not verify")


def rows() -> Iterable[Row]:
    """One row per kind of work on the disk."""
    with tempfile.TemporaryDirectory(prefix="dsmilctl-bench-") as folder:
        for measure in (singles, groups, verification, latch):
            yield measure(Path(folder))
