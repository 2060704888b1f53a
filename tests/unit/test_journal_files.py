"""Durable writing and the lock between processes, on which journal, latch and rates stand."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dsmilctl.errors import StateUnavailable
from dsmilctl.guard.files import FileLock, is_temporary, plain_name, private_folder, write_durably

HOLDER = """
import sys
from pathlib import Path
from dsmilctl.guard.files import FileLock
with FileLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_content_is_replaced_whole_and_private_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    before = os.umask(0)
    try:
        write_durably(path, b"first")
        write_durably(path, b"second")
    finally:
        os.umask(before)

    assert path.read_bytes() == b"second"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [folder.stat().st_mode & 0o777 for folder in (path.parent, path.parent.parent)] == [0o700, 0o700]
    assert [item.name for item in path.parent.iterdir()] == ["file"]


def test_a_write_that_fails_leaves_the_old_content_and_no_rubbish(tmp_path: Path) -> None:
    folder = tmp_path / "taken"
    folder.mkdir()
    (folder / "inside").touch()

    with pytest.raises(OSError, match="directory"):
        write_durably(folder, b"content")

    assert [item.name for item in tmp_path.iterdir()] == ["taken"]


def test_the_name_of_an_unfinished_file_is_known_as_such(tmp_path: Path) -> None:
    seen: list[str] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            seen.extend(os.listdir(tmp_path))  # noqa: PTH208 - the names are the subject

    watcher = threading.Thread(target=watch)
    watcher.start()
    for number in range(50):
        write_durably(tmp_path / "file", b"x" * number)
    stop.set()
    watcher.join()

    assert {name for name in seen if not is_temporary(name)} == {"file"}
    assert not is_temporary("stop-1.json")


def test_a_folder_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)

    private_folder(tmp_path / "new")

    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_a_file_in_the_way_of_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(NotADirectoryError):
        private_folder(tmp_path / "file" / "below")
    with pytest.raises(NotADirectoryError):
        private_folder(tmp_path / "file")


def test_who_waits_too_long_for_a_lock_is_told_which_process_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "state" / "lock"
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"

        with pytest.raises(StateUnavailable) as caught, FileLock(path, timeout=0.05):
            pass

        assert str(path) in caught.value.message
        if Path("/proc/locks").exists():
            assert str(holder.pid) in caught.value.message
            assert str(holder.pid) in caught.value.hint
        holder.kill()

    with FileLock(path, timeout=0.05):
        pass


def test_a_lock_is_waited_for_as_long_as_it_takes_within_the_time_limit(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    order: list[str] = []

    def wait() -> None:
        with FileLock(path):
            order.append("second")

    with FileLock(path):
        waiter = threading.Thread(target=wait)
        waiter.start()
        waiter.join(0.1)
        order.append("first")
    waiter.join()

    assert order == ["first", "second"]


def test_a_lock_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StateUnavailable, match="Not a directory"), FileLock(tmp_path / "file" / "lock"):
        pass


@pytest.mark.parametrize("name", ["sim", "plant-1", "a.b_c", "0x8000"])
def test_a_harmless_name_stays_readable(name: str) -> None:
    assert plain_name(name) == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden", "a/b", "a b", "é", "x" * 101, "a\n", "-x", "\udcff"]
)
def test_any_other_name_becomes_one_that_is_harmless_and_its_own(name: str) -> None:
    assert plain_name(name).isalnum()
    assert plain_name(name) != plain_name(name + "x")
