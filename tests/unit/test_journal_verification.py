"""Verification: whatever is done to a journal afterwards is found, and the place is named."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsmilctl.errors import InvalidParameter, StateUnavailable
from dsmilctl.guard import spans, verification
from dsmilctl.guard.journal import Journal
from tests.unit.evidence import entry, filled, lines

SEGMENT = 1500


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal of twelve records in three segments."""
    folder = tmp_path_factory.mktemp("original")
    filled(folder, 12, SEGMENT)
    assert len(segments(folder)) == 3
    return folder


@pytest.fixture
def copy(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "copy"))


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("journal-*.jsonl"))


def anchor(folder: Path) -> str:
    return Journal(folder).verify().last_hash


def put(path: Path, content: list[bytes]) -> None:
    path.write_bytes(b"".join(content))


def test_an_edited_value_names_record_file_line_and_problem(copy: Path) -> None:
    second = segments(copy)[1]
    second.write_bytes(second.read_bytes().replace(b'"value":5', b'"value":6'))

    verdict = Journal(copy).verify()

    assert (verdict.intact, verdict.first_bad) == (False, 6)
    assert (verdict.file, verdict.line) == (str(second), 2)
    assert "changed" in verdict.problem
    assert verdict.records == 12


def test_a_removed_line_is_missed(copy: Path) -> None:
    content = lines(segments(copy)[0])
    put(segments(copy)[0], content[:1] + content[2:])

    verdict = Journal(copy).verify()

    assert (verdict.first_bad, verdict.line) == (2, 2)
    assert "record 2 is missing" in verdict.problem


def test_the_first_line_removed_is_missed(copy: Path) -> None:
    put(segments(copy)[0], lines(segments(copy)[0])[1:])

    assert Journal(copy).verify().first_bad == 1


def test_an_inserted_copy_of_a_line_is_found(copy: Path) -> None:
    content = lines(segments(copy)[0])
    put(segments(copy)[0], [*content[:2], content[0], *content[2:]])

    verdict = Journal(copy).verify()

    assert (verdict.first_bad, verdict.line) == (3, 3)
    assert "inserted" in verdict.problem


def test_a_line_of_another_journal_with_the_right_number_is_found(copy: Path, tmp_path: Path) -> None:
    other = Journal(tmp_path / "other")
    other.append([entry(number, user="eve") for number in range(12)])
    content = lines(segments(copy)[0])
    put(segments(copy)[0], [content[0], lines(segments(tmp_path / "other")[0])[1], *content[2:]])

    verdict = Journal(copy).verify()

    assert (verdict.first_bad, verdict.line) == (2, 2)
    assert "does not continue" in verdict.problem


def test_lines_that_changed_places_are_found(copy: Path) -> None:
    content = lines(segments(copy)[0])
    put(segments(copy)[0], [content[0], content[2], content[1], *content[3:]])

    assert Journal(copy).verify().first_bad == 2


def test_files_that_changed_places_are_found(copy: Path) -> None:
    first, second, _ = segments(copy)
    first.rename(copy / "aside")
    second.rename(first)
    (copy / "aside").rename(second)

    assert Journal(copy).verify().first_bad == 1


@pytest.mark.parametrize("number", [0, 1])
def test_a_missing_segment_is_named(copy: Path, number: int) -> None:
    missing = segments(copy)[number]
    missing.unlink()

    verdict = Journal(copy).verify()

    assert not verdict.intact
    assert verdict.file == str(missing)
    assert "missing" in verdict.problem


def test_records_cut_off_at_the_end_show_only_against_an_anchor(copy: Path) -> None:
    known = anchor(copy)
    last = segments(copy)[-1]
    put(last, lines(last)[:-1])

    assert Journal(copy).verify().intact
    verdict = Journal(copy).verify(f"12:{known}")
    assert (verdict.intact, verdict.first_bad) == (False, 12)
    assert "anchor" in verdict.problem
    assert not Journal(copy).verify(known).intact


@pytest.mark.parametrize(
    "wrong", ["12:", ":", " ", "12:  ", "x", "f" * 63, "f" * 65, "x:" + "f" * 64, "12:" + "0" * 64]
)
def test_what_names_no_record_is_no_anchor(copy: Path, wrong: str) -> None:
    with pytest.raises(InvalidParameter, match="no anchor"):
        Journal(copy).verify(wrong)


def test_the_anchor_of_a_journal_without_records_fits_every_journal(copy: Path) -> None:
    assert Journal(copy).verify("0:" + "0" * 64).intact


def test_the_last_segment_removed_shows_against_an_anchor(copy: Path) -> None:
    known = anchor(copy)
    segments(copy)[-1].unlink()

    assert not Journal(copy).verify(known).intact


def test_an_older_copy_of_the_whole_journal_shows_against_an_anchor(original: Path, copy: Path) -> None:
    Journal(copy).append([entry(12)])
    known = anchor(copy)
    shutil.rmtree(copy)
    shutil.copytree(original, copy)

    assert Journal(copy).verify().intact
    assert not Journal(copy).verify(known).intact


