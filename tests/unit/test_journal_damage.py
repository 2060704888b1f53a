"""Damage to the journal's end: what a cut-off write leaves is set aside, anything else stops recording."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from dsmilctl.errors import StateUnavailable
from dsmilctl.guard.journal import Journal
from tests.unit.evidence import entry, filled, lines


def segment(folder: Path, number: int = 1) -> Path:
    return folder / f"journal-{number:06d}.jsonl"


def test_a_record_torn_at_any_byte_is_set_aside_and_no_whole_one_is_lost(tmp_path: Path) -> None:
    filled(tmp_path / "whole", 3)
    content = segment(tmp_path / "whole").read_bytes()
    last = lines(segment(tmp_path / "whole"))[-1]

    for kept in {1, 5, 11, *range(20, len(last) - 2, 29), len(last) - 2}:
        folder = tmp_path / str(kept)
        folder.mkdir()
        segment(folder).write_bytes(content[: len(content) - len(last) + kept])

        records = Journal(folder).append([entry(9)])

        assert [record.target for record in records] == ["0x8009"]
        assert [record.sequence for record in Journal(folder).records()] == [4, 3, 2, 1]
        recovery = Journal(folder).records(action="journal.recover")[0]
        assert recovery.parameters == {"bytes": kept, "kept_in": "journal.torn-1"}
        assert (folder / "journal.torn-1").read_bytes() == last[:kept]
        assert Journal(folder).verify().intact


def test_a_record_that_lacks_only_its_line_feed_is_kept(tmp_path: Path) -> None:
    filled(tmp_path, 3)
    segment(tmp_path).write_bytes(segment(tmp_path).read_bytes()[:-1])
    assert "line feed" in Journal(tmp_path).verify().problem

    Journal(tmp_path).append([entry(3)])

    assert [record.sequence for record in Journal(tmp_path).records()] == [4, 3, 2, 1]
    assert Journal(tmp_path).verify().problem == ""
    assert list(tmp_path.glob("journal.torn*")) == []


def test_a_torn_end_alone_is_no_evidence_of_tampering_but_is_mentioned(tmp_path: Path) -> None:
    filled(tmp_path, 3)
    with segment(tmp_path).open("ab") as file:
        file.write(b'{"action":"device.wr\0\0\0')

    verdict = Journal(tmp_path).verify()

    assert verdict.intact
    assert (verdict.records, verdict.first_bad, verdict.line) == (3, None, 4)
    assert "torn" in verdict.problem


def test_the_very_first_record_torn_leaves_a_journal_that_begins_again(tmp_path: Path) -> None:
    segment(tmp_path).write_bytes(b'{"action":"device.write","con')

    Journal(tmp_path).append([entry()])

    assert [record.action for record in Journal(tmp_path).records()] == ["device.write", "journal.recover"]
    assert Journal(tmp_path).verify().intact


def test_each_torn_end_gets_a_file_of_its_own(tmp_path: Path) -> None:
    for count in (1, 2, 3):
        filled(tmp_path, 1)
        with segment(tmp_path).open("ab") as file:
            file.write(b'{"action":"' + b"a" * count)
        Journal(tmp_path).append([entry()])

    assert len(list(tmp_path.glob("journal.torn-*"))) == 3


@pytest.mark.parametrize("garbage", [b"x", b"{}", b"\n", b"[1]\n", b'{"action":"a"}\n', b'{"action":"a"}x'])
def test_behind_anything_that_no_cut_off_write_leaves_nothing_is_recorded(
    tmp_path: Path, garbage: bytes
) -> None:
    filled(tmp_path, 3)
    with segment(tmp_path).open("ab") as file:
        file.write(garbage)
    before = segment(tmp_path).read_bytes()
    journal = Journal(tmp_path)

    for attempt in (journal.check_writable, lambda: journal.append([entry()])):
        with pytest.raises(StateUnavailable) as caught:
            attempt()
        assert caught.value.hint == "dsmilctl audit verify"
        assert caught.value.target == str(segment(tmp_path))

    assert segment(tmp_path).read_bytes() == before
    assert len(journal.records()) == 3
    assert not journal.verify().intact


def test_an_older_segment_without_its_last_line_feed_was_not_left_by_a_crash(tmp_path: Path) -> None:
    filled(tmp_path, 3)
    content = segment(tmp_path).read_bytes()
    segment(tmp_path, 2).touch()

    for cut in (1, 40):
        segment(tmp_path).write_bytes(content[:-cut])
        with pytest.raises(StateUnavailable):
            Journal(tmp_path).append([entry()])
        assert not Journal(tmp_path).verify().intact


def test_every_byte_of_the_last_record_is_guarded_before_a_new_one_is_added(tmp_path: Path) -> None:
    filled(tmp_path, 2)
    content = segment(tmp_path).read_bytes()
    begin = len(lines(segment(tmp_path))[0])

    for position in range(begin, len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 0x01
        segment(tmp_path).write_bytes(damaged)
        with pytest.raises(StateUnavailable):
            Journal(tmp_path).append([entry()])


def test_a_record_changed_while_the_journal_is_open_is_found_by_the_next_process(tmp_path: Path) -> None:
    journal = filled(tmp_path, 2)
    content = segment(tmp_path).read_bytes()
    segment(tmp_path).write_bytes(content.replace(b'"value":1', b'"value":2'))

    with pytest.raises(StateUnavailable):
        Journal(tmp_path).append([entry()])
    assert journal.verify().first_bad == 2


def test_an_operator_goes_on_behind_damage_that_stays_on_record(tmp_path: Path) -> None:
    filled(tmp_path, 3)
    damaged = segment(tmp_path).read_bytes().replace(b'"value":2', b'"value":9')
    segment(tmp_path).write_bytes(damaged)
    journal = Journal(tmp_path)

    record = journal.restart("disk replaced", "ada")
    journal.append([entry(3)])

    assert record.action == "journal.restart"
    assert record.user == "ada"
    assert record.parameters["reason"] == "disk replaced"
    assert record.parameters["segment"] == "journal-000001.jsonl"
    assert record.parameters["sha256"] == hashlib.sha256(damaged).hexdigest()
    assert "damaged" in record.parameters["problem"]
    assert record.sequence == 4
    assert segment(tmp_path).read_bytes() == damaged
    verdict = journal.verify()
    assert (verdict.intact, verdict.first_bad, verdict.line) == (False, 3, 3)
    assert verdict.file == str(segment(tmp_path))
    assert verdict.records == 5


def test_removing_the_damaged_record_after_a_restart_does_not_mend_the_chain(tmp_path: Path) -> None:
    filled(tmp_path, 3)
    segment(tmp_path).write_bytes(segment(tmp_path).read_bytes().replace(b'"value":2', b'"value":9'))
    journal = Journal(tmp_path)
    journal.restart("disk replaced", "ada")

    segment(tmp_path).write_bytes(b"".join(lines(segment(tmp_path))[:2]))

    verdict = journal.verify()
    assert not verdict.intact
    assert "journal-000001.jsonl was changed since the restart in journal-000002.jsonl" in verdict.problem


def test_what_is_changed_after_a_restart_is_not_hidden_by_the_damage_before_it(tmp_path: Path) -> None:
    filled(tmp_path, 3)
    segment(tmp_path).write_bytes(segment(tmp_path).read_bytes().replace(b'"value":2', b'"value":9'))
    journal = Journal(tmp_path)
    journal.restart("disk replaced", "ada")
    for number in range(7, 10):
        journal.append([entry(number)])
    before = journal.verify()
    later = segment(tmp_path, 2).read_bytes()

    segment(tmp_path, 2).write_bytes(later.replace(b'"value":8', b'"value":1'))
    after = journal.verify()

    assert before.problem.endswith("; nothing else is wrong behind the restart in journal-000002.jsonl")
    assert (after.first_bad, after.line) == (before.first_bad, before.line) == (3, 3)
    assert "journal-000002.jsonl:3: the record does not fit its hash" in after.problem
    journal.restart("disk replaced again", "ada")
    journal.append([entry(11)])
    segment(tmp_path, 3).write_bytes(segment(tmp_path, 3).read_bytes().replace(b'"value":11', b'"value":12'))
    assert "journal-000003.jsonl:2: the record does not fit" in journal.verify().problem


def test_a_restart_of_a_sound_journal_begins_a_segment_and_breaks_nothing(tmp_path: Path) -> None:
    journal = filled(tmp_path, 3)

    record = journal.restart("new year", "ada")
    journal.append([entry(4)])

    assert (record.sequence, record.parameters["problem"]) == (4, "")
    assert len(lines(segment(tmp_path, 2))) == 2
    assert journal.verify().intact


@pytest.mark.parametrize("cut", [1, 40])
def test_a_restart_mends_an_end_that_a_crash_left(tmp_path: Path, cut: int) -> None:
    filled(tmp_path, 3)
    segment(tmp_path).write_bytes(segment(tmp_path).read_bytes()[:-cut])

    journal = Journal(tmp_path)
    journal.restart("after a power cut", "ada")

    assert journal.verify().intact
    assert journal.verify().problem == ""


@pytest.mark.parametrize("cut", [1, 40])
def test_a_full_segment_is_mended_before_the_next_one_is_begun(tmp_path: Path, cut: int) -> None:
    filled(tmp_path, 3)
    segment(tmp_path).write_bytes(segment(tmp_path).read_bytes()[:-cut])

    journal = Journal(tmp_path, segment_bytes=1)
    journal.append([entry(4)])

    assert segment(tmp_path, 2).exists()
    assert segment(tmp_path).read_bytes().endswith(b"}\n")
    assert (journal.verify().intact, journal.verify().problem) == (True, "")


def test_a_restart_goes_on_even_where_no_record_can_be_read(tmp_path: Path) -> None:
    segment(tmp_path).write_bytes(b"\xff\xfe\n" * 5)

    record = Journal(tmp_path).restart("disk replaced", "ada")

    assert record.sequence == 6
    assert Journal(tmp_path).append([entry()])[0].sequence == 7
    assert Journal(tmp_path).verify().first_bad == 1


def test_a_restart_of_no_journal_begins_one(tmp_path: Path) -> None:
    record = Journal(tmp_path / "new").restart("first day", "ada")

    assert (record.sequence, record.parameters["sha256"]) == (1, "")
    assert json.loads(segment(tmp_path / "new").read_bytes())["action"] == "journal.restart"
    assert Journal(tmp_path / "new").verify().intact


def test_a_restart_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StateUnavailable):
        Journal(tmp_path / "file" / "state").restart("no use", "ada")
