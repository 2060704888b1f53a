"""Bad days of the journal: several processes at once, kill -9, a full disk, a disk that fails."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dsmilctl.errors import StateUnavailable
from dsmilctl.guard.journal import Journal
from tests.unit.evidence import entry

BEGIN = """
import os, resource, signal, sys
from pathlib import Path
from dsmilctl.errors import DSMILError
from dsmilctl.guard.journal import Entry, Journal

def entry(mark, size=0):
    return Entry(user="ada", host="ward", context="sim", action="device.write", target=mark,
                 parameters={"text": "x" * size}, outcome="SUCCESS")

journal = Journal(Path(sys.argv[1]), segment_bytes=int(sys.argv[2]))
name = sys.argv[3]

def say(record):
    os.write(1, f"{record.sequence} {record.target}\\n".encode())
"""
APPEND_200 = """
for number in range(200):
    say(journal.append([entry(f"{name}-{number}")])[0])
"""
APPEND_FOR_EVER = """
number = 0
while True:
    entries = [entry(f"{name}-{number}-{turn}", 700 * turn) for turn in range(number % 20 + 1)]
    for record in journal.append(entries):
        say(record)
    number += 1
"""
APPEND_INTO_A_LIMIT = """
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
for number in range(1000):
    try:
        say(journal.append([entry(f"{name}-{number}", 100)])[0])
    except DSMILError as error:
        os.write(1, f"{error.code} {error.message}".encode())
        break
"""
APPEND_3 = """
for number in range(3):
    try:
        say(journal.append([entry(f"{name}-{number}")])[0])
    except DSMILError as error:
        os.write(1, f"{error.code} {error.message}\\n".encode())
