"""The latch: a stop holds from the moment it is on disk until somebody releases it, come what may."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import msgspec
import pytest

from dsmilctl.errors import NotFound, StateUnavailable
from dsmilctl.guard.latch import UNREADABLE, Latch
from dsmilctl.model.emergency import Confirmation, Stop, StopOutcome
from tests.unit.evidence import NOON, WallClock


def stop(number: int = 1, *devices: int | str) -> Stop:
    return Stop(
        stop_id=f"stop-{number}",
        scope="all" if not devices else "selected",
        reason="emergency stop: smoke",
        triggered_by="ada@ward",
        triggered_at=NOON + number,
        devices=devices,
    )


def test_without_a_stop_nothing_is_held_and_no_folder_is_made(tmp_path: Path) -> None:
    latch = Latch(tmp_path / "latch", "sim", tmp_path / "run")

    assert latch.holding(0x8000) is None
    assert latch.stops() == ()
    assert latch.history(10) == []
    assert list(tmp_path.iterdir()) == []


def test_a_stop_of_the_whole_fleet_holds_every_device_in_every_process(tmp_path: Path) -> None:
    watching = Latch(tmp_path, "sim")
    assert watching.holding("anything") is None

    Latch(tmp_path, "sim").engage(stop())

    assert watching.holding("anything") == stop()
    assert watching.stops() == (stop(),)
    assert Latch(tmp_path, "plant").holding("anything") is None


def test_a_stop_of_some_devices_holds_these_and_keeps_numbers_and_names_apart(tmp_path: Path) -> None:
    latch = Latch(tmp_path, "sim")
    latch.engage(stop(1, 0x8000, "boiler", "7"))

    held = [device for device in (0x8000, "boiler", "7", 7, "32768", 0x8001) if latch.holding(device)]

    assert held == [0x8000, "boiler", "7"]


def test_folders_and_files_are_for_their_owner_only(tmp_path: Path) -> None:
    Latch(tmp_path / "state" / "latch", "sim").engage(stop())

    for path in (tmp_path / "state").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600)


def test_several_stops_are_ended_one_by_one_or_all_at_once(tmp_path: Path) -> None:
    latch = Latch(tmp_path, "sim", clock=WallClock(NOON + 99))
    for number in (2, 1, 3):
        latch.engage(stop(number, number))
    assert [item.stop_id for item in latch.stops()] == ["stop-1", "stop-2", "stop-3"]

    (released,) = latch.release("stop-2", "bob")

    assert (released.stop_id, released.released_by, released.released_at) == ("stop-2", "bob", NOON + 99)
    assert latch.holding(2) is None
    assert latch.holding(1) == stop(1, 1)
    assert {item.stop_id for item in latch.release("", "bob")} == {"stop-1", "stop-3"}
    assert latch.stops() == ()
    assert latch.release("", "bob") == []


def test_releasing_what_is_not_in_force_names_what_is(tmp_path: Path) -> None:
    latch = Latch(tmp_path, "sim")
    latch.engage(stop())

    for unknown in ("stop-9", "../stop-1", "stop-1.json"):
        with pytest.raises(NotFound) as caught:
            latch.release(unknown, "bob")
        assert caught.value.hint == "in force: stop-1"

    assert latch.holding(1) == stop()


def test_what_devices_answered_is_shown_with_the_stop_and_kept_after_its_end(tmp_path: Path) -> None:
    latch = Latch(tmp_path, "sim")
    latch.engage(stop())
    answers = (Confirmation(1, StopOutcome.STOPPED, 3.5, 1), Confirmation("x", StopOutcome.UNCONFIRMED))

    latch.update(msgspec.structs.replace(stop(), confirmations=answers, latched_ms=1.5))

    (shown,) = Latch(tmp_path, "sim").stops()
    assert (shown.confirmations, shown.latched_ms) == (answers, 1.5)
    latch.release("stop-1", "bob")
    (past,) = Latch(tmp_path, "sim").history(5)
    assert (past.confirmations, past.released_by) == (answers, "bob")


def test_the_file_that_every_write_depends_on_stays_small_with_ten_thousand_answers(tmp_path: Path) -> None:
    answers = tuple(Confirmation(number, StopOutcome.STOPPED, 1.0, 1) for number in range(10_000))
    full = msgspec.structs.replace(stop(), confirmations=answers)
    latch = Latch(tmp_path, "sim")

    latch.engage(full)
    latch.update(full)

    assert (tmp_path / "sim" / "stop-1.json").stat().st_size < 500
    assert len(latch.stops()[0].confirmations) == 10_000


def test_an_answer_that_comes_after_the_release_does_not_stop_anything_again(tmp_path: Path) -> None:
    latch = Latch(tmp_path, "sim")
    latch.engage(stop())
    latch.release("stop-1", "bob")

    latch.update(stop())

    assert latch.stops() == ()


def test_the_history_holds_the_newest_stops_first_in_force_or_not(tmp_path: Path) -> None:
    latch = Latch(tmp_path, "sim")
    for number in range(1, 6):
        latch.engage(stop(number))
        latch.update(stop(number))
        if number < 5:
            latch.release(f"stop-{number}", "bob")
    latch.engage(stop(6))

    assert [item.stop_id for item in latch.history(3)] == ["stop-6", "stop-5", "stop-4"]
    assert [bool(item.released_by) for item in latch.history(9)] == [False, False, True, True, True, True]


def test_a_latch_cut_short_at_any_length_stops_everything(tmp_path: Path) -> None:
    latch = Latch(tmp_path, "sim")
    latch.engage(stop(1, 0x8000))
    path = tmp_path / "sim" / "stop-1.json"
    content = path.read_bytes()

    for length in range(len(content) - 1):
        path.write_bytes(content[:length])
        held = Latch(tmp_path, "sim").holding("quite another device")
        assert held is not None
        assert held.stop_id == UNREADABLE
        assert str(path) in held.reason


def test_a_latch_with_any_byte_changed_holds_at_least_what_it_held(tmp_path: Path) -> None:
    latch = Latch(tmp_path, "sim")
    latch.engage(stop(1, 0x8000))
    path = tmp_path / "sim" / "stop-1.json"
    content = path.read_bytes()

    for position in range(len(content) - 1):
        changed = bytearray(content)
        changed[position] ^= 0x02
        path.write_bytes(changed)
        assert Latch(tmp_path, "sim").holding(0x8000) is not None
        assert Latch(tmp_path, "sim").holding(0x8002) is not None


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"null", b"\0" * 300, b"\xff\xfe", b'{"stop_id":"stop-1"}\n']
)
def test_anything_else_in_the_folder_counts_as_a_stop_of_everything(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "sim").mkdir()
    (tmp_path / "sim" / "unknown").write_bytes(content)

    (held,) = Latch(tmp_path, "sim").stops()

    assert (held.stop_id, held.scope, held.devices) == (UNREADABLE, "all", ())


@pytest.mark.parametrize("kind", ["file", "folder inside", "dangling link", "pipe"])
def test_a_latch_folder_that_is_not_what_it_should_be_counts_as_a_stop(tmp_path: Path, kind: str) -> None:
    if kind == "file":
        (tmp_path / "sim").write_bytes(b"")
    else:
        (tmp_path / "sim").mkdir()
    if kind == "folder inside":
        (tmp_path / "sim" / "inner").mkdir()
    elif kind == "pipe":
        os.mkfifo(tmp_path / "sim" / "stop-1.json")
    elif kind == "dangling link":
        (tmp_path / "sim" / "stop-1.json").symlink_to(tmp_path / "gone")
    latch = Latch(tmp_path, "sim")

    held = latch.holding(1)

    assert held is not None
    assert held.stop_id == UNREADABLE
    latch.release("", "bob")
    assert latch.holding(1) is None
    assert len(list((tmp_path / "sim.unreadable").iterdir())) == 1


def test_a_latch_whose_parent_is_a_file_stops_everything_and_cannot_be_released(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    latch = Latch(tmp_path / "state", "sim")

    assert [held.stop_id for held in latch.stops()] == [UNREADABLE]
    with pytest.raises(StateUnavailable):
        latch.release("", "bob")


def test_an_unreadable_latch_is_kept_as_evidence_when_it_is_released(tmp_path: Path) -> None:
    latch = Latch(tmp_path, "sim")
    for content in (b"first", b"second"):
        latch.engage(stop())
        (tmp_path / "sim" / "stop-1.json").write_bytes(content)
        (released,) = latch.release(UNREADABLE, "bob")
        assert released.released_by == "bob"
        assert latch.holding(1) is None

    kept = sorted(path.read_bytes() for path in (tmp_path / "sim.unreadable").iterdir())
    assert kept == [b"first", b"second"]


def test_releasing_everything_names_each_unreadable_file(tmp_path: Path) -> None:
    latch = Latch(tmp_path, "sim")
    latch.engage(stop())
    for name in ("a", "b"):
        (tmp_path / "sim" / name).write_bytes(b"")

    released = latch.release("", "bob")

    assert sorted(item.stop_id for item in released) == [UNREADABLE, UNREADABLE, "stop-1"]
    assert latch.stops() == ()


def test_what_a_killed_write_left_behind_is_no_stop(tmp_path: Path) -> None:
    (tmp_path / "sim").mkdir()
    (tmp_path / "sim" / ".stop-1.json.4711-00ff00ff.tmp").write_bytes(b'{"stop')

    assert Latch(tmp_path, "sim").stops() == ()


def test_a_stop_changed_in_place_is_seen_by_who_has_read_it_already(tmp_path: Path) -> None:
    latch = Latch(tmp_path, "sim")
    latch.engage(stop(1, 1))
    assert latch.holding(2) is None

    other = tmp_path / "other"
    Latch(other, "sim").engage(stop(1, 2))
    shutil.copyfile(other / "sim" / "stop-1.json", tmp_path / "sim" / "stop-1.json")

    assert latch.holding(2) == stop(1, 2)
    assert latch.holding(1) is None


def test_when_the_folder_cannot_be_written_the_stop_lies_in_the_fallback(tmp_path: Path) -> None:
    (tmp_path / "blocked").write_text("")
    latch = Latch(tmp_path / "blocked", "sim", tmp_path / "run")

    problem = latch.engage(stop(1, 5))

    assert str(tmp_path / "blocked") in problem
    assert stop(1, 5) in Latch(tmp_path / "state", "sim", tmp_path / "run").stops()
    assert Latch(tmp_path / "state", "sim", tmp_path / "run").holding(5) == stop(1, 5)
    (released,) = Latch(tmp_path / "state", "sim", tmp_path / "run").release("", "bob")
    assert released.stop_id == "stop-1"
    assert Latch(tmp_path / "state", "sim", tmp_path / "run").stops() == ()


def test_a_stop_that_can_be_latched_nowhere_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    latch = Latch(tmp_path / "file" / "a", "sim", tmp_path / "file" / "b")

    with pytest.raises(StateUnavailable) as caught:
        latch.engage(stop())

    assert "cannot be latched" in caught.value.message
    assert caught.value.hint


def test_a_stop_that_lies_in_both_places_is_one_stop_and_ends_in_both(tmp_path: Path) -> None:
    Latch(tmp_path / "state", "sim").engage(stop())
    Latch(tmp_path / "run", "sim").engage(stop())
    latch = Latch(tmp_path / "state", "sim", tmp_path / "run")

    assert latch.stops() == (stop(),)
    assert len(latch.release("stop-1", "bob")) == 1
    assert latch.stops() == ()


@pytest.mark.parametrize("fleet", ["/etc/fleet.yaml", "..", "a/../../b", "", "ünïcode", "x" * 400, "\udcff"])
def test_a_fleet_of_any_name_keeps_its_stops_inside_the_folder(tmp_path: Path, fleet: str) -> None:
    latch = Latch(tmp_path / "latch", fleet)

    latch.engage(msgspec.structs.replace(stop(), stop_id="../../" + "y" * 300))

    assert Latch(tmp_path / "latch", fleet).holding(1) is not None
    assert Latch(tmp_path / "latch", fleet + "2").holding(1) is None
    assert [path.name for path in tmp_path.iterdir()] == ["latch"]
    latch.release("", "bob")
    assert latch.holding(1) is None


def test_a_history_that_cannot_be_written_stops_neither_stop_nor_release(tmp_path: Path) -> None:
    (tmp_path / "sim.history").write_text("in the way")
    latch = Latch(tmp_path, "sim")

    latch.engage(stop())
    latch.update(stop())
    (released,) = latch.release("stop-1", "bob")

    assert released.released_by == "bob"
    assert latch.stops() == ()


def test_a_history_file_that_is_damaged_is_left_out(tmp_path: Path) -> None:
    latch = Latch(tmp_path, "sim")
    for number in (1, 2):
        latch.update(stop(number))
    damaged = min((tmp_path / "sim.history").iterdir())
    damaged.write_bytes(damaged.read_bytes()[:-5])

    assert [item.stop_id for item in latch.history(5)] == ["stop-2"]


def test_the_latch_is_a_sealed_line_that_people_can_read(tmp_path: Path) -> None:
    Latch(tmp_path, "sim").engage(stop(1, 0x8000))

    fields = json.loads((tmp_path / "sim" / "stop-1.json").read_text())

    assert fields["reason"] == "emergency stop: smoke"
    assert fields["devices"] == [0x8000]
    assert len(fields["hash"]) == 64
