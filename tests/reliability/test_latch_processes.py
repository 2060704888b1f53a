"""Bad days of the latch: other processes, kill -9 at every step, a disk that takes nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dsmilctl.guard.latch import UNREADABLE, Latch
from dsmilctl.model.emergency import Stop

BEGIN = """
import os, resource, sys, time
from pathlib import Path
from dsmilctl.guard.latch import Latch
from dsmilctl.model.emergency import Stop

folder, name = Path(sys.argv[1]), sys.argv[2]
latch = Latch(folder / "latch", "sim", folder / "run")

def stop(number=0):
    return Stop(stop_id=f"stop-{name}-{number}", scope="all", reason="emergency stop: smoke",
                triggered_by="ada", triggered_at=time.time_ns())
"""
ENGAGE = "latch.engage(stop()); print('latched', flush=True)"
ENGAGE_20 = "for number in range(20): latch.engage(stop(number))"
RELEASE = "latch.release('', 'bob'); print('released', flush=True)"
WATCH = """
print(latch.holding(0x8000), flush=True)
sys.stdin.readline()
print(latch.holding(0x8000).stop_id, flush=True)
"""
ENGAGE_WITHOUT_SPACE = """
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
try:
    latch.engage(stop())
except Exception as error:
    print(error.code, error.message)
"""

needs_strace = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")


def command(program: str, folder: Path, name: str = "child") -> list[str]:
    return [sys.executable, "-c", BEGIN + program, str(folder), name]


def latch(folder: Path) -> Latch:
    return Latch(folder / "latch", "sim", folder / "run")


def stop(name: str = "first") -> Stop:
    return Stop(stop_id=name, scope="all", reason="smoke", triggered_by="ada", triggered_at=1)


def test_a_stop_is_seen_at_once_by_a_process_that_has_looked_before(tmp_path: Path) -> None:
    with subprocess.Popen(
        command(WATCH, tmp_path), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "None\n"

        latch(tmp_path).engage(stop())
        child.stdin.write("\n")
        child.stdin.flush()

        assert child.stdout.readline() == "first\n"


def test_stops_of_several_processes_at_once_are_all_in_force_and_all_end(tmp_path: Path) -> None:
    children = [subprocess.Popen(command(ENGAGE_20, tmp_path, f"c{number}")) for number in range(4)]
    assert [child.wait() for child in children] == [0, 0, 0, 0]
    assert len(latch(tmp_path).stops()) == 80

    releasing = [subprocess.Popen(command(RELEASE, tmp_path)) for _ in range(2)]

    assert [child.wait() for child in releasing] == [0, 0]
    assert latch(tmp_path).stops() == ()
    assert len(latch(tmp_path).history(100)) == 80
    assert all(item.released_by == "bob" for item in latch(tmp_path).history(100))


def killed_at(call: str, number: int, program: list[str]) -> subprocess.CompletedProcess[bytes]:
    """Run a program and kill it when it makes a system call for the n-th time."""
    strace = ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={call}"]
    inject = ["-e", f"inject={call}:signal=KILL:when={number}"]
    done = subprocess.run([*strace, *inject, *program], capture_output=True, check=False)
    if b"ptrace" in done.stderr:
        pytest.skip("this machine does not let one process trace another")
    return done


@needs_strace
@pytest.mark.parametrize("call", ["fdatasync", "rename", "fsync", "mkdir"])
def test_killed_at_any_step_of_a_stop_it_is_latched_or_not_but_never_half(tmp_path: Path, call: str) -> None:
    for number in range(1, 8):
        folder = tmp_path / str(number)
        folder.mkdir()
        done = killed_at(call, number, command(ENGAGE, folder))

        found = [item.stop_id for item in latch(folder).stops()]

        assert UNREADABLE not in found
        if done.stdout:
            assert found == ["stop-child-0"]
            assert number > 1, "it was never killed"
            break
    else:
        pytest.fail("the stop was never finished")


@needs_strace
@pytest.mark.parametrize("call", ["unlink", "fdatasync", "rename", "fsync"])
def test_killed_at_any_step_of_a_release_each_stop_is_in_force_or_over(tmp_path: Path, call: str) -> None:
    for number in range(1, 12):
        folder = tmp_path / str(number)
        latch(folder).engage(stop("first"))
        latch(folder).engage(stop("second"))
        (folder / "latch" / "sim" / "broken").write_bytes(b"{")
        before = {item.stop_id for item in latch(folder).stops()}

        done = killed_at(call, number, command(RELEASE, folder))

        after = {item.stop_id for item in latch(folder).stops()}
        assert after <= before
        for path in (folder / "latch" / "sim").iterdir():
            assert path.read_bytes() == b"{" or path.stem in after
        if done.stdout:
            assert after == set()
            assert number > 1, "it was never killed"
            break
        latch(folder).release("", "bob")
        assert latch(folder).stops() == ()
    else:
        pytest.fail("the release was never finished")


def test_without_any_space_the_stop_says_that_it_is_latched_nowhere(tmp_path: Path) -> None:
    done = subprocess.run(command(ENGAGE_WITHOUT_SPACE, tmp_path), capture_output=True, check=True, text=True)

    assert done.stdout.startswith("STATE_UNAVAILABLE ")
    assert "File too large" in done.stdout
    assert latch(tmp_path).stops() == ()


def test_on_a_full_disk_the_stop_lies_in_the_runtime_folder_and_holds_everybody(tmp_path: Path) -> None:
    disk = tmp_path / "latch"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=2", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root on Linux")
    try:
        (disk / "ballast").write_bytes(b"x" * 4096)

        problem = latch(tmp_path).engage(stop())

        assert "No space left" in problem
        watching = subprocess.run(
            command("print(latch.holding(1).stop_id)", tmp_path), capture_output=True, check=True
        )
        assert watching.stdout == b"first\n"
        latch(tmp_path).release("first", "bob")
        assert latch(tmp_path).stops() == ()
        assert latch(tmp_path).history(1)[0].released_by == "bob"
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


@needs_strace
def test_no_file_of_a_stop_is_ever_open_to_others_not_even_for_a_moment(tmp_path: Path) -> None:
    log = tmp_path / "calls"
    strace = ["strace", "-f", "-qq", "-o", str(log), "-e", "trace=openat,chmod,fchmod,fchmodat"]
    done = subprocess.run([*strace, *command(ENGAGE, tmp_path / "state")], capture_output=True, check=False)
    if b"ptrace" in done.stderr:
        pytest.skip("this machine does not let one process trace another")

    calls = [line for line in log.read_text().splitlines() if str(tmp_path / "state") in line]
    created = [line for line in calls if "O_CREAT" in line]

    assert created
    assert all("O_EXCL" in line and ", 0600)" in line for line in created)
    assert not [line for line in calls if "chmod" in line]