def test_a_journal_of_which_nothing_is_left_shows_against_an_anchor(copy: Path) -> None:
    known = anchor(copy)
    for path in segments(copy):
        path.unlink()

    verdict = Journal(copy).verify(known)

    assert (verdict.intact, verdict.first_bad) == (False, 1)


def test_one_bit_changed_at_any_place_is_found(tmp_path: Path) -> None:
    small = tmp_path / "small"
    filled(small, 4, 800)
    for path in segments(small):
        content = path.read_bytes()
        copy = Path(shutil.copytree(small, tmp_path / path.stem))
        for position in range(len(content)):
            changed = bytearray(content)
            changed[position] ^= 1 << position % 8
            (copy / path.name).write_bytes(changed)
            assert not Journal(copy).verify().intact, f"byte {position} of {path.name}"


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_change_of_any_bytes_is_found(original: Path, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(segments(original)))
    content = path.read_bytes()
    begin = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(begin, min(len(content), begin + 40)))
    changed = content[:begin] + data.draw(st.binary(max_size=8)) + content[end:]

    if changed != content:
        with replaced(original, path.name, changed) as copy:
            verdict = Journal(copy).verify(anchor(original))
            last_file = path == segments(original)[-1]
            behind_the_last_record = last_file and changed.startswith(content[:-1])
            assert not verdict.intact or (behind_the_last_record and verdict.problem)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_change_of_whole_lines_is_found(original: Path, data: st.DataObject) -> None:
    everything = [line for path in segments(original) for line in lines(path)]
    changed = data.draw(st.lists(st.sampled_from(everything), max_size=len(everything) + 2))
    if data.draw(st.booleans()):
        changed = data.draw(st.permutations(everything))
    if data.draw(st.booleans()):
        begin = data.draw(st.integers(0, len(everything)))
        end = data.draw(st.integers(begin, len(everything)))
        changed = everything[:begin] + everything[end:]

    if changed != everything:
        with replaced(original, "journal-000001.jsonl", b"".join(changed), alone=True) as copy:
            assert not Journal(copy).verify(anchor(original)).intact


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 11), st.integers(0, 600))
def test_a_journal_cut_off_anywhere_is_found_with_an_anchor(original: Path, record: int, offset: int) -> None:
    everything = b"".join(line for path in segments(original) for line in lines(path))
    begins = [0]
    for path in segments(original):
        for line in lines(path):
            begins.append(begins[-1] + len(line))
    length = min(begins[record] + offset, len(everything) - 2)

    with replaced(original, "journal-000001.jsonl", everything[:length], alone=True) as copy:
        assert not Journal(copy).verify(anchor(original)).intact


class replaced:  # noqa: N801 - used like a function in a `with`
    """A copy of a journal in which one file has another content, for as long as the `with` lasts."""

    def __init__(self, original: Path, name: str, content: bytes, *, alone: bool = False) -> None:
        self.original, self.name, self.content, self.alone = original, name, content, alone

    def __enter__(self) -> Path:
        self.folder = self.original.parent / "replaced"
        self.folder.mkdir()
        for path in segments(self.original):
            if not self.alone:
                shutil.copy(path, self.folder)
        (self.folder / self.name).write_bytes(self.content)
        return self.folder

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder)


@pytest.fixture
def everything_split(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(verification, "WORTH_SPLITTING", 0)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    yield


def test_several_processes_come_to_the_same_verdict_as_one(tmp_path: Path) -> None:
    journal = filled(tmp_path, 40, 3000)
    journal.append([entry(50, "INTENT"), entry(51, "INTENT"), entry(50, "SUCCESS")])
    one = journal.verify()

    split = spans.verify_split(tmp_path, one.last_hash)

    assert split == one
    assert spans.verify_split(tmp_path, "f" * 64) is None
    assert one.unfinished == ("op-51",)


@pytest.mark.usefixtures("everything_split")
def test_a_change_is_named_the_same_when_several_processes_verify(tmp_path: Path) -> None:
    journal = filled(tmp_path, 40, 3000)
    for path in segments(tmp_path):
        for number in {0, len(lines(path)) // 2}:
            content = lines(path)
            content[number] = content[number].replace(b'"ada"', b'"eve"')
            kept = path.read_bytes()
            put(path, content)
            verdict = journal.verify()
            assert (verdict.intact, verdict.file, verdict.line) == (False, str(path), number + 1)
            path.write_bytes(kept)


def test_pieces_that_do_not_meet_are_no_sound_journal(tmp_path: Path) -> None:
    journal = filled(tmp_path, 30, 1 << 20)
    journal.close()
    path = segments(tmp_path)[0]
    (cut,) = [span.pieces[0].end for span in spans._split([path], 2, "")[:1]]
    content = path.read_bytes()
    begin = content.rfind(b"\n", 0, cut - 1) + 1
    path.write_bytes(content[:begin] + content[cut:])

    assert spans.verify_split(tmp_path, "") is None
    assert not journal.verify().intact


def test_a_journal_that_cannot_be_read_is_refused_not_called_intact(tmp_path: Path) -> None:
    (tmp_path / "journal-000001.jsonl").mkdir()

    for attempt in (Journal(tmp_path).verify, Journal(tmp_path).records, Journal(tmp_path).unfinished):
        with pytest.raises(StateUnavailable):
            attempt()
