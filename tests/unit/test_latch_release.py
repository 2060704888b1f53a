"""The order of a release: history first, so that nobody misses the stop; in force is what has a file."""

from __future__ import annotations

import errno
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dsmilctl.errors import StateUnavailable
from dsmilctl.guard import history as history_module
from dsmilctl.guard import latch as latch_module
from dsmilctl.guard.files import write_durably
from dsmilctl.guard.latch import UNREADABLE, Latch
from dsmilctl.model.emergency import Confirmation, Stop, StopOutcome
from tests.unit.test_latch import stop

ANSWERS = (Confirmation(1, StopOutcome.STOPPED, 3.5, 1),)


def answered() -> Stop:
    """The stop as the process that drives it knows it at last."""
    return msgspec.structs.replace(stop(), confirmations=ANSWERS)


def test_what_devices_answer_after_the_release_does_not_take_the_release_back(tmp_path: Path) -> None:
    latch = Latch(tmp_path, "sim")
    latch.engage(stop())
    latch.release("stop-1", "bob")

    latch.update(answered())

    (past,) = latch.history(5)
    assert (past.confirmations, past.released_by) == (ANSWERS, "bob")
    assert past.released_at


def test_an_answer_and_a_release_that_are_written_at_once_are_both_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    latch = Latch(tmp_path, "sim")
    latch.engage(stop())
    take = history_module._take
    entered, goes_on = threading.Event(), threading.Event()

    def slow(path: Path, content: bytes) -> None:
        if not entered.is_set():
            entered.set()
            goes_on.wait(10)
        write_durably(path, content)

    def waits(descriptor: int) -> None:
        if entered.is_set():
            goes_on.set()
        take(descriptor)

    monkeypatch.setattr(history_module, "write_durably", slow)
    monkeypatch.setattr(history_module, "_take", waits)
    answering = threading.Thread(target=latch.update, args=(answered(),))
    answering.start()
    entered.wait(10)
    latch.release("stop-1", "bob")
    answering.join()

    assert latch.history(5)[0].released_by == "bob"


def test_a_release_is_in_the_history_before_the_file_of_the_stop_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    latch = Latch(tmp_path, "sim")
    latch.engage(stop())
    since = latch.since()
    found: list[Stop] = []

    def unlink(folder: Path, name: str) -> None:
        found.extend(stop for history in since._histories for stop in history.newest(5))
        (folder / name).unlink()

    monkeypatch.setattr(latch_module, "unlink", unlink)
    latch.release("stop-1", "bob")

    assert [item.released_by for item in found] == ["bob"]


@pytest.mark.parametrize("damaged", [False, True])
def test_a_stop_that_could_not_be_removed_is_in_force_whatever_the_history_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damaged: bool
) -> None:
    latch = Latch(tmp_path, "sim")
    latch.engage(stop())
    if damaged:
        (tmp_path / "sim" / "stop-1.json").write_bytes(b"{")

    def fails(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(latch_module, "unlink", fails)
        patched.setattr(latch_module, "set_aside", fails)
        with pytest.raises(StateUnavailable):
            latch.release("", "bob")

    assert [item.released_at for item in latch.stops()] == [None]
    assert [item.released_by for item in Latch(tmp_path, "sim").history(5)] == ([] if damaged else [""])
    (released,) = latch.release("", "eve")
    assert released.released_by == "eve"
    assert latch.stops() == ()
    assert latch.history(5)[0].released_by == "eve"


class Meeting(dict[Path, Any]):
    """What was seen of folders, where threads wait for each other when they note something."""

    meet = threading.Barrier(2, timeout=10)

    def __setitem__(self, place: Path, seen: object) -> None:
        super().__setitem__(place, seen)
        self.meet.wait()


def test_threads_that_look_at_what_cannot_be_read_all_see_a_stop(tmp_path: Path) -> None:
    (tmp_path / "sim").mkdir()
    (tmp_path / "sim" / "stop-1.json").write_bytes(b"{")
    latch = Latch(tmp_path, "sim")
    latch._seen = Meeting()

    with ThreadPoolExecutor(2) as threads:
        looks = [threads.submit(latch.stops) for _ in range(2)]

    assert [held.stop_id for look in looks for held in look.result()] == [UNREADABLE] * 2
