"""The journal: what it writes, how it is read, and where it refuses."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from pathlib import Path

import pytest

from dsmilctl.clock import NANOSECONDS
from dsmilctl.errors import StateUnavailable
from dsmilctl.guard.chain import GENESIS
from dsmilctl.guard.journal import Journal
from tests.unit.evidence import NOON, WallClock, entry, filled, lines


def segment(folder: Path, number: int = 1) -> Path:
    return folder / f"journal-{number:06d}.jsonl"


def test_a_record_comes_back_with_everything_that_was_said_and_when(tmp_path: Path) -> None:
    clock = WallClock(NOON + 123_456_789)
    journal = Journal(tmp_path, clock)

    (record,) = journal.append([entry(7, decision="DENIED")])

    assert journal.records() == [record]
    assert (record.sequence, record.time) == (1, NOON + 123_456_789)
    assert (record.user, record.host, record.context) == ("ada", "ward", "sim")
    assert (record.action, record.target, record.decision) == ("device.write", "0x8007", "DENIED")
    assert record.parameters == {"register": "CONFIG", "value": 7}


def test_records_are_found_by_their_action_and_by_the_group_that_it_is_in(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    actions = ("device.write", "emergency.stop", "device.reset", "emergency.release")
    journal.append([entry(number, action=action) for number, action in enumerate(actions)])

    def found(action: str) -> list[str]:
        return [record.action for record in journal.records(action=action)]

    assert found("emergency.*") == ["emergency.release", "emergency.stop"]
    assert found("device.*") == ["device.reset", "device.write"]
    assert found("device.reset") == ["device.reset"]
    assert found("device") == []


def test_every_line_is_canonical_json_sealed_and_bound_to_the_line_before(tmp_path: Path) -> None:
    filled(tmp_path, 5)

    previous = GENESIS
    for number, line in enumerate(lines(segment(tmp_path)), 1):
        fields = json.loads(line)
        seal = fields.pop("hash")
        canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        assert hashlib.sha256(canonical).hexdigest() == seal
        assert (fields["previous"], fields["sequence"]) == (previous, number)
        assert line == canonical[:-1] + f',"hash":"{seal}"}}\n'.encode()
        previous = seal


def test_folder_and_files_are_for_their_owner_only_and_made_when_missing(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "dsmilctl"

    Journal(folder).append([entry()])

    assert folder.stat().st_mode & 0o777 == 0o700
    assert folder.parent.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_a_new_journal_object_continues_where_the_last_process_stopped(tmp_path: Path) -> None:
    last = filled(tmp_path, 3).records(limit=1)[0]

    (record,) = Journal(tmp_path).append([entry(3)])

    assert (record.sequence, record.previous) == (4, last.hash)
    assert Journal(tmp_path).verify().intact


def test_two_journal_objects_taking_turns_make_one_chain(tmp_path: Path) -> None:
    one, other = Journal(tmp_path), Journal(tmp_path)

    for number in range(6):
        (one, other)[number % 2].append([entry(number)])

    assert [record.sequence for record in one.records()] == [6, 5, 4, 3, 2, 1]
    assert one.verify().intact


def test_many_entries_are_one_write_and_come_back_in_their_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path)

    records = journal.append([entry(number) for number in range(1000)])

    assert [record.parameters["value"] for record in records] == list(range(1000))
    assert journal.verify().records == 1000
    assert journal.append([]) == []


def test_threads_that_record_at_once_each_get_their_own_records_back(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    wrong: list[int] = []

    def record(thread: int) -> None:
        for turn in range(40):
            number = thread * 1000 + turn
            (found,) = journal.append([entry(number)])
            if found.parameters["value"] != number:
                wrong.append(number)

    threads = [threading.Thread(target=record, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
    assert journal.verify().records == 320
    assert journal.verify().intact


def test_records_are_found_by_every_field_newest_first(tmp_path: Path) -> None:
    clock = WallClock()
    journal = Journal(tmp_path, clock)
    for number in range(10):
        clock.advance(60)
        journal.append(
            [entry(number, user=("ada", "bob")[number % 2], context=("sim", "plant")[number // 5])]
        )
    journal.append([entry(10, "DENIED", action="device.reset")])

    def values(**query: object) -> list[int]:
        return [record.parameters["value"] for record in journal.records(**query)]  # type: ignore[arg-type]  # any

    assert values(limit=3) == [10, 9, 8]
    assert values(user="bob") == [9, 7, 5, 3, 1]
    assert values(context="plant", user="ada") == [8, 6]
    assert values(target="0x8004") == [4]
    assert values(outcome="DENIED") == values(action="device.reset") == [10]
    minute = 60 * NANOSECONDS
    assert values(since=NOON + 3 * minute, until=NOON + 5 * minute) == [4, 3, 2]
    assert len(values(limit=0)) == 11
    assert values(user="nobody") == []


def test_the_newest_records_are_found_at_the_end_of_a_file_far_larger_than_memory(tmp_path: Path) -> None:
    journal = filled(tmp_path, 3)
    written = segment(tmp_path).read_bytes()
    journal.close()
    with segment(tmp_path).open("wb") as file:
        file.seek(1 << 40)  # a hole of a terabyte: whoever reads all of it does not come back
        file.write(b"\n" + written)

    assert [record.sequence for record in Journal(tmp_path).records(limit=3)] == [3, 2, 1]
    assert Journal(tmp_path).append([entry(3)])[0].sequence == 4


def test_a_journal_of_many_segments_reads_and_verifies_as_one(tmp_path: Path) -> None:
    journal = filled(tmp_path, 60, segment_bytes=2000)

    names = sorted(path.name for path in tmp_path.glob("journal-*"))
    assert len(names) > 5
    assert [record.sequence for record in journal.records(limit=0)] == list(range(60, 0, -1))
    assert [Path(name).name for name in journal.verify().files] == names
    assert journal.verify().intact


def test_a_new_segment_that_a_crash_left_empty_is_used(tmp_path: Path) -> None:
    filled(tmp_path, 3)
    segment(tmp_path, 2).touch()

    (record,) = Journal(tmp_path).append([entry(3)])

    assert record.sequence == 4
    assert len(lines(segment(tmp_path, 2))) == 1
    assert Journal(tmp_path).verify().intact


def test_an_empty_or_missing_journal_is_intact_and_has_no_records(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "nowhere")

    verdict = journal.verify()

    assert (verdict.intact, verdict.records, verdict.files, verdict.last_hash) == (True, 0, (), "")
    assert journal.records() == journal.unfinished() == []
    assert not (tmp_path / "nowhere").exists()


def test_a_clock_set_back_shows_in_the_times_and_disturbs_nothing(tmp_path: Path) -> None:
    clock = WallClock()
    journal = Journal(tmp_path, clock)
    for seconds in (0, -86_400, -60 * 365 * 86_400, 3_600):
        clock.advance(seconds)
        journal.append([entry()])

    records = journal.records()

    assert [record.sequence for record in records] == [4, 3, 2, 1]
    assert records[1].time < 0 < records[2].time < records[3].time == NOON
    assert [record.sequence for record in journal.records(since=NOON)] == [1]
    assert journal.verify().intact
    assert journal.verify().problem == ""


def test_values_that_json_does_not_know_are_recorded_as_text(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    strange = {
        "path": Path("/dev/null"),
        "name": "bad\udce9name",
        5: {1, 2},
        "huge": 2**70,
        "nan": float("nan"),
    }

    (record,) = journal.append([entry(parameters=strange, target="0x\udcff", user="line\nfeed\x1b[31m")])

    assert record.sequence == 1
    (found,) = journal.records()
    assert found.parameters["path"] == "/dev/null"
    assert found.parameters["name"] == "bad\\udce9name"
    assert found.parameters["5"] == [1, 2]
    assert found.user == "line\nfeed\x1b[31m"
    assert len(lines(segment(tmp_path))) == 1
    assert b"\x1b" not in segment(tmp_path).read_bytes()
    assert journal.verify().intact


def test_secrets_never_reach_the_file(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    secrets = {
        "password": "canary-1",
        "options": {"apiKey": "canary-2", "list": [{"mfa_token": "canary-3"}]},
        "url": "mqtt://user:canary-4@broker/topic",
        "header": "Authorization: Bearer canary-5.abc",
        "note": "login with password=canary-6 please",
    }

    (record,) = journal.append([entry(parameters=secrets, target="https://user:canary-7@host/")])

    assert b"canary" not in segment(tmp_path).read_bytes()
    assert record.parameters["options"] == {"apiKey": "***", "list": [{"mfa_token": "***"}]}
    assert record.parameters["url"] == "mqtt://***@broker/topic"


def test_an_intent_without_outcome_is_unfinished_until_one_is_recorded(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append([entry(number, "INTENT") for number in range(3)])
    journal.append([entry(1, "SUCCESS")])

    assert [record.operation_id for record in journal.unfinished()] == ["op-0", "op-2"]
    assert journal.verify().unfinished == ("op-0", "op-2")

    journal.append([entry(0, "UNKNOWN"), entry(2, "FAILED")])

    assert journal.unfinished() == []
    assert journal.verify().unfinished == ()


def test_unfinished_changes_of_a_long_journal_are_found_again_without_reading_it_all(tmp_path: Path) -> None:
    journal = Journal(tmp_path, segment_bytes=200_000)
    journal.append([entry(1, "INTENT", operation_id="op-early")])
    journal.append([entry(number) for number in range(2000)])
    journal.append([entry(5, "INTENT", operation_id="op-late")])
    assert [record.operation_id for record in journal.unfinished()] == ["op-early", "op-late"]
    kept = json.loads((tmp_path / "journal.settled").read_bytes())
    newest = max(tmp_path.glob("journal-*.jsonl"))
    assert segment(tmp_path, kept["segment"]) == newest
    assert kept["offset"] == newest.stat().st_size
    assert list(kept["open"]) == ["op-early", "op-late"]

    journal.append([entry(1, "SUCCESS", operation_id="op-early"), entry(2, "INTENT", operation_id="op-new")])

    assert [record.operation_id for record in journal.unfinished()] == ["op-late", "op-new"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"segment":1,"offset":40,"mark":"else","open":{}}', b"\xff"]
)
def test_a_wrong_note_of_what_is_settled_is_not_believed(tmp_path: Path, content: bytes) -> None:
    journal = Journal(tmp_path)
    journal.append([entry(1, "INTENT"), entry(2)])
    (tmp_path / "journal.settled").write_bytes(content)

    assert [record.operation_id for record in journal.unfinished()] == ["op-1"]


def test_an_exported_anchor_names_the_end_and_is_in_the_chain(tmp_path: Path) -> None:
    journal = filled(tmp_path / "journal", 4)

    anchor = journal.export(tmp_path / "anchor.json")

    written = json.loads((tmp_path / "anchor.json").read_text())
    assert written == {
        "sequence": 4,
        "hash": anchor.hash,
        "time": "2025-11-20T12:00:00.000000Z",
        "records": 4,
    }
    assert journal.verify().last_hash == anchor.hash
    journal.append([entry(5)])
    assert journal.verify(anchor.hash).intact


def test_an_anchor_of_an_empty_journal_holds_for_every_later_one(tmp_path: Path) -> None:
    anchor = Journal(tmp_path / "journal").export(tmp_path / "anchor.json")

    assert filled(tmp_path / "journal", 2).verify(anchor.hash).intact


def test_an_anchor_into_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StateUnavailable) as caught:
        filled(tmp_path / "journal", 1).export(tmp_path / "file" / "anchor.json")

    assert caught.value.hint


def test_a_folder_that_cannot_exist_refuses_the_record_and_the_check_alike(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    journal = Journal(tmp_path / "file" / "state")

    for attempt in (journal.check_writable, lambda: journal.append([entry()])):
        with pytest.raises(StateUnavailable) as caught:
            attempt()
        assert caught.value.code == "STATE_UNAVAILABLE"
        assert "file" in caught.value.message
        assert caught.value.hint == "a part of that path is a file; move it away"


def test_a_journal_in_good_order_says_that_it_can_be_written(tmp_path: Path) -> None:
    Journal(tmp_path / "new").check_writable()
    filled(tmp_path / "old", 3).check_writable()


def test_a_journal_goes_on_after_its_folder_was_replaced_under_it(tmp_path: Path) -> None:
    journal = filled(tmp_path / "journal", 3)
    (tmp_path / "journal").rename(tmp_path / "moved")

    journal.append([entry(3)])

    assert journal.verify().records == 1
    assert Journal(tmp_path / "moved").verify().records == 3


def test_a_segment_that_another_process_began_is_the_one_that_is_continued(tmp_path: Path) -> None:
    journal = filled(tmp_path, 3)
    Journal(tmp_path).restart("new year", "bob")

    (record,) = journal.append([entry(4)])

    assert record.sequence == 5
    assert len(lines(segment(tmp_path, 2))) == 2
    assert journal.verify().intact


def test_a_file_of_the_same_size_in_its_place_is_not_taken_for_the_one_that_was_open(tmp_path: Path) -> None:
    journal = filled(tmp_path / "journal", 3)
    shutil.copytree(tmp_path / "journal", tmp_path / "copy")
    (tmp_path / "journal").rename(tmp_path / "moved")
    (tmp_path / "copy").rename(tmp_path / "journal")

    journal.append([entry(3)])

    assert Journal(tmp_path / "journal").verify().records == 4
    assert Journal(tmp_path / "moved").verify().records == 3