"""


def command(program: str, folder: Path, name: str, segment_bytes: int = 1 << 20) -> list[str]:
    return [sys.executable, "-c", BEGIN + program, str(folder), str(segment_bytes), name]


def acknowledged(output: bytes) -> dict[int, str]:
    """Sequence and mark of every record that a child was told is written; its last line may be cut off."""
    pairs = (line.split(b" ") for line in output.splitlines(keepends=True) if line.endswith(b"\n"))
    return {int(sequence): mark.decode().strip() for sequence, mark in pairs}


def recorded(folder: Path) -> dict[int, str]:
    return {record.sequence: record.target for record in Journal(folder).records(limit=0)}


def test_four_processes_that_record_at_once_lose_nothing(tmp_path: Path) -> None:
    children = [
        subprocess.Popen(command(APPEND_200, tmp_path, f"child{number}", 20_000), stdout=subprocess.PIPE)
        for number in range(4)
    ]
    told: dict[int, str] = {}
    for child in children:
        output, _ = child.communicate()
        assert child.returncode == 0
        told |= acknowledged(output)

    assert len(told) == 800
    assert recorded(tmp_path) == told
    verdict = Journal(tmp_path).verify()
    assert (verdict.intact, verdict.records, verdict.problem) == (True, 800, "")
    assert len(verdict.files) > 10


def test_a_process_killed_at_thirty_random_moments_leaves_everything_it_was_told_is_written(
    tmp_path: Path,
) -> None:
    chance = random.Random(20251120)
    told: dict[int, str] = {}
    for turn in range(30):
        program = command(APPEND_FOR_EVER, tmp_path, f"turn{turn}", 200_000)
        with subprocess.Popen(program, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            first = child.stdout.readline()
            time.sleep(chance.random() * 0.03)
            child.kill()
            told |= acknowledged(first + child.stdout.read())

    found = recorded(tmp_path)
    assert {sequence: found.get(sequence) for sequence in told} == told
    assert len(told) > 100
    assert Journal(tmp_path).verify().intact


def test_a_full_disk_refuses_the_record_and_keeps_the_journal_whole(tmp_path: Path) -> None:
    done = subprocess.run(command(APPEND_INTO_A_LIMIT, tmp_path, "full"), capture_output=True, check=True)

    *written, refusal = done.stdout.split(b"\n")
    assert refusal.startswith(b"STATE_UNAVAILABLE ")
    assert b"File too large" in refusal
    told = acknowledged(b"\n".join(written) + b"\n")
    assert len(told) > 10
    assert recorded(tmp_path) == told
    assert Journal(tmp_path).verify().problem == ""
    Journal(tmp_path).append([entry()])
    assert Journal(tmp_path).verify().intact


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with hardly any space."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or not sys.platform.startswith("linux"):
        pytest.skip("mounting a small disk needs root on Linux")
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this machine mounts no tmpfs")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_when_space_comes_back_so_does_the_journal(small_disk: Path) -> None:
    (small_disk / "ballast").write_bytes(b"x" * 60_000)
    journal = Journal(small_disk / "state")
    written = 0
    with pytest.raises(StateUnavailable) as caught:
        while True:
            journal.append([entry(written)])
            written += 1
    assert caught.value.hint == "free some space on that disk"
    with pytest.raises(StateUnavailable):
        journal.check_writable()
    assert len(journal.records(limit=0)) == written > 10

    (small_disk / "ballast").write_bytes(b"")

    journal.check_writable()
    journal.append([entry(written)])
    assert journal.verify().records == written + 1
    assert journal.verify().intact


def test_a_disk_mounted_read_only_refuses_records_and_shows_the_old_ones(small_disk: Path) -> None:
    journal = Journal(small_disk / "state")
    journal.append([entry(1)])
    journal.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    journal = Journal(small_disk / "state")

    for attempt in (journal.check_writable, lambda: journal.append([entry(2)])):
        with pytest.raises(StateUnavailable) as caught:
            attempt()
        assert "read-only" in caught.value.hint

    assert len(journal.records()) == 1
    assert journal.verify().intact


needs_strace = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")


def traced(inject: str, program: list[str]) -> subprocess.CompletedProcess[bytes]:
    """Run a program in which one system call goes wrong."""
    calls = inject.partition(":")[0]
    strace = ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={calls}", "-e", f"inject={inject}"]
    done = subprocess.run([*strace, *program], capture_output=True, check=False)
    if b"ptrace" in done.stderr:
        pytest.skip("this machine does not let one process trace another")
    return done


@needs_strace
@pytest.mark.parametrize("problem", ["EIO", "ENOSPC", "EDQUOT"])
def test_a_record_that_the_disk_did_not_take_is_refused_and_taken_back(tmp_path: Path, problem: str) -> None:
    done = traced(f"fdatasync:error={problem}:when=2", command(APPEND_3, tmp_path, "sync"))

    first, second, third = done.stdout.splitlines()
    assert first == b"1 sync-0"
    assert second.startswith(b"STATE_UNAVAILABLE ")
    assert third == b"2 sync-2"
    assert recorded(tmp_path) == {1: "sync-0", 2: "sync-2"}
    assert Journal(tmp_path).verify().intact


@needs_strace
@pytest.mark.parametrize("moment", [1, 2, 3])
def test_killed_in_the_very_moment_of_the_sync_the_chain_goes_on(tmp_path: Path, moment: int) -> None:
    done = traced(f"fdatasync:signal=KILL:when={moment}", command(APPEND_3, tmp_path, "sync"))

    told = acknowledged(done.stdout)
    assert len(told) == moment - 1
    Journal(tmp_path).append([entry()])
    found = recorded(tmp_path)
    assert {sequence: found[sequence] for sequence in told} == told
    assert Journal(tmp_path).verify().problem == ""


@needs_strace
@pytest.mark.parametrize("call", ["rename", "ftruncate", "fsync"])
def test_killed_while_a_torn_end_is_set_aside_the_next_process_does_it(tmp_path: Path, call: str) -> None:
    Journal(tmp_path).append([entry(0), entry(1)])
    with (tmp_path / "journal-000001.jsonl").open("ab") as file:
        file.write(b'{"action":"device.write","conte')

    done = traced(f"{call}:signal=KILL:when=1", command(APPEND_3, tmp_path, "torn"))

    assert done.stdout == b""
    Journal(tmp_path).append([entry(2)])
    assert [target for _, target in sorted(recorded(tmp_path).items())][-1] == "0x8002"
    assert Journal(tmp_path).records(action="journal.recover")
    assert Journal(tmp_path).verify().problem == ""
    assert any(path.read_bytes().endswith(b'"conte') for path in tmp_path.glob("journal.torn-*"))


def test_a_process_that_stands_still_with_the_lock_is_named_and_nothing_is_lost(tmp_path: Path) -> None:
    holder = (
        "import sys, pathlib; from dsmilctl.guard.files import FileLock\n"
        "with FileLock(pathlib.Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    program = [sys.executable, "-c", holder, str(tmp_path / "journal.lock")]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.send_signal(signal.SIGSTOP)
        with pytest.raises(StateUnavailable) as caught:
            Journal(tmp_path, lock_timeout=0.1).append([entry()])
        assert str(child.pid) in caught.value.message or not Path("/proc/locks").exists()
        child.kill()

    Journal(tmp_path, lock_timeout=0.1).append([entry()])
    assert Journal(tmp_path).verify().records == 1
