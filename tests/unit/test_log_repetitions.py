"""Repetitions: a message is written once and counted while it repeats, and no record is lost."""

from __future__ import annotations

import io
import logging

from hypothesis import given
from hypothesis import strategies as st

from dsmilctl.log import Repetitions, configure
from tests.unit.logs import Clock, Start, messages, part


def test_a_repetition_is_counted_and_told_when_something_else_comes(started: Start) -> None:
    stream = started()
    logger = part("drivers")

    for _ in range(18):
        logger.warning("no answer", extra={"subject": "a"})
    logger.warning("back again", extra={"subject": "a"})
    logger.warning("no answer", extra={"subject": "a"})

    assert messages(stream) == [
        "drivers: no answer subject=a",
        "drivers: no answer … repeated 17 times subject=a",
        "drivers: back again subject=a",
        "drivers: no answer subject=a",
    ]


def test_each_subject_is_counted_on_its_own(started: Start) -> None:
    stream = started()

    for _ in range(3):
        for subject in ("a", "b"):
            part("drivers").warning("no answer", extra={"subject": subject})
    part("guard").warning("no answer", extra={"subject": "a"})
    part("drivers").error("no answer", extra={"subject": "b"})

    assert messages(stream) == [
        "drivers: no answer subject=a",
        "drivers: no answer subject=b",
        "guard: no answer subject=a",
        "drivers: no answer … repeated 2 times subject=b",
        "drivers: no answer subject=b",
    ]


def test_what_goes_on_for_a_minute_is_told_every_minute(started: Start, log_clock: Clock) -> None:
    stream = started()

    for _ in range(130):
        part("drivers").warning("no answer")
        log_clock.seconds += 1

    assert messages(stream) == [
        "drivers: no answer",
        "drivers: no answer … repeated 60 times",
        "drivers: no answer … repeated 60 times",
    ]


def test_what_was_still_being_counted_is_told_at_the_end(log_clock: Clock) -> None:
    stream = io.StringIO()
    log = configure(stream=stream, clock=log_clock)
    for _ in range(2):
        part("drivers").warning("no answer")

    log.close()

    assert messages(stream) == ["drivers: no answer", "drivers: no answer … repeated once more"]


def test_many_subjects_do_not_fill_the_memory(log_clock: Clock) -> None:
    handler = logging.StreamHandler(io.StringIO())
    counting = Repetitions(handler, log_clock)

    for number in range(5_000):
        record = logging.makeLogRecord({"name": "dsmilctl.x", "msg": "no answer", "subject": number})
        assert counting.filter(record)

    assert len(vars(counting)["_last"]) == 1024


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), st.sampled_from([0, 1, 70]))))
def test_no_record_is_lost_every_one_is_written_or_counted(records: list[tuple[str, str, int]]) -> None:
    log_clock, stream = Clock(), io.StringIO()
    log = configure(stream=stream, clock=log_clock)
    for subject, message, pause in records:
        part("drivers").warning(message, extra={"subject": subject})
        log_clock.seconds += pause
    log.close()

    told = 0
    for line in messages(stream):
        count = line.partition("… repeated ")[2].split(" ")[0]
        told += 1 if not count else 1 if count == "once" else int(count)
    assert told == len(records)
